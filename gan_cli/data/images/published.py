"""mnist, fashion_mnist, cifar10, stl10, celeba, lsun, image_folder: published data sets, and any folder of images.

torchvision reads the sets in their published layouts; ``root`` is the folder that torchvision calls root. Every function
returns both parts as images ``[channels, size, size]`` in [-1, 1]. ``size``, ``channels`` (None for those of the images) and
``fit`` are fields of :class:`~gan_cli.data.images.transform.Transform`; the remaining arguments are fields of
:class:`~gan_cli.data.images.reading.ImageReader`. All of them raise ``UserError`` if the set is missing or damaged or an
argument is out of its range.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torchvision import datasets

from gan_cli import checks
from gan_cli.config import suggestions
from gan_cli.data.base import Data
from gan_cli.data.images.listing import listing
from gan_cli.data.images.reading import ImageReader, required_folder
from gan_cli.data.images.source import ImageCollection, Source
from gan_cli.errors import FieldError, UserError


def mnist(
    root: str | None = None,
    download: bool = False,
    size: int = 32,
    channels: int | None = 1,
    fit: str = "pad",
    **reading: Any,
) -> Data:
    """Return MNIST (LeCun et al. 1998): 60 000 + 10 000 grey 28×28 digits of 10 classes, in ``root/MNIST/raw``.

    Args:
        root: Folder that holds the data set.
        download: Download the data set if it is missing.
        size: Side in pixels.
        channels: 1 or 3; None for 1.
        fit: ``pad`` or ``crop``.
        **reading: Fields of ``ImageReader``.
    """
    parts = _idx("mnist", datasets.MNIST, root, download)
    return ImageReader(**reading).data(*parts, size, channels, fit)


def fashion_mnist(
    root: str | None = None,
    download: bool = False,
    size: int = 32,
    channels: int | None = 1,
    fit: str = "pad",
    **reading: Any,
) -> Data:
    """Return Fashion-MNIST (Xiao et al. 2017): 60 000 + 10 000 grey 28×28 images, 10 classes, in ``root/FashionMNIST/raw``.

    Args:
        root: Folder that holds the data set.
        download: Download the data set if it is missing.
        size: Side in pixels.
        channels: 1 or 3; None for 1.
        fit: ``pad`` or ``crop``.
        **reading: Fields of ``ImageReader``.
    """
    parts = _idx("fashion_mnist", datasets.FashionMNIST, root, download)
    return ImageReader(**reading).data(*parts, size, channels, fit)


def cifar10(
    root: str | None = None,
    download: bool = False,
    size: int = 32,
    channels: int | None = 3,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """Return CIFAR-10 (Krizhevsky 2009): 50 000 + 10 000 colour 32×32 images, 10 classes, in ``root/cifar-10-batches-py``.

    Args:
        root: Folder that holds the data set.
        download: Download the data set if it is missing.
        size: Side in pixels.
        channels: 1 or 3; None for 3.
        fit: ``pad`` or ``crop``.
        **reading: Fields of ``ImageReader``.
    """

    def opened(home: Path, part: str, download: bool) -> ImageCollection:
        images = datasets.CIFAR10(home.parent, train=part == "train", download=download)
        labels = np.asarray(images.targets, np.int64)
        return ImageCollection(images, _numbered(home, part), labels, 10, _class_names(images))

    layout = "data_batch_1 … 5, test_batch and batches.meta"
    parts = _parts("cifar10", root, "cifar-10-batches-py", layout, opened, download, channels=3)
    return ImageReader(**reading).data(*parts, size, channels, fit)


def stl10(
    root: str | None = None,
    download: bool = False,
    split: str = "unlabeled",
    size: int = 64,
    channels: int | None = 3,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """Return STL-10 (Coates et al. 2011): colour 96×96 images in ``root/stl10_binary``; its test part of 8 000 is held out.

    Args:
        root: Folder that holds the data set.
        download: Download the data set if it is missing.
        split: Training part: ``unlabeled`` (100 000), ``train`` (5 000, with labels of 10 classes) or ``train+unlabeled``.
        size: Side in pixels.
        channels: 1 or 3; None for 3.
        fit: ``pad`` or ``crop``.
        **reading: Fields of ``ImageReader``.
    """
    if split not in ("unlabeled", "train", "train+unlabeled"):
        raise FieldError("split", split, "it must be unlabeled, train or train+unlabeled.")
    labelled = split == "train"

    def opened(home: Path, part: str, download: bool) -> ImageCollection:
        images = datasets.STL10(home.parent, split="test" if part == "test" else split, download=download)
        name = _numbered(home, images.split)
        if not labelled:
            return ImageCollection(images, name)
        return ImageCollection(images, name, images.labels.astype(np.int64), 10, _class_names(images))

    layout = "train_X.bin, train_y.bin, unlabeled_X.bin, test_X.bin and test_y.bin"
    parts = _parts("stl10", root, "stl10_binary", layout, opened, download, channels=3, identity=split)
    return ImageReader(**reading).data(*parts, size, channels, fit)


def celeba(
    root: str | None = None,
    download: bool = False,
    attribute: str | None = None,
    size: int = 64,
    channels: int | None = 3,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """Return CelebA (Liu et al. 2015), aligned: 162 770 training and 19 962 test faces of 178×218 pixels, in ``root/celeba``.

    Args:
        root: Folder that holds the data set.
        download: Download the data set if it is missing.
        attribute: One of the 40 attributes (Smiling, Male, …), whose absence or presence is the label; None for no labels.
        size: Side in pixels.
        channels: 1 or 3; None for 3.
        fit: ``pad`` or ``crop``.
        **reading: Fields of ``ImageReader``.
    """

    def opened(home: Path, part: str, download: bool) -> ImageCollection:
        images = datasets.CelebA(home.parent, split=part, download=download)

        def name(index: int) -> str:
            return str(home / "img_align_celeba" / images.filename[index])

        if attribute is None:
            return ImageCollection(images, name)
        names = [word for word in images.attr_names if word]
        if attribute not in names:
            meant = suggestions.meant(str(attribute), names)
            raise FieldError("attribute", attribute, f"it must be one of {', '.join(names)}.{meant}")
        present = images.attr[:, names.index(attribute)].numpy()
        return ImageCollection(images, name, present, 2, (f"not {attribute}", attribute))

    layout = "img_align_celeba/ and the five lists list_attr_celeba.txt, list_eval_partition.txt, …"
    parts = _parts("celeba", root, "celeba", layout, opened, download, channels=3, identity=attribute)
    return ImageReader(**reading).data(*parts, size, channels, fit)


def lsun(
    root: str | None = None,
    category: str | Sequence[str] = "bedroom",
    size: int = 64,
    channels: int | None = 3,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """Return LSUN (Yu et al. 2015): ``root/<category>_train_lmdb``, with ``root/<category>_val_lmdb`` held out.

    Bedrooms are 3 033 042 + 300 colour images with 256 pixels on the shorter side. If a ``val`` part is missing, some training
    images are held out.

    Args:
        root: Folder that holds the LMDBs.
        category: One category, or a list of several, which are then the classes.
        size: Side in pixels.
        channels: 1 or 3; None for 3.
        fit: ``pad`` or ``crop``.
        **reading: Fields of ``ImageReader``.
    """
    several = isinstance(category, Sequence) and not isinstance(category, str)
    categories = [str(name) for name in (category if several else [category])]
    first = f"{categories[0]}_train_lmdb/data.mdb" if categories else "<category>_train_lmdb/data.mdb"
    folder = required_folder(root, "lsun", f"{first}, as the script of https://github.com/fyu/lsun downloads it")
    checks.package("lmdb", "lsun", "dataset=lsun")
    from gan_cli.data.images.lsun import lsun_source  # lmdb is an optional package

    if not categories:
        raise UserError("dataset.category is empty: name at least one, as in dataset.category=bedroom.")
    train = lsun_source(folder, categories, "train")
    has_val = all((folder / f"{name}_val_lmdb").is_dir() for name in categories)
    val = lsun_source(folder, categories, "val") if has_val else None
    return ImageReader(**reading).data(train, val, size, channels, fit)


def image_folder(
    root: str | None = None, size: int = 64, channels: int | None = None, fit: str = "crop", **reading: Any
) -> Data:
    """Return all images below ``root``, of any size; if there are several direct subfolders, they are the classes.

    Images beside such subfolders are left out, with a warning.

    Args:
        root: Folder that holds the images.
        size: Side in pixels.
        channels: 1 or 3; None for 1 if all images are grey, otherwise 3.
        fit: ``pad`` or ``crop``.
        **reading: Fields of ``ImageReader``.
    """
    folder = required_folder(root, "image_folder", "the images, in subfolders or not")
    reader = ImageReader(**reading)
    return reader.data(reader.folder(folder, labelled=True), None, size, channels, fit)


def _idx(name: str, dataset: type[datasets.MNIST], root: str | None, download: bool) -> tuple[Source, Source]:
    """Return training and test part of a set in MNIST's format."""

    def opened(home: Path, part: str, download: bool) -> ImageCollection:
        images = dataset(home.parents[1], train=part == "train", download=download)
        return ImageCollection(images, _numbered(home, part), images.targets.numpy(), 10, _class_names(images))

    layout = "{train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte, unpacked"
    return _parts(name, root, f"{dataset.__name__}/raw", layout, opened, download, channels=1)


