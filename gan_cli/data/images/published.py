"""Published sets of images, read by torchvision in their published layouts, and any folder of images.

Every function returns both parts as images ``[channels, size, size]`` in [-1, 1]; ``size``, ``channels`` (None: what
the images have) and ``fit`` are fields of :class:`~gan_cli.data.images.transform.Transform`, the remaining ones of
:class:`~gan_cli.data.images.reading.Reading`. ``root`` is the folder that torchvision calls root. All of them raise
``UserError`` where the set is missing or damaged.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torchvision import datasets

from gan_cli import checks
from gan_cli.data.base import Data
from gan_cli.data.images.folder import folder_source
from gan_cli.data.images.lsun import lsun_source
from gan_cli.data.images.reading import Reading, required_folder
from gan_cli.data.images.source import Pictures, Source, listing
from gan_cli.errors import FieldError, UserError


def mnist(
    root: str | None = None,
    download: bool = False,
    size: int = 32,
    channels: int | None = 1,
    fit: str = "pad",
    **reading: Any,
) -> Data:
    """MNIST (LeCun et al. 1998): 60 000 + 10 000 grey 28×28 digits of 10 classes in ``root/MNIST/raw``."""
    parts = _idx("mnist", datasets.MNIST, root, download)
    return Reading(**reading).data(*parts, size, channels, fit)


def fashion_mnist(
    root: str | None = None,
    download: bool = False,
    size: int = 32,
    channels: int | None = 1,
    fit: str = "pad",
    **reading: Any,
) -> Data:
    """Fashion-MNIST (Xiao et al. 2017): 60 000 + 10 000 grey 28×28 clothes, 10 classes, in ``root/FashionMNIST/raw``."""
    parts = _idx("fashion_mnist", datasets.FashionMNIST, root, download)
    return Reading(**reading).data(*parts, size, channels, fit)


def cifar10(
    root: str | None = None,
    download: bool = False,
    size: int = 32,
    channels: int | None = 3,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """CIFAR-10 (Krizhevsky 2009): 50 000 + 10 000 colour 32×32 images of 10 classes in ``root/cifar-10-batches-py``."""

    def opened(home: Path, part: str, download: bool) -> Pictures:
        images = datasets.CIFAR10(home.parent, train=part == "train", download=download)
        return Pictures(images, _numbered(home, part), np.asarray(images.targets, np.int64), classes=10)

    layout = "data_batch_1 … 5, test_batch and batches.meta"
    parts = _parts("cifar10", root, "cifar-10-batches-py", layout, opened, download, channels=3)
    return Reading(**reading).data(*parts, size, channels, fit)


def stl10(
    root: str | None = None,
    download: bool = False,
    split: str = "unlabeled",
    size: int = 64,
    channels: int | None = 3,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """STL-10 (Coates et al. 2011): colour 96×96 images in ``root/stl10_binary``, held out: its test part of 8 000.

    ``split`` is what is trained on: ``unlabeled`` (100 000), ``train`` (5 000, with labels of 10 classes) or
    ``train+unlabeled``. Labels exist for ``train`` only.
    """
    if split not in ("unlabeled", "train", "train+unlabeled"):
        raise FieldError("split", split, "it must be unlabeled, train or train+unlabeled.")
    labelled = split == "train"

    def opened(home: Path, part: str, download: bool) -> Pictures:
        images = datasets.STL10(home.parent, split="test" if part == "test" else split, download=download)
        name = _numbered(home, images.split)
        return Pictures(images, name, images.labels.astype(np.int64), 10) if labelled else Pictures(images, name)

    layout = "train_X.bin, train_y.bin, unlabeled_X.bin, test_X.bin and test_y.bin"
    parts = _parts("stl10", root, "stl10_binary", layout, opened, download, channels=3, identity=split)
    return Reading(**reading).data(*parts, size, channels, fit)


def celeba(
    root: str | None = None,
    download: bool = False,
    attribute: str | None = None,
    size: int = 64,
    channels: int | None = 3,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """CelebA (Liu et al. 2015), aligned: 162 770 + 19 962 (test) faces, 178×218, in ``root/celeba``.

    ``attribute``: the label is whether a face has this one of the 40 attributes (Smiling, Male, …); None: no labels.
    """

    def opened(home: Path, part: str, download: bool) -> Pictures:
        images = datasets.CelebA(home.parent, split=part, download=download)

        def name(index: int) -> str:
            return str(home / "img_align_celeba" / images.filename[index])

        if attribute is None:
            return Pictures(images, name)
        names = [word for word in images.attr_names if word]
        if attribute not in names:
            raise FieldError("attribute", attribute, f"it must be one of {', '.join(names)}.")
        return Pictures(images, name, images.attr[:, names.index(attribute)].numpy(), classes=2)

    layout = "img_align_celeba/ and the five lists list_attr_celeba.txt, list_eval_partition.txt, …"
    parts = _parts("celeba", root, "celeba", layout, opened, download, channels=3, identity=attribute)
    return Reading(**reading).data(*parts, size, channels, fit)


def lsun(
    root: str | None = None,
    category: str | Sequence[str] = "bedroom",
    size: int = 64,
    channels: int | None = 3,
    fit: str = "crop",
    **reading: Any,
) -> Data:
    """LSUN (Yu et al. 2015): the LMDBs ``root/<category>_train_lmdb`` and, held out, ``root/<category>_val_lmdb``.

    Bedrooms: 3 033 042 + 300 colour images, 256 pixels at their shorter side. Several categories are its classes. Where
    a ``val`` part is missing, some training images are held out.
    """
    several = isinstance(category, Sequence) and not isinstance(category, str)
    categories = [str(name) for name in (category if several else [category])]
    first = f"{categories[0]}_train_lmdb/data.mdb" if categories else "<category>_train_lmdb/data.mdb"
    folder = required_folder(root, "lsun", first)
    if not categories:
        raise UserError("dataset.category is empty: name at least one, as in dataset.category=bedroom.")
    train = lsun_source(folder, categories, "train")
    has_val = all((folder / f"{name}_val_lmdb").is_dir() for name in categories)
    val = lsun_source(folder, categories, "val") if has_val else None
    return Reading(**reading).data(train, val, size, channels, fit)


def image_folder(
    root: str | None = None, size: int = 64, channels: int | None = None, fit: str = "crop", **reading: Any
) -> Data:
    """All images below ``root``, of any sizes. Where each lies in one of several direct subfolders, these are classes."""
    folder = required_folder(root, "image_folder", "the images, in subfolders or not")
    return Reading(**reading).data(folder_source(folder), None, size, channels, fit)


def _idx(name: str, dataset: type[datasets.MNIST], root: str | None, download: bool) -> tuple[Source, Source]:
    """A set in MNIST's format."""

    def opened(home: Path, part: str, download: bool) -> Pictures:
        images = dataset(home.parents[1], train=part == "train", download=download)
        return Pictures(images, _numbered(home, part), images.targets.numpy(), classes=10)

    layout = "{train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte, unpacked"
    return _parts(name, root, f"{dataset.__name__}/raw", layout, opened, download, channels=1)


