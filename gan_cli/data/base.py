"""Interface of a data set: samples that are read by index, with a training part and a held-out part."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from gan_cli.contracts import BATCH, PLAIN, Contract
from gan_cli.data.content import Content, is_small, read_content
from gan_cli.data.scaling import Series
from gan_cli.errors import UserError
from gan_cli.types import Batch

SIGNATURE_SAMPLES, SIGNATURE_SAMPLES_DECODED = 1024, 64
"""Number of samples of each part in a signature, and the number if each of them has to be decoded."""
SIGNATURE_TOLERANCE = 2e-3
"""Tolerance between two signatures: above what two machines differ by in decoding an image or rounding a logarithm."""


class Dataset(Contract, ABC):
    """A finite set of samples that is read by index.

    Attributes:
        shape: Shape of one sample: ``(C, H, W)`` of images in [-1, 1], ``(d,)`` of points, ``(T, F)`` of sequences of T steps
            with F features, in [0, 1] if they are scaled.
        classes: Number of labels; 0 without labels.
        class_names: Names of the classes; empty if they have none.
        decodes: True if a batch has to be decoded, so that reading ahead pays.
        source: Shape of one ``y`` if it is a source that is translated into a sample; None otherwise.
        paired: True if such a ``y`` belongs to its ``x``, False if it is drawn independently of it.
        unlimited: True if the data set has no samples and fills a batch of any size with placeholders.
    """

    contract: ClassVar = {"batch": BATCH, "origins": PLAIN}
    shape: tuple[int, ...]
    classes: int
    class_names: tuple[str, ...] = ()
    decodes: bool = False
    source: tuple[int, ...] | None = None
    paired: bool = False
    unlimited: bool = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, indices: Tensor) -> Batch:
        """Read samples in the order of ``indices``.

        Args:
            indices: Indices int64 ``[B]``, or rows of ``order`` or ``epoch``.

        Returns:
            The batch, float32 on the CPU.
        """

    def order(self, random: torch.Generator) -> Tensor:
        """Draw a random order of all samples.

        Returns:
            One row of indices per sample: int64 ``[len(self)]``, or ``[len(self), k]`` if k independently drawn indices make up
            one sample.
        """
        return torch.randperm(len(self), generator=random)

    def draw_rows(self, n: int, random: torch.Generator) -> Tensor:
        """Draw ``n`` rows of ``order``, or all of them if there are fewer."""
        return torch.arange(n) if self.unlimited else self.order(random)[:n]

    def epoch(self, random: torch.Generator) -> Tensor:
        """Draw the rows of one training epoch: those of ``order``, with more columns for random changes of the samples."""
        return self.order(random)

    def known_labels(self) -> Tensor | None:
        """Return the labels of all samples, int64 ``[len(self)]``, or None if only reading the samples would tell."""
        return None

    def origins(self) -> Mapping[str, Any]:
        """Return facts about the samples before they were transformed, which the record of the data holds.

        They are plain data, by default none. Parts that were cut from one set return the same object, which describes the
        whole set.
        """
        return {}

    def content(self) -> Content | None:
        """Return hashes and range of all samples, or None if reading all of them would take long."""
        if self.decodes or not len(self) or not is_small(len(self), self.shape, 4):
            return None
        rows = self.order(seeded_generator("record"))
        return read_content(self.batch, rows if rows.ndim > 1 else torch.arange(len(self)), self.classes > 0)

    @property
    def size(self) -> int:
        """Number of samples that determines the meaning of an index; a stream resumes only if it has not changed."""
        return len(self)

    def swapped(self) -> "Dataset":
        """Return the data set of the inverse translation, from x to y."""
        return Swapped(self)

    def signature(self) -> Tensor:
        """Return float32 ``[k]``: the number of samples, and the means of some of them and of their labels or sources."""
        count = SIGNATURE_SAMPLES_DECODED if self.decodes else SIGNATURE_SAMPLES
        some = self.order(seeded_generator("signature"))[:count]
        parts = [part.flatten(1).float() if part.ndim > 1 else part.float()[:, None] for part in self._read(some)]
        return torch.cat([torch.tensor([float(self.size)]), *(part.mean(1) for part in parts)])

    def _read(self, indices: Tensor) -> list[Tensor]:
        return [part for part in self.batch(indices) if part is not None] if len(indices) else []


class Subset(Dataset):
    """The samples of another data set at given indices.

    Args:
        dataset: The other data set.
        indices: Indices int64 ``[n]``.
    """

    def __init__(self, dataset: Dataset, indices: Tensor):
        self.dataset, self.indices = dataset, indices
        self.shape, self.classes, self.decodes = dataset.shape, dataset.classes, dataset.decodes
        self.source, self.paired, self.class_names = dataset.source, dataset.paired, dataset.class_names

    def __len__(self) -> int:
        return len(self.indices)

    def known_labels(self) -> Tensor | None:
        labels = self.dataset.known_labels()
        return None if labels is None else labels[self.indices]

    def origins(self) -> Mapping[str, Any]:
        return self.dataset.origins()

    def content(self) -> Content | None:
        whole = self.dataset.content()
        return None if whole is None else whole.at(self.indices.numpy())

    def batch(self, indices: Tensor) -> Batch:
        return self.dataset.batch(self.indices[indices])


class DatasetWrapper(Dataset):
    """Base of data sets that change the samples of another one and keep its order.

    Args:
        dataset: The other data set.
    """

    def __init__(self, dataset: Dataset):
        self.dataset, self.shape, self.classes, self.decodes = dataset, dataset.shape, dataset.classes, dataset.decodes
        self.source, self.paired, self.class_names = dataset.source, dataset.paired, dataset.class_names

    def __len__(self) -> int:
        return len(self.dataset)

    def known_labels(self) -> Tensor | None:
        return self.dataset.known_labels()

    def origins(self) -> Mapping[str, Any]:
        return self.dataset.origins()

    def order(self, random: torch.Generator) -> Tensor:
        return self.dataset.order(random)

    def epoch(self, random: torch.Generator) -> Tensor:
        return self.dataset.epoch(random)

    @property
    def size(self) -> int:
        return self.dataset.size


class Swapped(DatasetWrapper):
    """Another data set's sources as samples, and its samples as their sources.

    Raises:
        UserError: If the other data set has no sources.
    """

    def __init__(self, dataset: Dataset):
        if dataset.source is None:
            raise UserError("this data set has no inverse direction: its samples are not translated from sources.")
        super().__init__(dataset)
        self.shape, self.source, self.classes = dataset.source, dataset.shape, 0

    def origins(self) -> Mapping[str, Any]:
        return self.dataset.origins() if self.paired else {}

    def content(self) -> Content | None:
        return self.dataset.content() if self.paired else super().content()

    def batch(self, indices: Tensor) -> Batch:
        x, y = self.dataset.batch(indices)
        assert y is not None
        return Batch(y, x)


@dataclass(frozen=True)
class Data:
    """The two parts of a data set: the training part, and the held-out part that no player ever sees.

    Attributes:
        train: Training part.
        heldout: Held-out part; empty if nothing is held out.
        series: Metadata of sequences: features, units and protocol. None if nothing is known.
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
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; empty if they have none."""
        return self.train.class_names if self.classes else ()

    @property
    def holds_out(self) -> bool:
        """True if there is a held-out part."""
        return len(self.heldout) > 0 or self.heldout.unlimited

    @property
    def shown(self) -> Dataset:
        """The part whose samples are shown and compared with: the held-out one, or the training part if nothing is held out."""
        return self.heldout if self.holds_out else self.train

    @property
    def source(self) -> tuple[int, ...] | None:
        """Shape of a source that is translated into a sample; None without sources."""
        return self.train.source

    @property
    def paired(self) -> bool:
        """True if each source belongs to its sample."""
        return self.train.paired

    @cached_property
    def signature(self) -> Tensor:
        """Concatenated signatures of both parts."""
        return torch.cat([self.train.signature(), self.heldout.signature()])

    def to_dict(self) -> dict[str, Any]:
        """Return the description of the data that checkpoints keep."""
        return {
            "shape": list(self.shape),
            "classes": self.classes,
            "class_names": list(self.class_names),
            "class_counts": None if (y := self.train.known_labels()) is None else y.bincount(minlength=self.classes).tolist(),
            "source": None if self.source is None else list(self.source),
            "series": None if self.series is None else self.series.to_dict(),
            "signature": self.signature,
        }

    def matches(self, description: Mapping[str, Any]) -> bool:
        """Return whether the description was made from this data, as far as its signature can tell."""
        series = None if description["series"] is None else Series.from_dict(description["series"])
        same = self.series.matches(series) if self.series is not None and series is not None else self.series is series
        a, b = self.signature, description["signature"]
        same = same and (a.shape, a.dtype, a.layout) == (b.shape, b.dtype, b.layout)
        return same and torch.allclose(a, b, rtol=SIGNATURE_TOLERANCE, atol=SIGNATURE_TOLERANCE)

    def swapped(self) -> "Data":
        """Return the data of the inverse translation, from samples to sources."""
        return Data(self.train.swapped(), self.heldout.swapped())


def seeded_generator(*words: int | str) -> torch.Generator:
    """Return a CPU generator that is seeded by ``words``: equal words give the same stream, other words an unrelated one.

    The words are hashed because torch's CPU generator keeps only 32 bits of its seed, so that sums of small numbers would
    collide.
    """
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))


def evenly_spaced(n: int, limit: int | None) -> Tensor:
    """Return evenly spaced indices (int64) of at most ``limit`` of ``n`` samples; sorted classes keep their proportions."""
    count = n if limit is None else min(n, limit)
    return torch.arange(count) * n // max(count, 1)
