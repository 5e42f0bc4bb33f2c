"""Images as uint8 arrays, in memory or mapped from a file."""

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.base import Dataset
from gan_cli.types import Batch


def to_float(images: np.ndarray) -> Tensor:
    """uint8 in 0 … 255 -> float32 in [-1, 1]: x / 127.5 − 1."""
    return torch.from_numpy(images).float().div_(127.5).sub_(1)


class ImageArray(Dataset):
    """Images in one array: ``images`` uint8 ``[N, C, S, S]``, in memory or mapped, and ``labels`` int64 ``[N]`` or None.

    A mapped array (``np.memmap``) stays on the disk: a batch touches only the pages of its own images.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray | None = None, classes: int = 0):
        self.images, self.labels, self.classes = images, labels, classes
        self.shape = tuple(images.shape[1:])

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Tensor) -> Batch:
        """The images at ``indices`` (int64 ``[B]``): x float32 ``[B, C, S, S]`` in [-1, 1], y int64 ``[B]`` or None."""
        chosen = indices.numpy()
        x = to_float(np.asarray(self.images[chosen]))
        return Batch(x, None if self.labels is None else torch.from_numpy(self.labels[chosen]))
