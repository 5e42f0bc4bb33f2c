"""The image cache: a set is decoded once into a uint8 array on the disk, which is memory-mapped from then on.

An entry is a folder ``<name>-<size>px-<key>`` with ``images.u8`` (uint8, row-major ``[N, C, S, S]``), ``checksums.u32``,
``hashes.u64``, ``labels.i64`` if there are labels, and ``meta.json``. The key is a hash of the identity of the content and of
the transform, independent of the location of the set. An entry is written beside its final place and renamed when everything
is on the disk, so that every entry is complete. An entry that was damaged later is noticed when it is opened or when a damaged
image is read for the first time in a process; it is then decoded again.
"""

import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from gan_cli.activity import activity
from gan_cli.data.base import evenly_spaced
from gan_cli.data.images.decoding import CORRUPT, NOT_CHOSEN, processors
from gan_cli.data.images.entry import IMAGES, CachedImages, Damaged, Entry, ImageFile, read_entry, write_meta
from gan_cli.data.images.originals import Original, Tally, image_origins
from gan_cli.data.images.source import CorruptImage, ImageCollection, Source
from gan_cli.data.images.transform import Transform
from gan_cli.errors import UserError, warn
from gan_cli.files import file_lock, sync, temporary_name

FORMAT = 3
"""Version of the entries' format, a part of every key."""

CHUNK = 1 << 25
"""Number of bytes of decoded images in memory at a time, for sets of any size."""

WAITING = "Waiting for another process that decodes the same images."
ALTERNATIVES = "dataset.cache_dir=DIR moves the cache, dataset.cache=false decodes on the fly"


def default_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/gan-cli``, or ``~/.cache/gan-cli``.

    Raises:
        UserError: If there is neither.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan-cli"
    except RuntimeError as error:
        raise UserError("there is no home directory for the cache: set XDG_CACHE_HOME to a folder.") from error


@dataclass(frozen=True)
class ImageCache:
    """The decoded images of one source, in a folder shared by processes.

    If several processes need the same entry at the same time, one decodes and the others wait. If the file system has no
    locks, each decodes, and the first to finish wins.

    Attributes:
        source: Images to decode.
        transform: Transform of each image.
        folder: Folder of the cache.
        max_samples: Largest number of images, evenly spaced; None for all.
        workers: Number of decoding threads; None for one per CPU.
        skip_corrupt: Leave out images that cannot be decoded.
    """

    source: Source
    transform: Transform
    folder: Path
    max_samples: int | None = None
    workers: int | None = None
    skip_corrupt: bool = False

    @property
    def entry(self) -> Path:
        """Folder of the entry."""
        content = json.dumps([FORMAT, self.source.identity, asdict(self.transform), self.max_samples])
        key = hashlib.sha256(content.encode()).hexdigest()[:20]
        return self.folder / f"{self.source.name}-{self.transform.size}px-{key}"

    def found(self) -> CachedImages | None:
        """Return the images as a mapped array, or None if they are not decoded yet or their entry is damaged."""
        if not self.entry.is_dir():
            return None
        try:
            return self._images(read_entry(self.entry, self.transform.shape))
        except Damaged:
            return None

    def images(self) -> CachedImages:
        """Return the images as a mapped array, decoding them first if necessary.

        Raises:
            UserError: If an image cannot be decoded (unless ``skip_corrupt``), the disk is full, or the folder cannot be
                written.
        """
        return self.found() or self._images(self._decoded(thorough=False))

    def _images(self, entry: Entry) -> CachedImages:
        skipped, n = entry.skipped, len(entry.images)
        if skipped and not self.skip_corrupt:
            raise CorruptImage(skipped[0], f"it is one of {len(skipped)} corrupt images")
        if skipped:
            count = f"{len(skipped)} of {len(skipped) + n}"
            print(f"Skipped {count} images that cannot be decoded; the first is {skipped[0]}", file=sys.stderr)
        passed_over = {**self.source.passed_over, CORRUPT: len(skipped), NOT_CHOSEN: entry.not_chosen}
        origins = image_origins(entry.originals, self.transform, passed_over)
        return CachedImages(entry, lambda: self._decoded(thorough=True), origins)

    def _decoded(self, thorough: bool) -> Entry:
        """Return the entry, decoded again if it is damaged; ``thorough`` checks every image of one that exists."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with file_lock(self.folder / f".{self.entry.name}.lock", WAITING) as locked:
                if locked:
                    _remove_leftovers(self.entry)
                if self.entry.is_dir():
                    try:
                        entry = read_entry(self.entry, self.transform.shape)
                        if thorough:
                            entry.verify()
                        return entry
                    except Damaged as damage:
                        warn(f"the decoded images in {self.entry} are damaged ({damage}) and are decoded again.")
                        _discard(self.entry)
                self._write()
                return read_entry(self.entry, self.transform.shape)
        except (OSError, Damaged) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"Cannot write the decoded images to {self.folder}: {reason}.\n{ALTERNATIVES}.") from error

    def _write(self) -> None:
        pictures = self.source.open()
        indices = evenly_spaced(len(pictures), self.max_samples).tolist()
        shape, name = self.transform.shape, self.source.name
        _require_space(self.folder, name, len(indices) * int(np.prod(shape)))
        unfinished = self.folder / temporary_name(self.entry, uuid.uuid4().hex)
        unfinished.mkdir()
        try:
            decoding = activity(f"decoding {name} at {self.transform.size}×{self.transform.size}, once", len(indices))
            with (unfinished / IMAGES).open("wb") as opened, decoding as work:
                file, tally = ImageFile(opened), Tally(self.transform)
                kept, skipped = _decode(pictures, indices, tally, self.workers, self.skip_corrupt, file, work.advance)
            if not kept:
                raise UserError(f"None of the {len(indices)} images of {name} can be decoded: {skipped[0]}, …")
            write_meta(unfinished, (len(kept), *shape), file, pictures, kept, skipped, tally.counts())
            for path in (*unfinished.iterdir(), unfinished):
                sync(path)
            _move(unfinished, self.entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _remove_leftovers(entry: Path) -> None:
    """Remove unfinished entries of killed processes of this machine; the caller must hold the entry's lock."""
    for leftover in entry.parent.glob(temporary_name(entry, "*")):
        shutil.rmtree(leftover, ignore_errors=True)


