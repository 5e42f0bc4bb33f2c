"""colourisation, colourisation_folder, edges2clothes, facades, inpainting, side_by_side, super_resolution: paired tasks.

x is the target and y the source that belongs to it, both images in [-1, 1]. ``size``, ``channels`` and ``fit`` are fields of
:class:`~gan_cli.data.images.transform.Transform`; the remaining arguments are fields of
:class:`~gan_cli.data.images.reading.ImageReader`.
"""

import colorsys
from typing import Any

import torch
from torch import Tensor

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, DatasetWrapper
from gan_cli.data.content import Content
from gan_cli.data.images.fashion_mnist_mini import fashion_mnist_mini
from gan_cli.data.images.reading import ImageReader, common_channels, required_folder
from gan_cli.data.images.transform import SideBySide
from gan_cli.data.translation.degradations import LUMA, Degradation
from gan_cli.errors import FieldError, UserError
from gan_cli.types import Batch

DIRECTIONS = ("AtoB", "BtoA")


class Degraded(DatasetWrapper):
    """Another data set's images as targets, with sources made by a degradation.

    Args:
        dataset: The other data set.
        source: The degradation.
    """

    def __init__(self, dataset: Dataset, source: Degradation):
        super().__init__(dataset)
        self.degrade, self.classes, self.paired = source, 0, True
        self.source = tuple(source(torch.zeros(1, *dataset.shape)).shape[1:])

    def content(self) -> Content | None:
        """Return the content of the images that the pairs are made of."""
        return self.dataset.content()

    def batch(self, indices: Tensor) -> Batch:
        """Return targets x and sources y at ``indices`` (int64 ``[B]``)."""
        x = self.dataset.batch(indices).x
        return Batch(x, self.degrade(x))


class Tinted(DatasetWrapper):
    """Labelled grey images in colour: every class has its own hue, all of the same luma, so that grey reveals no class.

    c_k = ½ + t(h_k − luma(h_k)), with h_k the k-th of K pure hues, evenly spaced around the circle, and t = 0.56, the largest
    value for which all c_k lie in [0, 1]; luma(c_k) = ½. A pixel of brightness g in [0, 1] becomes g c_k.
    """

    def __init__(self, dataset: Dataset):
        super().__init__(dataset)
        self.shape = (3, *dataset.shape[1:])
        hues = torch.tensor([colorsys.hsv_to_rgb(k / dataset.classes, 1, 1) for k in range(dataset.classes)])
        self.colours = 0.5 + 0.56 * (hues - (hues @ torch.tensor(LUMA))[:, None])

    def content(self) -> Content | None:
        """Return the content of the grey images."""
        return self.dataset.content()

    def batch(self, indices: Tensor) -> Batch:
        """Return images ``[B, 3, S, S]`` and their labels at ``indices`` (int64 ``[B]``)."""
        x, y = self.dataset.batch(indices)
        assert y is not None
        return Batch((x + 1) * self.colours[y][:, :, None, None] - 1, y)


class Halved(DatasetWrapper):
    """Images whose first half of the channels is the source A and whose second half is the target B.

    Args:
        dataset: Data set of images ``[2 * C, S, S]``.
    """

    def __init__(self, dataset: Dataset):
        super().__init__(dataset)
        channels, *sides = dataset.shape
        self.shape = self.source = (channels // 2, *sides)
        self.classes, self.paired = 0, True

    def content(self) -> Content | None:
        """Return the content of the images that the pairs are made of."""
        return self.dataset.content()

    def batch(self, indices: Tensor) -> Batch:
        a, b = self.dataset.batch(indices).x.chunk(2, dim=1)
        return Batch(b, a)


def degraded_bundled(
    source: Degradation, size: int = 32, fit: str = "pad", tint: bool = False, max_samples: int | None = None
) -> Data:
    """Return the bundled images as targets, with sources made by a degradation.

    Args:
        source: The degradation.
        size: Side in pixels.
        fit: ``pad`` or ``crop``.
        tint: Colour the images, which are grey, by class, see ``Tinted``.
        max_samples: Largest number of images of each part; None for all.
    """
    checks.flag("tint", tint)
    data = fashion_mnist_mini(size, 1, fit, max_samples)
    return Data(*(Degraded(Tinted(part) if tint else part, source) for part in (data.train, data.heldout)))


def degraded_folder(
    source: Degradation,
    root: str | None = None,
    size: int = 64,
    channels: int | None = 3,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """Return all images below ``root`` as targets, with sources made by a degradation.

    Args:
        source: The degradation.
        root: Folder that holds the images.
        size: Side in pixels.
        channels: 1 or 3; None for those of the images.
        fit: ``pad`` or ``crop``.
        **reading: Fields of ``ImageReader``.
    """
    folder = required_folder(root, "colourisation_folder", "the images, in subfolders or not")
    reader = ImageReader(**reading)
    data = reader.data(reader.folder(folder), None, size, channels, fit)
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
    """Return pairs of images A and B, stored as the left and right halves of images in ``root/train`` (Isola et al., 2017).

    The held-out part is ``root/<split>``. If that does not exist, or with ``heldout``, it is a part of ``train``.

    Args:
        root: Folder that holds ``train``.
        direction: ``AtoB`` or ``BtoA``.
        split: ``val`` or ``test``; None for ``val`` if it exists, otherwise ``test``.
        size: Side in pixels.
        channels: 1 or 3; None for those of the images.
        fit: ``pad`` or ``crop``.
        **reading: Fields of ``ImageReader``.

    Raises:
        UserError: If a folder is missing, or an image does not hold two halves side by side.
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
    tests = [name for name in ([split] if split else ["val", "test"]) if (home / name).is_dir()]
    reader = ImageReader(**reading)
    train, *rest = (reader.folder(home / name, f"side_by_side-{name}") for name in ["train", *tests[:1]])
    transform = SideBySide(size, common_channels(channels, train, *rest), fit, reader.limits)
    data = reader.parts(train, rest[0] if rest else None, transform)
    pairs = Data(Halved(data.train), Halved(data.heldout))
    return pairs if direction == "AtoB" else pairs.swapped()


def checked_direction(direction: str) -> None:
    """Check that ``direction`` is AtoB or BtoA.

    Raises:
        UserError: If it is neither.
    """
    if direction not in DIRECTIONS:
        raise FieldError("direction", direction, f"it must be {' or '.join(DIRECTIONS)}.")