def _parts(
    name: str,
    root: str | None,
    folder: str,
    layout: str,
    opened: Callable[[Path, str, bool], Pictures],
    download: bool,
    channels: int,
    identity: str | None = None,
) -> tuple[Source, Source]:
    """Training and test part of a set that lies in ``root/folder``; ``opened(home, part, download)`` reads one."""
    checks.flag("download", download)
    home = required_folder(root, name, f"{folder}/ with {layout}", create=download) / folder
    if download:
        _checked(f"Cannot download {name} to {home.absolute()}", partial(opened, home, "train", True))
    files = listing(home) if home.is_dir() else []
    if not files:
        raise UserError(
            f"No {name} in {home.absolute()}: it should hold {layout}.\n"
            "dataset.root=DIR says where, dataset.download=true fetches it."
        )
    damaged = f"{name} in {home.absolute()} is incomplete or damaged: it should hold {layout}, as published"

    def source(part: str) -> Source:
        reads = partial(_checked, damaged, partial(opened, home, part, False))
        return Source(f"{name}-{part}", [part, identity, files], channels, reads)

    return source("train"), source("test")


def _checked(sentence: str, opened: Callable[[], Pictures]) -> Pictures:
    """What torchvision opens; whatever it raises becomes one line behind ``sentence``."""
    try:
        return opened()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{sentence}\n({' '.join(str(error).split())[:200] or type(error).__name__}).") from error


def _numbered(home: Path, part: str) -> Callable[[int], str]:
    return lambda index: f"{part} image {index} in {home}"