def _parts(
    name: str,
    root: str | None,
    folder: str,
    layout: str,
    opened: Callable[[Path, str, bool], ImageCollection],
    download: bool,
    channels: int,
    identity: str | None = None,
) -> tuple[Source, Source]:
    """Return training and test part of the set in ``root/folder``; ``opened(home, part, download)`` opens one of them."""
    checks.flag("download", download)
    home = required_folder(root, name, f"{folder}/ with {layout}", create=download) / folder
    if download:
        _checked(f"Cannot download {name} to {home.absolute()}", partial(opened, home, "train", True))
    files = listing(home) if home.is_dir() else []
    if not files:
        raise UserError(
            f"No {name} in {home.absolute()}, which should hold {layout}.\n"
            "Set dataset.root=DIR to the right folder, or dataset.download=true to download it."
        )
    damaged = f"{name} in {home.absolute()} is incomplete or damaged: it should hold {layout}, as published"

    def source(part: str) -> Source:
        reads = partial(_checked, damaged, partial(opened, home, part, False))
        return Source(f"{name}-{part}", [part, identity, files], channels, reads)

    return source("train"), source("test")


def _checked(sentence: str, opened: Callable[[], ImageCollection]) -> ImageCollection:
    """Call ``opened``, turning any exception of torchvision into a UserError with ``sentence`` as its first line."""
    try:
        return opened()
    except UserError:
        raise
    except Exception as error:
        said = re.sub(r"You can use download=True.*", "dataset.download=true downloads it", " ".join(str(error).split()))
        raise UserError(f"{sentence}\n({said[:200] or type(error).__name__}).") from error


def _class_names(images: Any) -> tuple[str, ...]:
    """Return torchvision's names of the ten classes, or none if the file that holds them is missing."""
    names = tuple(name.partition(" - ")[0] for name in getattr(images, "classes", ()))  # MNIST's are "0 - zero", ...
    return names if len(names) == 10 else ()


def _numbered(home: Path, part: str) -> Callable[[int], str]:
    return lambda index: f"{part} image {index} in {home}"
