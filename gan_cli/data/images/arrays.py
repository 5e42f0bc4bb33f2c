"""Images in a uint8 array, in memory or memory-mapped."""

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.base import Dataset
from gan_cli.types import Batch


def to_float(images: np.ndarray) -> Tensor:
    """Convert uint8 in 0 … 255 to float32 in [-1, 1]: x / 127.5 − 1."""
    return torch.from_numpy(images).float().div_(127.5).sub_(1)


class ImageArray(Dataset):
    """Images in one array, in memory or memory-mapped.

    A mapped array (``np.memmap``) stays on the disk: a batch reads only the pages of its own images.

    Args:
        images: uint8 ``[N, C, S, S]``.
        labels: int64 ``[N]``, or None.
        classes: Number of labels; 0 without labels.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray | None = None, classes: int = 0):
        self.images, self.labels, self.classes = images, labels, classes
        self.shape = tuple(images.shape[1:])

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Tensor) -> Batch:
        """Return x float32 ``[B, C, S, S]`` in [-1, 1] and y int64 ``[B]`` or None, for indices int64 ``[B]``."""
        chosen = indices.numpy()
        x = to_float(np.asarray(self.images[chosen]))
        return Batch(x, None if self.labels is None else torch.from_numpy(self.labels[chosen]))
