"""Content of a data set: a hash of each sample, and the range of the values."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gan_cli.activity import counted
from gan_cli.types import Batch

MOST_BYTES, MOST_SAMPLES = 2**27, 2**20
"""Largest size and number of samples that are read at the start of a run only to be hashed."""
CHUNK = 2**24
"""Number of bytes of samples in memory at a time."""


class Content(NamedTuple):
    """Hashes and range of a set of samples.

    Attributes:
        digests: Hash of each sample without its label, uint64 ``[n]``; samples of equal bytes have equal hashes.
        low: Smallest value of all samples.
        high: Largest value of all samples.
        labels: Labels int64 ``[n]``; None without labels.
    """

    digests: np.ndarray
    low: float
    high: float
    labels: np.ndarray | None = None

    def at(self, indices: np.ndarray) -> "Content":
        """Return the content of the samples at ``indices``, with the range of all of them."""
        labels = None if self.labels is None else self.labels[indices]
        return self._replace(digests=self.digests[indices], labels=labels)


def is_small(samples: int, shape: tuple[int, ...], item_size: int) -> bool:
    """Return whether so many samples of this shape may be read only to be hashed."""
    return samples <= MOST_SAMPLES and samples * int(np.prod(shape)) * item_size <= MOST_BYTES


def digest(sample: bytes) -> bytes:
    """Return the hash of one sample, 8 bytes."""
    return hashlib.blake2b(sample, digest_size=8).digest()


def digests(samples: np.ndarray) -> np.ndarray:
    """Return the hash of each of ``samples`` ``[n, ...]``, uint64 ``[n]``; samples of up to 8 bytes are their own hash."""
    rows = np.ascontiguousarray(samples).reshape(len(samples), -1).view(np.uint8)
    if rows.shape[1] <= 8:
        return np.pad(rows, ((0, 0), (0, 8 - rows.shape[1]))).view("<u8")[:, 0]
    return np.frombuffer(b"".join(map(digest, rows)), "<u8")  # type: ignore[arg-type]  # an array is a buffer


def read_content(batch: Callable[[Tensor], Batch], rows: Tensor, labelled: bool) -> Content:
    """Read samples in chunks and return their content.

    Args:
        batch: Function that reads rows of indices.
        rows: The rows, at least one.
        labelled: True if ``y`` holds labels.
    """
    first = batch(rows[:1]).x
    step = max(1, CHUNK // max(1, first.numel() * first.element_size()))
    hashes, ranges, labels = [], [first.aminmax()], []
    for chunk in counted("reading all samples", rows.split(step)):
        x, y = batch(chunk)
        hashes.append(digests(x.numpy()))
        ranges.append(x.aminmax())
        if labelled and y is not None:
            labels.append(y.numpy())
    low, high = (torch.stack(side) for side in zip(*ranges, strict=True))
    return Content(np.concatenate(hashes), float(low.min()), float(high.max()), np.concatenate(labels) if labels else None)
