"""Images in a uint8 array, in memory or memory-mapped."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.base import Dataset
from gan_cli.data.content import Content, digests, is_small
from gan_cli.types import Batch


def to_float(images: np.ndarray) -> Tensor:
    """Convert uint8 in 0 … 255 to float32 in [-1, 1]: x / 127.5 − 1."""
    return torch.from_numpy(images).float().div_(127.5).sub_(1)


def content_of(hashes: np.ndarray, low: int, high: int, labels: np.ndarray | None) -> Content:
    """Return the content of images with pixels from ``low`` to ``high``, in 0 … 255."""
    first, last = to_float(np.array([low, high], np.uint8)).tolist()
    return Content(hashes, first, last, labels)


class ImageArray(Dataset):
    """Images in one array, in memory or memory-mapped.

    A mapped array (``np.memmap``) stays on the disk: a batch reads only the pages of its own images.

    Args:
        images: uint8 ``[N, C, S, S]``.
        labels: int64 ``[N]``, or None.
        classes: Number of labels; 0 without labels.
        class_names: Names of the classes; empty if they have none.
        origins: Facts about the images before they were transformed; None if nothing is known.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None = None,
        classes: int = 0,
        class_names: Sequence[str] = (),
        origins: Mapping[str, Any] | None = None,
    ):
        self.images, self.labels, self.classes, self.class_names = images, labels, classes, tuple(class_names)
        self.shape = tuple(images.shape[1:])
        self._origins = origins or {}

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Tensor) -> Batch:
        """Return x float32 ``[B, C, S, S]`` in [-1, 1] and y int64 ``[B]`` or None, for indices int64 ``[B]``."""
        chosen = indices.numpy()
        x = to_float(self.pixels(chosen))
        return Batch(x, None if self.labels is None else torch.from_numpy(self.labels[chosen]))

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        """Return the images at ``indices`` (int64 ``[B]``), uint8 ``[B, C, S, S]``."""
        return np.asarray(self.images[indices])

    def known_labels(self) -> Tensor | None:
        return None if self.labels is None else torch.from_numpy(self.labels)

    def origins(self) -> Mapping[str, Any]:
        return self._origins

    def content(self) -> Content | None:
        if not len(self) or not is_small(len(self), self.shape, 1):
            return None
        return content_of(digests(self.images), int(self.images.min()), int(self.images.max()), self.labels)
