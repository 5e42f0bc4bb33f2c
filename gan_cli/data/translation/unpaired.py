"""Unpaired tasks: x is a sample of the target domain, y one of the source domain that was drawn independently of it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, DatasetWrapper, evenly
from gan_cli.data.images.fashion_mnist_mini import transformed, unpacked
from gan_cli.data.images.folder import folder_source
from gan_cli.data.images.reading import Reading, required_folder
from gan_cli.data.images.transform import Transform
from gan_cli.data.translation.paired import checked_direction
from gan_cli.errors import FieldError, UserError
from gan_cli.types import Batch

Rows = Callable[[torch.Generator], Tensor]


class Unpaired(Dataset):
    """Samples of ``targets`` as x, each with a sample of ``sources`` as y.

    An epoch shows every target once. The sources come in an order of their own: none twice before all have been shown, as
    far as an epoch goes.
    """

    def __init__(self, targets: Dataset, sources: Dataset):
        self.targets, self.sources = targets, sources
        self.shape, self.source, self.classes = targets.shape, sources.shape, 0
        self.decodes = targets.decodes or sources.decodes

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: Tensor) -> Batch:
        """The samples at ``indices``: rows of (target, source), int64 ``[B, 2]`` or, of ``epoch``, perhaps ``[B, 2, k]``.

        Of ``[B]`` each is both.
        """
        x, y = indices.unbind(1) if indices.ndim > 1 else (indices, indices % len(self.sources))
        return Batch(self.targets.batch(x).x, self.sources.batch(y).x)

    def order(self, random: torch.Generator) -> Tensor:
        """Rows of (target, source), int64 ``[len(self), 2]``."""
        return self._rows(self.targets.order, self.sources.order, random)

    def epoch(self, random: torch.Generator) -> Tensor:
        """Rows of (target, source), each with what changes it."""
        return self._rows(self.targets.epoch, self.sources.epoch, random)

    def _rows(self, targets: Rows, sources: Rows, random: torch.Generator) -> Tensor:
        x = targets(random)
        rounds = -(-len(x) // len(self.sources))
        y = torch.cat([sources(random) for _ in range(rounds)])
        return torch.stack([x, y[: len(x)]], dim=1)

    @property
    def size(self) -> int:
        """Samples of both domains together."""
        return len(self.targets) + len(self.sources)

    def swapped(self) -> "Unpaired":
        """From the targets to the sources."""
        return Unpaired(self.sources, self.targets)


class Inverted(DatasetWrapper):
    """The negatives of another data set's images: x -> −x."""

    def batch(self, indices: Tensor) -> Batch:
        """The negatives at ``indices`` (int64 ``[B]``)."""
        x, y = self.whole.batch(indices)
        return Batch(-x, y)


def unpaired_bundled(
    sources: Sequence[int],
    targets: Sequence[int],
    invert: bool = False,
    size: int = 32,
    fit: str = "pad",
    max_images: int | None = None,
) -> Data:
    """Classes of the images that come with the package as the two domains: 1 000 images of each class, and 200 held out.

    ``sources`` and ``targets``: which classes (0 to 9). A class that is in both is divided between them, every other image to
    each, so that no image is its own counterpart. ``invert``: the targets are negatives. ``max_images`` keeps at most that many
    of each domain and part.
    """
    checks.flag("invert", invert)
    if max_images is not None:
        checks.count("max_images", max_images)
    for name, classes in (("sources", sources), ("targets", targets)):
        known = isinstance(classes, list | tuple) and classes and all(isinstance(k, int) and 0 <= k < 10 for k in classes)
        if not known:
            raise FieldError(name, classes, "it must be a list of classes from 0 to 9, for instance [6].")
    transform = Transform(size, 1, fit)

    def domain(images: np.ndarray, labels: np.ndarray, classes: Sequence[int], others: Sequence[int], offset: int) -> Dataset:
        members = [np.flatnonzero(labels == k)[offset::2] if k in others else np.flatnonzero(labels == k) for k in classes]
        found = np.sort(np.concatenate(members))
        return transformed(images, labels, transform, found[evenly(len(found), max_images).numpy()])

    parts = []
    for part in unpacked():
        y, x = domain(*part, sources, targets, 0), domain(*part, targets, sources, 1)
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
    """Two folders of images, ``root/trainA`` and ``root/trainB``; held out are ``testA`` and ``testB``, or a part of each.

    ``direction``: AtoB, from A to B, or BtoA. Other fields: see :mod:`gan_cli.data.translation.paired`.

    Raises:
        UserError: if a folder is missing, or there is only one of testA and testB.
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

    def domain(letter: str) -> Data:
        train = folder_source(home / f"train{letter}", f"train{letter}")
        test = folder_source(home / f"test{letter}", f"test{letter}") if tests else None
        return Reading(**reading).data(train, test, size, channels, fit)

    a, b = domain("A"), domain("B")
    data = Data(Unpaired(b.train, a.train), Unpaired(b.heldout, a.heldout))
    return data if direction == "AtoB" else data.swapped()
