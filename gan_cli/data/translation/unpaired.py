"""shirts2inverted, trouser2dress, unpaired_folder: unpaired tasks.

x is a sample of the target domain, and y is an independently drawn sample of the source domain.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, DatasetWrapper, evenly_spaced
from gan_cli.data.classes import labels_of
from gan_cli.data.content import Content
from gan_cli.data.images.decoding import NOT_CHOSEN
from gan_cli.data.images.fashion_mnist_mini import CLASS_NAMES, transformed, unpacked
from gan_cli.data.images.reading import ImageReader, required_folder
from gan_cli.data.images.transform import Transform
from gan_cli.data.translation.paired import checked_direction
from gan_cli.errors import UserError
from gan_cli.types import Batch

Rows = Callable[[torch.Generator], Tensor]


class Unpaired(Dataset):
    """Samples of ``targets`` as x, each with an independently drawn sample of ``sources`` as y.

    An epoch contains every target once. The sources have a random order of their own, in which none repeats before all of them
    have occurred.
    """

    def __init__(self, targets: Dataset, sources: Dataset):
        self.targets, self.sources = targets, sources
        self.shape, self.source, self.classes = targets.shape, sources.shape, 0
        self.decodes = targets.decodes or sources.decodes

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: Tensor) -> Batch:
        """Return the samples at rows of (target, source): int64 ``[B, 2]``, or ``[B, 2, k]`` from ``epoch``.

        Indices ``[B]`` are used for both.
        """
        x, y = indices.unbind(1) if indices.ndim > 1 else (indices, indices % len(self.sources))
        return Batch(self.targets.batch(x).x, self.sources.batch(y).x)

    def origins(self) -> Mapping[str, Any]:
        return self.targets.origins()

    def content(self) -> Content | None:
        return self.targets.content()

    def order(self, random: torch.Generator) -> Tensor:
        """Draw rows of (target, source), int64 ``[len(self), 2]``."""
        return self._rows(self.targets.order, self.sources.order, random)

    def epoch(self, random: torch.Generator) -> Tensor:
        """Draw rows of (target, source), with more columns for random changes of the samples."""
        return self._rows(self.targets.epoch, self.sources.epoch, random)

    def _rows(self, targets: Rows, sources: Rows, random: torch.Generator) -> Tensor:
        x = targets(random)
        rounds = -(-len(x) // len(self.sources))
        y = torch.cat([sources(random) for _ in range(rounds)])
        return torch.stack([x, y[: len(x)]], dim=1)

    @property
    def size(self) -> int:
        """Number of samples of both domains."""
        return len(self.targets) + len(self.sources)

    def swapped(self) -> "Unpaired":
        """Return the data set of the inverse direction, from the targets to the sources."""
        return Unpaired(self.sources, self.targets)


class Inverted(DatasetWrapper):
    """Negatives of another data set's images: x -> −x."""

    def content(self) -> Content | None:
        """Return the content of the images themselves."""
        return self.dataset.content()

    def batch(self, indices: Tensor) -> Batch:
        x, y = self.dataset.batch(indices)
        return Batch(-x, y)


def unpaired_bundled(
    sources: Sequence[int | str],
    targets: Sequence[int | str],
    invert: bool = False,
    size: int = 32,
    fit: str = "pad",
    max_samples: int | None = None,
) -> Data:
    """Return classes of the bundled images as domains: 1 000 training and 200 held-out images of each class.

    A class in both domains is divided between them, every other image to each, so that no image is its own counterpart.

    Args:
        sources: Classes of the source domain, by name or by number from 0 to 9.
        targets: Classes of the target domain.
        invert: Use the negatives of the targets.
        size: Side in pixels.
        fit: ``pad`` or ``crop``.
        max_samples: Largest number of images of each domain and part; None for all.

    Raises:
        UserError: If an argument is out of its range.
    """
    checks.flag("invert", invert)
    if max_samples is not None:
        checks.count("max_samples", max_samples)
    a, b = (set(labels_of(words, CLASS_NAMES, 10, field)) for field, words in (("sources", sources), ("targets", targets)))
    transform = Transform(size, 1, fit)

    def domain(images: np.ndarray, labels: np.ndarray, classes: set[int], others: set[int], offset: int) -> Dataset:
        members = [
            np.flatnonzero(labels == k)[offset::2] if k in others else np.flatnonzero(labels == k) for k in sorted(classes)
        ]
        indices = np.sort(np.concatenate(members))
        chosen = indices[evenly_spaced(len(indices), max_samples).numpy()]
        passed_over = {"of no class of the domain": len(images) - len(indices), NOT_CHOSEN: len(indices) - len(chosen)}
        return transformed(images, labels, transform, chosen, passed_over)

    parts = []
    for part in unpacked():
        y, x = domain(*part, a, b, 0), domain(*part, b, a, 1)
        parts.append(Unpaired(Inverted(x) if invert else x, y))
    return Data(*parts)


def unpaired_folder(
    root: str | None = None,
    direction: str = "AtoB",
    size: int = 256,
    channels: int | None = None,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """Return the images in ``root/trainA`` and ``root/trainB`` as domains, with ``testA`` and ``testB`` held out.

    Without ``testA`` and ``testB``, a part of each domain is held out.

    Args:
        root: Folder that holds ``trainA`` and ``trainB``.
        direction: ``AtoB`` or ``BtoA``.
        size: Side in pixels.
        channels: 1 or 3; None for those of the images.
        fit: ``pad`` or ``crop``.
        **reading: Fields of ``ImageReader``.

    Raises:
        UserError: If a folder is missing, or only one of testA and testB exists.
    """
    checked_direction(direction)
    home = required_folder(root, "unpaired_folder", "trainA/ and trainB/, and perhaps testA/ and testB/")
    for name in ("trainA", "trainB"):
        if not (home / name).is_dir():
            paired = (home / "train").is_dir()
            hint = "train/ is the layout of dataset=side_by_side." if paired else "It should hold trainA/ and trainB/."
            raise UserError(f"dataset.root: there is no folder {home.absolute() / name}.\n{hint}")
    tests = [name for name in ("testA", "testB") if (home / name).is_dir()]
    if len(tests) == 1:
        raise UserError(f"dataset.root: {home.absolute()} holds {tests[0]}/ alone; testA/ and testB/ belong together.")

    reader = ImageReader(**reading)

    def domain(letter: str) -> Data:
        train = reader.folder(home / f"train{letter}", f"train{letter}")
        test = reader.folder(home / f"test{letter}", f"test{letter}") if tests else None
        return reader.data(train, test, size, channels, fit)

    a, b = domain("A"), domain("B")
    data = Data(Unpaired(b.train, a.train), Unpaired(b.heldout, a.heldout))
    return data if direction == "AtoB" else data.swapped()
