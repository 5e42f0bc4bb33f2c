"""Reader of image sets: cached or decoded on the fly, with a part held out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from gan_cli import checks
from gan_cli.data.base import Data, Dataset
from gan_cli.data.class_choice import of_classes
from gan_cli.data.images.cache import ImageCache, default_folder
from gan_cli.data.images.decoding import DecodedImages
from gan_cli.data.images.dequantized import Dequantized
from gan_cli.data.images.folder import folder_source
from gan_cli.data.images.jitter import Jittered
from gan_cli.data.images.label_file import read_labels
from gan_cli.data.images.source import Source
from gan_cli.data.images.split import split
from gan_cli.data.images.transform import Transform, is_deep, is_grey
from gan_cli.errors import FieldError, UserError, warn

SET_RANGE = "Set dataset.range={range}, the values of black and white, or convert the images to 8 bits."
"""Advice for images whose range of pixels is unknown."""
_postponed: ContextVar[list[str] | None] = ContextVar("postponed", default=None)


@contextmanager
def decoding_postponed() -> Iterator[list[str]]:
    """Decode nothing into the cache inside the context, where images that are not cached are decoded when they are read.

    Yields:
        A list to which the names of these sets are added.
    """
    names: list[str] = []
    token = _postponed.set(names)
    try:
        yield names
    finally:
        _postponed.reset(token)


@dataclass(frozen=True)
class ImageReader:
    """Options of reading a set of images, the same for all sets.

    Attributes:
        heldout: Number of training images that are held out, 0 for none. None for the set's own test part, or, if it has none,
            for a tenth of the images, at most 5 000. The choice is fixed: every run holds out the same images. Labelled images
            are held out in proportion to the classes, see :func:`~gan_cli.data.images.split.split`.
        max_samples: Largest number of images of each published part, evenly spaced; None for all.
        jitter: Side to which training images are enlarged before a random crop, see
            :class:`~gan_cli.data.images.jitter.Jittered`; None for no cropping.
        mirror: Flip training images left-right with probability 1/2.
        dequantize: Fill the steps between the grey values of training images with noise, see
            :class:`~gan_cli.data.images.dequantized.Dequantized`.
        cache: Decode once into a memory-mapped array; if false, decode on the fly.
        cache_dir: Folder of the cache; None for ``$XDG_CACHE_HOME/gan-cli``.
        workers: Number of decoding threads; None for one per CPU.
        skip_corrupt: Leave out images that cannot be decoded.
        range: Values of pixels that become black and white, of images with more than 8 bits, see
            :class:`~gan_cli.data.images.transform.Transform`. None for 0 and 65 535; floating-point and 32-bit pixels are then
            refused, and so are 16-bit ones that stay in the lower half.
        labels: CSV or JSON file with the class of each image of a folder, relative to the folder or absolute; None for the
            subfolders as classes. See :func:`~gan_cli.data.images.label_file.read_labels`.
        label: Column of the label in the CSV file, or several, whose combinations are then the classes; None for the only one.
        classes: Classes to keep, by name or number, in the order of their new labels; None for all.

    Raises:
        UserError: If a field is out of its range.
    """

    heldout: int | None = None
    max_samples: int | None = None
    jitter: int | None = None
    mirror: bool = False
    dequantize: bool = False
    cache: bool = True
    cache_dir: str | None = None
    workers: int | None = None
    skip_corrupt: bool = False
    range: Sequence[float] | None = None
    labels: str | None = None
    label: str | Sequence[str] | None = None
    classes: Sequence[str | int] | None = None

    def __post_init__(self) -> None:
        for field in ("max_samples", "jitter", "workers"):
            if getattr(self, field) is not None:
                checks.count(field, getattr(self, field))
        if self.heldout is not None:
            checks.count("heldout", self.heldout, least=0)
        for field in ("mirror", "dequantize", "cache", "skip_corrupt"):
            checks.flag(field, getattr(self, field))
        if self.label is not None and self.labels is None:
            raise FieldError("label", self.label, "it names a column of the file dataset.labels, which is not set.")
        if self.range is not None:
            checks.interval("range", self.range)

    @property
    def limits(self) -> tuple[float, float] | None:
        """``range`` as a pair of numbers."""
        return None if self.range is None else (float(self.range[0]), float(self.range[1]))

    @property
    def cache_folder(self) -> Path:
        """Folder of the cache."""
        return default_folder() if self.cache_dir is None else Path(str(self.cache_dir)).expanduser()

    def folder(self, folder: Path, name: str = "image_folder", labelled: bool = False) -> Source:
        """Return the images below ``folder``, see :func:`~gan_cli.data.images.folder.folder_source`."""
        cache = self.cache_folder if self.cache else None
        given = None
        if labelled and self.labels is not None:
            given = read_labels(folder / Path(str(self.labels)).expanduser(), self.label)
        known_range = self.range is not None
        return folder_source(folder, name, labelled, labels=given, known_range=known_range, advice=SET_RANGE, cache=cache)

    def data(self, train: Source, test: Source | None, size: int, channels: int | None, fit: str) -> Data:
        """Return both parts as data sets of images ``[channels, size, size]``.

        Args:
            train: Training images.
            test: Test images, which are held out unless ``heldout`` is set; None if there are none.
            size: Side in pixels.
            channels: 1 or 3; None for those of the images.
            fit: ``pad`` or ``crop``, see ``Transform``.
        """
        return self.parts(train, test, Transform(size, common_channels(channels, train, test), fit, self.limits))

    def parts(self, train: Source, test: Source | None, transform: Transform) -> Data:
        """Return both parts, with each image transformed by ``transform``.

        Raises:
            UserError: If ``range`` is set and no image has more than 8 bits.
        """
        if self.range is not None and not any(map(is_deep, (*train.modes, *(test.modes if test else ())))):
            raise FieldError(
                "range", list(self.range), f"no image of {train.name} has more than 8 bits per pixel. Leave it out."
            )
        if self.labels is not None and not train.has_label_file:
            raise FieldError("labels", self.labels, "it belongs to dataset=image_folder; this data set knows its own labels.")
        if test is not None and self.heldout is None:
            data = Data(self._dataset(train, transform), self._dataset(test, transform))
        else:
            data = split(self._dataset(train, transform), self.heldout, train.name)
        jittered = self.jitter is not None or self.mirror
        train_part = Jittered(data.train, self.jitter, self.mirror) if jittered else data.train
        return Data(Dequantized(train_part) if self.dequantize else train_part, data.heldout)

    def _dataset(self, source: Source, transform: Transform) -> Dataset:
        return of_classes(self._everything(source, transform), self.classes)

    def _everything(self, source: Source, transform: Transform) -> Dataset:
        if self.cache:
            cache = ImageCache(source, transform, self.cache_folder, self.max_samples, self.workers, self.skip_corrupt)
            postponed = _postponed.get()
            if postponed is None:
                return cache.images()
            if (found := cache.found()) is not None:
                return found
            postponed.append(source.name)
        return DecodedImages(source.open(), transform, self.max_samples, self.workers, self.skip_corrupt, source.passed_over)


def common_channels(channels: int | None, *sources: Source | None) -> int:
    """Return ``channels``, or if it is None, 3 if any image of the sources is in colour and 1 if all are grey.

    A warning counts both kinds if there are both.
    """
    if channels is not None:
        return channels
    given = [source for source in sources if source]
    modes = Counter[str]()
    for source in given:
        modes.update(source.modes)
    grey = sum(count for mode, count in modes.items() if is_grey(mode))
    if 0 < grey < modes.total():
        warn(
            f"{given[0].name}: images in colour {modes.total() - grey}, grey {grey}; all are read in colour. "
            "dataset.channels=1 turns all of them grey."
        )
    return max(source.channels for source in given)


def required_folder(root: str | None, dataset: str, holds: str, create: bool | None = None) -> Path:
    """Return ``dataset.root`` as an existing folder.

    Args:
        root: Value of ``dataset.root``.
        dataset: Option of ``dataset``, for messages.
        holds: Expected content of the folder, for messages.
        create: Create the folder if it does not exist. None: the data set cannot be downloaded.

    Raises:
        UserError: If ``root`` is None, is no folder, or cannot be created.
    """
    otherwise = "" if create is None else " dataset.download=true downloads it there."
    if root is None:
        raise UserError(f"dataset={dataset} needs dataset.root=DIR, the folder that holds {holds}.{otherwise}")
    folder = Path(str(root)).expanduser()  # dataset.root=2024 is parsed as a number
    if create:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"dataset.root: cannot make the folder {folder.absolute()}: {error.strerror}.") from error
    if not folder.is_dir():
        raise UserError(f"dataset.root: there is no folder {folder.absolute()}.\nIt should hold {holds}.{otherwise}")
    return folder
