"""From published parts to ``Data``: cached or decoded on the fly, with a part held out."""

from dataclasses import dataclass
from pathlib import Path

import torch

from gan_cli.data.base import Data, Dataset, Subset, generator, require_count
from gan_cli.data.cache import cached, default_folder
from gan_cli.data.decoding import DecodedImages
from gan_cli.data.pictures import Source
from gan_cli.data.transform import Transform
from gan_cli.errors import UserError

HELDOUT_AT_MOST = 5_000


@dataclass(frozen=True)
class Reading:
    """How a set of images is read, whatever set it is.

    ``heldout``: number of training images that are set aside as the held-out part; None takes the set's own test part
    where it has one, and else a tenth, at most 5 000. Which ones is fixed: every run holds out the same.
    ``max_images``: at most this many images of each published part are read, evenly spaced.
    ``cache``: decode once into a mapped array in ``cache_dir`` (None: ``$XDG_CACHE_HOME/gan-cli``), or on the fly.
    ``workers``: decoding threads (None: one for each CPU). ``skip_corrupt``: leave out images that cannot be decoded.

    Raises:
        UserError: if a number is none.
    """

    heldout: int | None = None
    max_images: int | None = None
    cache: bool = True
    cache_dir: str | None = None
    workers: int | None = None
    skip_corrupt: bool = False

    def __post_init__(self) -> None:
        for field in ("heldout", "max_images", "workers"):
            if getattr(self, field) is not None:
                require_count(field, getattr(self, field))

    def data(self, train: Source, test: Source | None, size: int, channels: int | None, fit: str) -> Data:
        """Both parts as uint8-backed data sets of images ``[channels, size, size]``."""
        transform = Transform(size, channels or train.channels, fit)
        if test is not None and self.heldout is None:
            return Data(self._dataset(train, transform), self._dataset(test, transform))
        return self._split(self._dataset(train, transform), train.name)

    def _dataset(self, source: Source, transform: Transform) -> Dataset:
        if self.cache:
            folder = Path(self.cache_dir).expanduser() if self.cache_dir else default_folder()
            return cached(source, transform, folder, self.max_images, self.workers, self.skip_corrupt)
        return DecodedImages(source.open(), transform, self.max_images, self.workers, self.skip_corrupt)

    def _split(self, whole: Dataset, name: str) -> Data:
        n = len(whole)
        heldout = min(HELDOUT_AT_MOST, max(1, n // 10)) if self.heldout is None else self.heldout
        if heldout >= n:
            raise UserError(f"{name} has {n} images: {heldout} held out (dataset.heldout) leave none to train on.")
        order = torch.randperm(n, generator=generator("heldout"))
        return Data(Subset(whole, order[heldout:]), Subset(whole, order[:heldout]))


def required_folder(root: str | None, dataset: str, holds: str) -> Path:
    """``dataset.root`` as a folder that exists.

    Raises:
        UserError: if it was not given or is no folder.
    """
    if root is None:
        raise UserError(f"dataset={dataset} needs dataset.root=DIR, the folder that holds {holds}.")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"dataset.root: there is no folder {folder.absolute()}.\nIt should hold {holds}.")
    return folder
