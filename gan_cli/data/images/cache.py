"""The image cache: a set is decoded once into a uint8 array on the disk, which is memory-mapped from then on.

An entry is a folder ``<name>-<size>px-<key>`` with ``images.u8`` (uint8, row-major ``[N, C, S, S]``), ``labels.npy`` if there
are labels, and ``meta.json``. The key is a hash of the identity of the content and of the transform, independent of the
location of the set. An entry is written beside its final place and renamed when everything is on the disk, so that every
entry is complete.
"""

import hashlib
import json
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, TypedDict

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gan_cli.config.form import require
from gan_cli.data.base import evenly_spaced
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.images.decoding import processors
from gan_cli.data.images.source import CorruptImage, ImageCollection, Source
from gan_cli.data.images.transform import Transform
from gan_cli.errors import UserError
from gan_cli.files import file_lock, read_json, sync, temporary_name

FORMAT = 1
"""Version of the entries' format, a part of every key."""


class Meta(TypedDict):
    """The content of ``meta.json``."""

    shape: tuple[int, int, int, int]
    classes: int
    skipped: list[str]


CHUNK = 1 << 25
"""Number of bytes of decoded images in memory at a time, for sets of any size."""

WAITING = "Waiting for another process that decodes the same images."
ALTERNATIVES = "dataset.cache_dir=DIR moves the cache, dataset.cache=false decodes on the fly"


def default_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/gan-cli``, or ``~/.cache/gan-cli``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan-cli"


def cached(
    source: Source,
    transform: Transform,
    folder: Path,
    max_samples: int | None = None,
    workers: int | None = None,
    skip_corrupt: bool = False,
) -> ImageArray:
    """Return the images as a mapped array, decoding them into ``folder`` first if necessary.

    If several processes need the same entry at the same time, one decodes and the others wait. If the file system has no
    locks, each decodes, and the first to finish wins.

    Args:
        source: Images to decode.
        transform: Transform of each image.
        folder: Folder of the cache.
        max_samples: Largest number of images, evenly spaced; None for all.
        workers: Number of decoding threads; None for one per CPU.
        skip_corrupt: Leave out images that cannot be decoded.

    Raises:
        UserError: If an image cannot be decoded (unless ``skip_corrupt``), the disk is full, or the folder cannot be written.
    """
    entry = folder / f"{source.name}-{transform.size}px-{_key(source, transform, max_samples)}"
    if not entry.is_dir():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with file_lock(folder / f".{entry.name}.lock", WAITING) as locked:
                if locked:
                    _remove_leftovers(entry)
                if not entry.is_dir():
                    _write(entry, source, transform, max_samples, workers, skip_corrupt)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"Cannot write the decoded images to {folder}: {reason}.\n{ALTERNATIVES}.") from error
    return _mapped(entry, skip_corrupt)


def _key(source: Source, transform: Transform, max_samples: int | None) -> str:
    content = json.dumps([FORMAT, source.identity, asdict(transform), max_samples])
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def _remove_leftovers(entry: Path) -> None:
    """Remove unfinished entries of killed processes of this machine; the caller must hold the entry's lock."""
    for leftover in entry.parent.glob(temporary_name(entry, "*")):
        shutil.rmtree(leftover, ignore_errors=True)


def _write(
    entry: Path, source: Source, transform: Transform, max_samples: int | None, workers: int | None, skip_corrupt: bool
) -> None:
    pictures = source.open()
    indices = evenly_spaced(len(pictures), max_samples).tolist()
    shape = transform.shape
    _require_space(entry.parent, source.name, len(indices) * int(np.prod(shape)))
    unfinished = entry.parent / temporary_name(entry, uuid.uuid4().hex)
    unfinished.mkdir()
    try:
        with (unfinished / "images.u8").open("wb") as file, _progress(source, transform, len(indices)) as advance:
            kept, skipped = _decode(pictures, indices, transform, workers, skip_corrupt, file, advance)
        if not kept:
            raise UserError(f"None of the {len(indices)} images of {source.name} can be decoded: {skipped[0]}, …")
        if pictures.labels is not None:
            with (unfinished / "labels.npy").open("wb") as file:
                np.save(file, pictures.labels[kept], allow_pickle=False)
        meta = {"shape": (len(kept), *shape), "classes": pictures.classes, "skipped": skipped}
        (unfinished / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        for path in (*unfinished.iterdir(), unfinished):
            sync(path)
        _move(unfinished, entry)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _decode(
    pictures: ImageCollection,
    indices: list[int],
    transform: Transform,
    workers: int | None,
    skip_corrupt: bool,
    file: BinaryIO,
    advance: Callable[[int], None],
) -> tuple[list[int], list[str]]:
    """Append the images to ``file``; return the indices that were written and the names of the images that were skipped."""

    def attempt(index: int) -> np.ndarray | CorruptImage:
        try:
            return pictures.array(index, transform)
        except CorruptImage as error:
            return error

    kept, skipped = [], []
    step = max(1, CHUNK // int(np.prod(transform.shape)))
    with ThreadPoolExecutor(workers or processors()) as pool:
        for start in range(0, len(indices), step):
            chunk = indices[start : start + step]
            for index, result in zip(chunk, pool.map(attempt, chunk), strict=True):
                if isinstance(result, np.ndarray):
                    file.write(result.tobytes())
                    kept.append(index)
                elif skip_corrupt:
                    skipped.append(result.name)
                else:
                    pool.shutdown(cancel_futures=True)
                    raise result
                advance(1)
    return kept, skipped


def _mapped(entry: Path, skip_corrupt: bool) -> ImageArray:
    try:
        meta = read_json(entry / "meta.json")
        require(meta, Meta)
        shape = tuple(meta["shape"])
        if (entry / "images.u8").stat().st_size != np.prod(shape):
            raise ValueError("the size of images.u8 does not match meta.json")
        images = np.memmap(entry / "images.u8", np.uint8, "r", shape=shape)
        labels = np.load(entry / "labels.npy", allow_pickle=False) if (entry / "labels.npy").exists() else None
        if labels is not None and (not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.shape != shape[:1]):
            raise ValueError("labels.npy does not match meta.json")
    except (OSError, ValueError, OverflowError, EOFError, UserError) as error:
        reason = "labels.npy holds no numbers" if "allow_pickle" in str(error) else error
        message = f"The decoded images in {entry} are damaged ({reason}).\nDelete that folder to decode again."
        raise UserError(message) from error
    skipped = meta["skipped"]
    if skipped and not skip_corrupt:
        raise CorruptImage(skipped[0], f"it is one of {len(skipped)} corrupt images")
    if skipped:
        count = f"{len(skipped)} of {len(skipped) + len(images)}"
        print(f"Skipped {count} images that cannot be decoded; the first is {skipped[0]}", file=sys.stderr)
    return ImageArray(images, labels, meta["classes"])


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


@contextmanager
def _progress(source: Source, transform: Transform, total: int) -> Iterator[Callable[[int], None]]:
    text = f"decoding {source.name} at {transform.size}×{transform.size}, once"
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(text, total=total)
        yield lambda count: progress.advance(task, count)
