"""Images that are decoded whenever a batch needs them, for sets that are not cached."""

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli.data.base import Dataset, evenly_spaced
from gan_cli.data.images.arrays import to_float
from gan_cli.data.images.originals import Original, Tally, image_origins
from gan_cli.data.images.source import CorruptImage, ImageCollection
from gan_cli.data.images.transform import Transform
from gan_cli.errors import UserError
from gan_cli.types import Batch

CORRUPT, NOT_CHOSEN = "cannot be decoded", "more than max_samples"
"""Reasons for which images are passed over."""
HEADERS, DECODED = 256, 64
"""Number of evenly spaced images whose headers are read for the record of the data; the number if each has to be decoded."""


def processors() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class DecodedImages(Dataset):
    """Images that are read from their original files and decoded in every epoch.

    If an image cannot be decoded, the run ends or, with ``skip_corrupt``, the next image that can be decoded replaces it. The
    number of images and thus the order of the stream do not change. The skipped images are counted on stderr.

    Args:
        pictures: Images to decode.
        transform: Transform of each image.
        max_samples: Largest number of images, evenly spaced; None for all.
        workers: Number of decoding threads; None for one per CPU.
        skip_corrupt: Replace images that cannot be decoded.
        passed_over: Number of files that lie among the images and are not read, by the reason.
    """

    decodes = True

    def __init__(
        self,
        pictures: ImageCollection,
        transform: Transform,
        max_samples: int | None = None,
        workers: int | None = None,
        skip_corrupt: bool = False,
        passed_over: Mapping[str, int] | None = None,
    ):
        self.pictures, self.transform, self.skip_corrupt = pictures, transform, skip_corrupt
        self.passed_over = passed_over or {}
        self.chosen = evenly_spaced(len(pictures), max_samples).tolist()
        self.shape = transform.shape
        self.classes, self.class_names = pictures.classes, tuple(pictures.class_names)
        self.corrupt: set[int] = set()
        self._pool = ThreadPoolExecutor(workers or processors(), thread_name_prefix="decode")

    def __len__(self) -> int:
        return len(self.chosen)

    def known_labels(self) -> Tensor | None:
        return None if self.pictures.labels is None else torch.from_numpy(self.pictures.labels[self.chosen])

    def origins(self) -> Mapping[str, Any]:
        return self._origins

    @cached_property
    def _origins(self) -> Mapping[str, Any]:
        """The facts about some images: their headers tell size and mode."""
        header = self.pictures.header
        looked_at = evenly_spaced(len(self), DECODED if header is None else HEADERS).tolist()
        tally = Tally(self.transform)
        for index in (self.chosen[position] for position in looked_at):
            try:
                if header is None:
                    tally.add(self.pictures.array(index, Original.of))
                else:
                    with header(index) as image:
                        tally.add(Original.of(image))
            except Exception:
                continue  # the decoder reports corrupt images
        if not tally.images:
            return {}
        passed_over = {**self.passed_over, NOT_CHOSEN: len(self.pictures) - len(self)}
        counts = tally.counts()
        counts["images"] = len(self)
        return image_origins(counts, self.transform, passed_over, looked_at=tally.images)

    def batch(self, indices: Tensor) -> Batch:
        """Return x float32 ``[B, C, S, S]`` in [-1, 1] and y int64 ``[B]`` or None, for indices int64 ``[B]``.

        Raises:
            UserError: If an image cannot be decoded; with ``skip_corrupt`` only if none can.
        """
        arrays, sources = zip(*self._pool.map(self._decoded, indices.tolist()), strict=True)
        labels = self.pictures.labels
        y = None if labels is None else torch.from_numpy(labels[list(sources)])
        return Batch(to_float(np.stack(arrays)), y)

    def _decoded(self, position: int) -> tuple[np.ndarray, int]:
        """Return the image at ``position``, or the next one that can be decoded, and its index in ``pictures``."""
        for step in range(len(self)):
            index = self.chosen[(position + step) % len(self)]
            if index in self.corrupt:
                continue
            try:
                return self.pictures.array(index, self.transform), index
            except CorruptImage as error:
                if not self.skip_corrupt:
                    raise
                self._skip(index, error.name)
        raise UserError(f"None of the {len(self)} images can be decoded: {self.pictures.name(self.chosen[0])}, …")

    def _skip(self, index: int, name: str) -> None:
        self.corrupt.add(index)
        count = len(self.corrupt)
        if count & (count - 1) == 0:  # at 1, 2, 4, 8, …: thousands of lines would hide the run's own
            print(f"Skipped {name}, which cannot be decoded ({count} of {len(self)} so far)", file=sys.stderr)
