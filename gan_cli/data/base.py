"""What a data set is: samples that are read by index, in a part to train on and a part held out."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_cli.types import Batch


class Dataset(ABC):
    """A finite set of samples that is read by index.

    ``shape``: shape of one sample, ``(C, H, W)`` for images in [-1, 1], ``(d,)`` for points.
    ``classes``: number of labels; 0 where there are none.
    ``decodes``: whether a batch costs decoding, so that reading ahead pays.
    """

    shape: tuple[int, ...]
    classes: int
    decodes: bool = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, indices: Tensor) -> Batch:
        """The samples at ``indices`` (int64 ``[B]``), float32 on the CPU, in the order of the indices."""


class Subset(Dataset):
    """The samples of another data set at ``indices`` (int64 ``[n]``)."""

    def __init__(self, whole: Dataset, indices: Tensor):
        self.whole, self.indices = whole, indices
        self.shape, self.classes, self.decodes = whole.shape, whole.classes, whole.decodes

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices: Tensor) -> Batch:
        """The samples at ``indices`` (int64 ``[B]``) of this part."""
        return self.whole.batch(self.indices[indices])


@dataclass(frozen=True)
class Data:
    """A data set's two parts: what is trained on, and what no player ever sees."""

    train: Dataset
    heldout: Dataset

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.train.shape

    @property
    def classes(self) -> int:
        """Number of labels; 0 where there are none."""
        return self.train.classes


def generator(*words: int | str) -> torch.Generator:
    """A CPU generator of its own, the same for the same words and unrelated for others.

    The words are hashed because torch's CPU generator keeps 32 bits of its seed: sums of small numbers would collide.
    """
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))


def evenly(n: int, limit: int | None) -> Tensor:
    """Indices (int64) of at most ``limit`` of ``n`` samples, evenly spaced: sorted classes keep their shares."""
    count = n if limit is None else min(n, limit)
    return torch.arange(count) * n // max(count, 1)
