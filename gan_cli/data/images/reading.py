"""From published parts to ``Data``: cached or decoded on the fly, with a part held out."""

from dataclasses import dataclass
from pathlib import Path

import torch

from gan_cli import checks
from gan_cli.data.base import Data, Dataset, Subset, generator
from gan_cli.data.images.cache import cached, default_folder
from gan_cli.data.images.decoding import DecodedImages
from gan_cli.data.images.jitter import Jittered
from gan_cli.data.images.source import Source
from gan_cli.data.images.transform import Transform
from gan_cli.errors import UserError

HELDOUT_AT_MOST = 5_000


@dataclass(frozen=True)
class Reading:
    """How a set of images is read, whatever set it is.

    ``heldout``: number of training images that are set aside as the held-out part; None takes the set's own test part
    where it has one, and else a tenth, at most 5 000. Which ones is fixed: every run holds out the same.
    ``max_images``: at most this many images of each published part are read, evenly spaced.
    ``jitter`` and ``mirror``: how training images are changed each time, see :class:`~gan_cli.data.images.jitter.Jittered`.
    ``cache``: decode once into a mapped array in ``cache_dir`` (None: ``$XDG_CACHE_HOME/gan-cli``), or on the fly.
    ``workers``: decoding threads (None: one for each CPU). ``skip_corrupt``: leave out images that cannot be decoded.

    Raises:
        UserError: if a number is none, or a switch neither on nor off.
    """

    heldout: int | None = None
    max_images: int | None = None
    jitter: int | None = None
    mirror: bool = False
    cache: bool = True
    cache_dir: str | None = None
    workers: int | None = None
    skip_corrupt: bool = False

    def __post_init__(self) -> None:
        for field in ("heldout", "max_images", "jitter", "workers"):
            if getattr(self, field) is not None:
                checks.count(field, getattr(self, field))
        for field in ("mirror", "cache", "skip_corrupt"):
            checks.flag(field, getattr(self, field))

    def data(self, train: Source, test: Source | None, size: int, channels: int | None, fit: str) -> Data:
        """Both parts as uint8-backed data sets of images ``[channels, size, size]``."""
        return self.parts(train, test, Transform(size, train.channels if channels is None else channels, fit))

    def parts(self, train: Source, test: Source | None, transform: Transform) -> Data:
        """Both parts as ``transform`` makes them."""
        if test is not None and self.heldout is None:
            data = Data(self._dataset(train, transform), self._dataset(test, transform))
        else:
            data = self._split(self._dataset(train, transform), train.name)
        if self.jitter is None and not self.mirror:
            return data
        return Data(Jittered(data.train, self.jitter, self.mirror), data.heldout)

    def _dataset(self, source: Source, transform: Transform) -> Dataset:
        if self.cache:
            folder = default_folder() if self.cache_dir is None else Path(str(self.cache_dir)).expanduser()
            return cached(source, transform, folder, self.max_images, self.workers, self.skip_corrupt)
        return DecodedImages(source.open(), transform, self.max_images, self.workers, self.skip_corrupt)

    def _split(self, whole: Dataset, name: str) -> Data:
        n = len(whole)
        heldout = min(HELDOUT_AT_MOST, max(1, n // 10)) if self.heldout is None else self.heldout
        if heldout >= n:
            raise UserError(f"{name} has {n} images: {heldout} held out (dataset.heldout) leave none to train on.")
        order = torch.randperm(n, generator=generator("heldout"))
        return Data(Subset(whole, order[heldout:]), Subset(whole, order[:heldout]))


def required_folder(root: str | None, dataset: str, holds: str, create: bool = False) -> Path:
    """``dataset.root`` as a folder that exists; ``create`` makes it.

    Raises:
        UserError: if it was not given, or is no folder, or cannot be made.
    """
    if root is None:
        raise UserError(f"dataset={dataset} needs dataset.root=DIR, the folder that holds {holds}.")
    folder = Path(str(root)).expanduser()  # dataset.root=2024 arrives as a number
    if create:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"dataset.root: cannot make the folder {folder.absolute()}: {error.strerror}.") from error
    if not folder.is_dir():
        raise UserError(f"dataset.root: there is no folder {folder.absolute()}.\nIt should hold {holds}.")
    return folder
