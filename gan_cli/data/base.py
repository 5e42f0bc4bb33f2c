"""What a data set is: samples that are read by index, in a part to train on and a part held out."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from gan_cli.data.scaling import Series
from gan_cli.errors import UserError
from gan_cli.types import Batch

SIGNED, SIGNED_DECODED = 1024, 64
"""Samples of either part that a signature looks at, and where each of them has to be decoded."""
NEAR = 2e-3
"""Of two signatures: more than two machines differ in decoding one image or rounding one logarithm."""


class Dataset(ABC):
    """A finite set of samples that is read by index.

    ``shape``: shape of one sample, ``(C, H, W)`` for images in [-1, 1], ``(d,)`` for points, ``(T, F)`` for sequences of T
    steps of F features, in [0, 1] where they were scaled.
    ``classes``: number of labels; 0 where there are none.
    ``decodes``: whether a batch costs decoding, so that reading ahead pays.
    ``source``: shape of one ``y`` where that is not a label but what shall be translated into a sample; None elsewhere.
    ``paired``: whether such a ``y`` belongs to its ``x``, or is drawn independently of it.
    """

    shape: tuple[int, ...]
    classes: int
    decodes: bool = False
    source: tuple[int, ...] | None = None
    paired: bool = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, indices: Tensor) -> Batch:
        """The samples at ``indices``, in their order: int64 ``[B]``, or rows of ``order`` or ``epoch``; float32 on the CPU."""

    def order(self, random: torch.Generator) -> Tensor:
        """Every sample once in an order drawn from ``random``: a row of indices for each, int64 ``[len(self)]``.

        ``[len(self), k]`` where k indices, drawn independently, make up one sample.
        """
        return torch.randperm(len(self), generator=random)

    def epoch(self, random: torch.Generator) -> Tensor:
        """What training reads in one epoch: rows of ``order``, and in columns of their own what changes a sample each time."""
        return self.order(random)

    @property
    def size(self) -> int:
        """How many samples decide what an index means; a stream goes on only where they are as many as before."""
        return len(self)

    def swapped(self) -> "Dataset":
        """The same for the way back: x is translated into y."""
        return Swapped(self)

    def signature(self) -> Tensor:
        """float32 ``[k]``: how many samples, and the means of some of them and of their labels or sources."""
        some = self.order(generator("signature"))[: SIGNED_DECODED if self.decodes else SIGNED]
        parts = [part.flatten(1).float() if part.ndim > 1 else part.float()[:, None] for part in self._read(some)]
        return torch.cat([torch.tensor([float(self.size)]), *(part.mean(1) for part in parts)])

    def _read(self, indices: Tensor) -> list[Tensor]:
        return [part for part in self.batch(indices) if part is not None] if len(indices) else []


class Subset(Dataset):
    """The samples of another data set at ``indices`` (int64 ``[n]``)."""

    def __init__(self, whole: Dataset, indices: Tensor):
        self.whole, self.indices = whole, indices
        self.shape, self.classes, self.decodes = whole.shape, whole.classes, whole.decodes
        self.source, self.paired = whole.source, whole.paired

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices: Tensor) -> Batch:
        """The samples at ``indices`` (int64 ``[B]``) of this part."""
        return self.whole.batch(self.indices[indices])


class DatasetWrapper(Dataset):
    """Another data set, ``whole``, in its order; what ``batch`` makes of its samples is all that differs."""

    def __init__(self, whole: Dataset):
        self.whole, self.shape, self.classes, self.decodes = whole, whole.shape, whole.classes, whole.decodes
        self.source, self.paired = whole.source, whole.paired

    def __len__(self) -> int:
        return len(self.whole)

    def order(self, random: torch.Generator) -> Tensor:
        """The other data set's."""
        return self.whole.order(random)

    def epoch(self, random: torch.Generator) -> Tensor:
        """The other data set's."""
        return self.whole.epoch(random)

    @property
    def size(self) -> int:
        """The other data set's."""
        return self.whole.size


class Swapped(DatasetWrapper):
    """Another data set's sources as samples, and its samples as their sources.

    Raises:
        UserError: if it has no sources.
    """

    def __init__(self, whole: Dataset):
        if whole.source is None:
            raise UserError("there is no way back: this data set's samples are not translated from anything.")
        super().__init__(whole)
        self.shape, self.source, self.classes = whole.source, whole.shape, 0

    def batch(self, indices: Tensor) -> Batch:
        """x and y of the other data set's batch in each other's place."""
        x, y = self.whole.batch(indices)
        assert y is not None
        return Batch(y, x)


@dataclass(frozen=True)
class Data:
    """A data set's two parts: what is trained on, and what no player ever sees.

    ``series``: of sequences, what their features are and how they come back in their own units; None where nothing is known.
    """

    train: Dataset
    heldout: Dataset
    series: Series | None = field(default=None, kw_only=True)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.train.shape

    @property
    def classes(self) -> int:
        """Number of labels; 0 where there are none."""
        return self.train.classes

    @property
    def source(self) -> tuple[int, ...] | None:
        """Shape of what shall be translated into a sample; None where samples are not translated from anything."""
        return self.train.source

    @property
    def paired(self) -> bool:
        """Whether each source belongs to its sample."""
        return self.train.paired

    @cached_property
    def signature(self) -> Tensor:
        """Both parts' ``signature``."""
        return torch.cat([self.train.signature(), self.heldout.signature()])

    def plain(self) -> dict[str, Any]:
        """What it is, as a checkpoint keeps it."""
        return {
            "shape": list(self.shape),
            "classes": self.classes,
            "source": None if self.source is None else list(self.source),
            "series": None if self.series is None else self.series.plain(),
            "signature": self.signature,
        }

    def agrees(self, plain: Mapping[str, Any]) -> bool:
        """Whether it is, as far as its signature tells, the data that ``plain`` was taken of."""
        then = None if plain["series"] is None else Series.of(plain["series"])
        same = self.series.agrees(then) if self.series is not None and then is not None else self.series is then
        mine, its = self.signature, plain["signature"]
        return same and mine.shape == its.shape and torch.allclose(mine, its, rtol=NEAR, atol=NEAR)

    def swapped(self) -> "Data":
        """The same for the way back: samples are translated into sources."""
        return Data(self.train.swapped(), self.heldout.swapped())


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
