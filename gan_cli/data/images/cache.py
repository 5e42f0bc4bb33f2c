"""Decode a set once into a memory-mapped uint8 array; map it ever after.

An entry is a folder ``<name>-<size>px-<key>``: ``images.u8`` (uint8, row-major ``[N, C, S, S]``), ``labels.npy`` where there
are labels, ``meta.json``. The key hashes what the set's content and the transform are, not where the set lies. An entry
is written beside its place and renamed into it when all of it is on the disk: whatever bears the name is complete.
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
from typing import BinaryIO

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gan_cli.data.base import evenly
from gan_cli.data.images.arrays import ImageArray
from gan_cli.data.images.decoding import processors
from gan_cli.data.images.source import CorruptImage, Pictures, Source
from gan_cli.data.images.transform import Transform
from gan_cli.errors import UserError
from gan_cli.files import file_lock, sync, temporary_name

FORMAT = 1
"""Part of every key: raise it when entries are written in another way."""

CHUNK = 1 << 25
"""Bytes of decoded images held in memory at a time, whatever the size of the set."""

WAITING = "Waiting for another process that decodes the same images."
ELSEWHERE = "dataset.cache_dir=DIR puts it elsewhere, dataset.cache=false decodes on the fly"


def default_folder() -> Path:
    """``$XDG_CACHE_HOME/gan-cli``, or ``~/.cache/gan-cli``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gan-cli"


def cached(
    source: Source,
    transform: Transform,
    folder: Path,
    max_images: int | None = None,
    workers: int | None = None,
    skip_corrupt: bool = False,
) -> ImageArray:
    """The set as a mapped array, decoded into ``folder`` first if it is not there yet.

    Several processes may ask for the same set at the same time: one decodes, the others wait for it. Where the file
    system has no locks, each decodes and the first to finish wins.

    Raises:
        UserError: if an image cannot be decoded (unless ``skip_corrupt``), the disk is too small, or the folder cannot
            be written to.
    """
    entry = folder / f"{source.name}-{transform.size}px-{_key(source, transform, max_images)}"
    if not entry.is_dir():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with file_lock(folder / f".{entry.name}.lock", WAITING) as alone:
                if alone:
                    _remove_leftovers(entry)
                if not entry.is_dir():
                    _write(entry, source, transform, max_images, workers, skip_corrupt)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"Cannot write the decoded images to {folder}: {reason}.\n{ELSEWHERE}.") from error
    return _mapped(entry, skip_corrupt)


def _key(source: Source, transform: Transform, max_images: int | None) -> str:
    content = json.dumps([FORMAT, source.identity, asdict(transform), max_images])
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def _remove_leftovers(entry: Path) -> None:
    """Give back the disk space of killed processes of this machine; only the holder of the entry's lock may."""
    for leftover in entry.parent.glob(temporary_name(entry, "*")):
        shutil.rmtree(leftover, ignore_errors=True)


def _write(
    entry: Path, source: Source, transform: Transform, max_images: int | None, workers: int | None, skip_corrupt: bool
) -> None:
    pictures = source.open()
    indices = evenly(len(pictures), max_images).tolist()
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
    pictures: Pictures,
    indices: list[int],
    transform: Transform,
    workers: int | None,
    skip_corrupt: bool,
    file: BinaryIO,
    advance: Callable[[int], None],
) -> tuple[list[int], list[str]]:
    """Append the images to ``file``; returns the indices that went into it and the names of those that could not."""

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
        meta = json.loads((entry / "meta.json").read_bytes())
        shape = tuple(meta["shape"])
        if (entry / "images.u8").stat().st_size != np.prod(shape):
            raise ValueError("images.u8 has another size than meta.json says")
        images = np.memmap(entry / "images.u8", np.uint8, "r", shape=shape)
        labels = np.load(entry / "labels.npy", allow_pickle=False) if (entry / "labels.npy").exists() else None
    except (OSError, ValueError, KeyError) as error:
        sentence = f"The decoded images in {entry} are damaged ({error}).\nDelete that folder to decode again."
        raise UserError(sentence) from error
    skipped = meta["skipped"]
    if skipped and not skip_corrupt:
        raise CorruptImage(skipped[0], f"it is one of {len(skipped)} such images")
    if skipped:
        count = f"{len(skipped)} of {len(skipped) + len(images)}"
        print(f"Left out, as they cannot be decoded: {count} images, the first {skipped[0]}", file=sys.stderr)
    return ImageArray(images, labels, meta["classes"])


def _require_space(folder: Path, name: str, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{name} needs {needed / 1e9:.3g} GB once decoded, {folder} has {free / 1e9:.3g} GB left.\n"
            f"{ELSEWHERE}, dataset.max_images=N takes fewer images."
        )


def _move(unfinished: Path, entry: Path) -> None:
    """Rename the finished folder into its place; another process's equal result may already lie there."""
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