def _discard(entry: Path) -> None:
    """Remove an entry, of which no part is visible at any time; processes that have mapped it keep it."""
    unwanted = entry.parent / temporary_name(entry, uuid.uuid4().hex)
    entry.rename(unwanted)
    shutil.rmtree(unwanted, ignore_errors=True)


def _decode(
    pictures: ImageCollection,
    indices: list[int],
    tally: Tally,
    workers: int | None,
    skip_corrupt: bool,
    file: ImageFile,
    advance: Callable[[int], None],
) -> tuple[list[int], list[str]]:
    """Append the images, as the transform of ``tally`` makes them, to ``file`` and count them.

    Returns:
        The indices that were written, and the names of the images that were skipped.
    """

    def transformed(image: Image.Image) -> tuple[Original, np.ndarray]:
        return Original.of(image), tally.transform(image)

    def attempt(index: int) -> tuple[Original, np.ndarray] | CorruptImage:
        try:
            return pictures.array(index, transformed)
        except CorruptImage as error:
            return error

    kept, skipped = [], []
    step = max(1, CHUNK // int(np.prod(tally.transform.shape)))
    with ThreadPoolExecutor(workers or processors()) as pool:
        for start in range(0, len(indices), step):
            chunk = indices[start : start + step]
            for index, result in zip(chunk, pool.map(attempt, chunk), strict=True):
                if not isinstance(result, CorruptImage):
                    original, pixels = result
                    tally.add(original)
                    file.write(pixels)
                    kept.append(index)
                elif skip_corrupt:
                    skipped.append(result.name)
                else:
                    pool.shutdown(cancel_futures=True)
                    raise result
                advance(1)
    return kept, skipped


def _require_space(folder: Path, name: str, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{name} needs {needed / 1e9:.3g} GB when decoded, but {folder} has only {free / 1e9:.3g} GB left.\n"
            f"{ALTERNATIVES}, dataset.max_samples=N takes fewer images."
        )


def _move(unfinished: Path, entry: Path) -> None:
    """Rename the finished folder; another process may have written an equal entry in the meantime."""
    try:
        unfinished.rename(entry)
    except OSError:
        if not entry.is_dir():
            raise
    sync(entry.parent)
