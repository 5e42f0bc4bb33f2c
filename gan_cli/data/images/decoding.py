"""Images that are decoded when a batch asks for them: for sets that are not cached."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.base import Dataset, evenly
from gan_cli.data.images.arrays import to_float
from gan_cli.data.images.source import CorruptImage, Pictures
from gan_cli.data.images.transform import Transform
from gan_cli.errors import UserError
from gan_cli.types import Batch


def processors() -> int:
    """Number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class DecodedImages(Dataset):
    """Images that stay where they are and are decoded, again in every epoch, by ``workers`` threads.

    An image that cannot be decoded ends the run, or, with ``skip_corrupt``, gives its place to the next one that
    can be: the length and so the order of the stream stay what they are. A line on stderr counts such images.
    """

    decodes = True

    def __init__(
        self,
        pictures: Pictures,
        transform: Transform,
        max_images: int | None = None,
        workers: int | None = None,
        skip_corrupt: bool = False,
    ):
        self.pictures, self.transform, self.skip_corrupt = pictures, transform, skip_corrupt
        self.chosen = evenly(len(pictures), max_images).tolist()
        self.shape = transform.shape
        self.classes = pictures.classes
        self.corrupt: set[int] = set()
        self._pool = ThreadPoolExecutor(workers or processors(), thread_name_prefix="decode")

    def __len__(self) -> int:
        return len(self.chosen)

    def batch(self, indices: Tensor) -> Batch:
        """The images at ``indices`` (int64 ``[B]``): x float32 ``[B, C, S, S]`` in [-1, 1], y int64 ``[B]`` or None.

        Raises:
            UserError: naming the image that cannot be decoded, or saying that none can.
        """
        arrays, sources = zip(*self._pool.map(self._decoded, indices.tolist()), strict=True)
        labels = self.pictures.labels
        y = None if labels is None else torch.from_numpy(labels[list(sources)])
        return Batch(to_float(np.stack(arrays)), y)

    def _decoded(self, place: int) -> tuple[np.ndarray, int]:
        """The image at ``place``, or the next one that can be decoded, and its index among the pictures."""
        for step in range(len(self)):
            index = self.chosen[(place + step) % len(self)]
            if index in self.corrupt:
                continue
            try:
                return self.pictures.array(index, self.transform), index
            except CorruptImage as error:
                if not self.skip_corrupt:
                    raise
                self._leave_out(index, error.name)
        raise UserError(f"None of the {len(self)} images can be decoded: {self.pictures.name(self.chosen[0])}, …")

    def _leave_out(self, index: int, name: str) -> None:
        self.corrupt.add(index)
        count = len(self.corrupt)
        if count & (count - 1) == 0:  # at 1, 2, 4, 8, … : a line for each of thousands would bury the run's own
            print(f"Left out, as it cannot be decoded: {name} ({count} of {len(self)} so far)", file=sys.stderr)
