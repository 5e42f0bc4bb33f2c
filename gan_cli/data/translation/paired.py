"""Paired tasks: x is the target and y the source that belongs to it.

Every function returns images in [-1, 1]; ``size``, ``channels`` and ``fit`` are fields of
:class:`~gan_cli.data.images.transform.Transform`, the remaining ones of :class:`~gan_cli.data.images.reading.Reading`.
"""

import colorsys
from typing import Any

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, DatasetWrapper
from gan_cli.data.images.fashion_mnist_mini import fashion_mnist_mini
from gan_cli.data.images.folder import folder_source
from gan_cli.data.images.published import image_folder
from gan_cli.data.images.reading import Reading, required_folder
from gan_cli.data.images.transform import SideBySide
from gan_cli.data.translation.degradations import LUMA, Degradation
from gan_cli.errors import FieldError, UserError
from gan_cli.types import Batch

DIRECTIONS = ("AtoB", "BtoA")


class Degraded(DatasetWrapper):
    """The images of another data set as targets, each with the source that ``source`` makes of it."""

    def __init__(self, whole: Dataset, source: Degradation):
        super().__init__(whole)
        self.degrade, self.classes, self.paired = source, 0, True
        self.source = tuple(source(torch.zeros(1, *whole.shape)).shape[1:])

    def batch(self, indices: Tensor) -> Batch:
        """x: the images at ``indices`` (int64 ``[B]``), y: what is left of each."""
        x = self.whole.batch(indices).x
        return Batch(x, self.degrade(x))


class Tinted(DatasetWrapper):
    """Labelled grey images in colour, each class in a hue of its own; the same luma in all hues, so that grey tells none.

    c_k = ½ + t(h_k − luma(h_k)) with h_k the k-th of K pure hues evenly around the circle and t = 0.56, the most that fits
    into [0, 1] for all of them: luma(c_k) = ½. A pixel of brightness g in [0, 1] becomes g c_k.
    """

    def __init__(self, whole: Dataset):
        super().__init__(whole)
        self.shape = (3, *whole.shape[1:])
        hues = torch.tensor([colorsys.hsv_to_rgb(k / whole.classes, 1, 1) for k in range(whole.classes)])
        self.colours = 0.5 + 0.56 * (hues - (hues @ torch.tensor(LUMA))[:, None])

    def batch(self, indices: Tensor) -> Batch:
        """The images at ``indices`` (int64 ``[B]``), ``[B, 3, S, S]``, and their labels."""
        x, y = self.whole.batch(indices)
        assert y is not None
        return Batch((x + 1) * self.colours[y][:, :, None, None] - 1, y)


class Halved(DatasetWrapper):
    """Images of A and B in one array: the first half of the channels is A, the source, the second B, the target."""

    def __init__(self, whole: Dataset):
        super().__init__(whole)
        channels, *sides = whole.shape
        self.shape = self.source = (channels // 2, *sides)
        self.classes, self.paired = 0, True

    def batch(self, indices: Tensor) -> Batch:
        """x: B, y: A of the pairs at ``indices`` (int64 ``[B]``)."""
        a, b = self.whole.batch(indices).x.chunk(2, dim=1)
        return Batch(b, a)


def degraded_bundled(
    source: Degradation, size: int = 32, fit: str = "pad", tint: bool = False, max_images: int | None = None
) -> Data:
    """The images that come with the package as targets, with the sources that ``source`` makes of them.

    ``tint``: in colour, see ``Tinted``; they are grey themselves.
    """
    checks.flag("tint", tint)
    data = fashion_mnist_mini(size, 1, fit, max_images)
    return Data(*(Degraded(Tinted(part) if tint else part, source) for part in (data.train, data.heldout)))


def degraded_folder(
    source: Degradation,
    root: str | None = None,
    size: int = 64,
    channels: int | None = 3,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """All images below ``root`` as targets, with the sources that ``source`` makes of them."""
    data = image_folder(root, size, channels, fit, **reading)
    return Data(*(Degraded(part, source) for part in (data.train, data.heldout)))


def side_by_side(
    root: str | None = None,
    direction: str = "AtoB",
    split: str | None = None,
    size: int = 256,
    channels: int | None = None,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """Pairs in one image each, A in its left half and B in its right (Isola et al., 2017), in ``root/train``.

    Held out is ``root/<split>``, val or test (None: val where there is one, else test); where there is neither, or with
    ``heldout``, a part of ``train``. ``direction``: AtoB, from A to B, or BtoA.

    Raises:
        UserError: if the folders are others, or an image holds no two halves side by side.
    """
    checked_direction(direction)
    home = required_folder(root, "side_by_side", "train/ and val/ or test/ with images A|B")
    if not (home / "train").is_dir():
        unpaired = (home / "trainA").is_dir()
        hint = "trainA/ is the layout of dataset=unpaired_folder." if unpaired else "It should hold train/ with images A|B."
        raise UserError(f"dataset.root: there is no folder {home.absolute() / 'train'}.\n{hint}")
    if split not in (None, "val", "test"):
        raise FieldError("split", split, "it must be val, test or null (val where there is one, else test).")
    if split is not None and not (home / split).is_dir():
        raise FieldError("split", split, f"there is no folder {home.absolute() / split}.")
    found = [name for name in ([split] if split else ["val", "test"]) if (home / name).is_dir()]
    train, *rest = (folder_source(home / name, f"side_by_side-{name}") for name in ["train", *found[:1]])
    transform = SideBySide(size, train.channels if channels is None else channels, fit)
    data = Reading(**reading).parts(train, rest[0] if rest else None, transform)
    pairs = Data(Halved(data.train), Halved(data.heldout))
    return pairs if direction == "AtoB" else pairs.swapped()


def checked_direction(direction: str) -> None:
    """UserError unless ``direction`` is one of the two."""
    if direction not in DIRECTIONS:
        raise FieldError("direction", direction, f"it must be {' or '.join(DIRECTIONS)}.")
