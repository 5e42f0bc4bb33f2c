"""The bundled images: a tenth of Fashion-MNIST (Xiao, Rasul & Vollgraf 2017, MIT licence)."""

import lzma
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from gan_cli import checks
from gan_cli.data.base import Data, evenly_spaced
from gan_cli.data.class_choice import data_of_classes
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.images.decoding import NOT_CHOSEN
from gan_cli.data.images.originals import Original, Tally, image_origins
from gan_cli.data.images.transform import Transform

FILE = Path(__file__).with_name("fashion_mnist_mini.npy.xz")
TRAIN, HELDOUT = 10_000, 2_000
CLASS_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def fashion_mnist_mini(
    size: int = 32,
    channels: int | None = 1,
    fit: str = "pad",
    max_samples: int | None = None,
    classes: Sequence[str | int] | None = None,
) -> Data:
    """Return 10 000 training and 2 000 held-out images of clothes: 28×28, grey, 10 classes of 1 000 and 200 images.

    Args:
        size: Side in pixels, see ``Transform``.
        channels: 1 or 3; None for 1.
        fit: ``pad`` or ``crop``, see ``Transform``.
        max_samples: Largest number of images of each part, evenly spaced; None for all.
        classes: Classes to keep, by name or number, in the order of their new labels; None for all.

    Raises:
        UserError: If an argument is out of its range.
    """
    if max_samples is not None:
        checks.count("max_samples", max_samples)
    transform = Transform(size, 1 if channels is None else channels, fit)

    def part(images: np.ndarray, labels: np.ndarray) -> ImageArray:
        chosen = evenly_spaced(len(images), max_samples).numpy()
        return transformed(images, labels, transform, chosen, {NOT_CHOSEN: len(images) - len(chosen)})

    return data_of_classes(Data(*(part(*both) for both in unpacked())), classes)


def unpacked() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield images uint8 ``[n, 28, 28]`` and labels int64 ``[n]`` of the training part, then of the held-out part."""
    with lzma.open(FILE, "rb") as file:
        images, labels = (np.load(file, allow_pickle=False) for _ in range(2))
    for part in (slice(TRAIN), slice(TRAIN, TRAIN + HELDOUT)):
        yield images[part], labels[part].astype(np.int64)


def transformed(
    images: np.ndarray, labels: np.ndarray, transform: Transform, chosen: np.ndarray, passed_over: Mapping[str, int]
) -> ImageArray:
    """Transform the images at the indices ``chosen``.

    Args:
        images: uint8 ``[n, 28, 28]``.
        labels: int64 ``[n]``.
        transform: Transform of each image.
        chosen: Indices int64 ``[m]``.
        passed_over: Number of the other images, by the reason why they were not chosen.
    """
    tally = Tally(transform)
    tally.add(Original(28, 28, "L"), len(chosen))
    origins = image_origins(tally.counts(), transform, passed_over)
    return ImageArray(transform.of_grey(images[chosen]), labels[chosen], len(CLASS_NAMES), CLASS_NAMES, origins)
