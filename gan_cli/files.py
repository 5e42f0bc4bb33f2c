"""Atomic writes and file locks. Standard library only."""

import fcntl
import json
import os
import platform
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import Any


@contextmanager
def atomic_write(path: Path, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that is renamed to ``path`` at the end.

    At any time ``path`` has its old or its new content, never a part of it, and no temporary file is left behind.

    Args:
        path: File to write.
        durable: Flush file and folder to the disk before returning, so that a power failure cannot undo the write.

    Raises:
        OSError: If the file cannot be written.
    """
    unfinished = path.with_name(temporary_name(path, uuid.uuid4().hex))  # beside it: a rename cannot cross file systems
    try:
        yield unfinished
        if durable:
            sync(unfinished)
        os.replace(unfinished, path)
        if durable:
            sync(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically and durably, and create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, durable=True) as unfinished:
        unfinished.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write plain data as indented JSON, atomically."""
    with atomic_write(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def unused(path: Path) -> Path:
    """Return ``path``, or the first of ``name_2.suffix``, ``name_3.suffix``, ... that does not exist."""
    candidates = (path.with_name(f"{path.stem}_{number}{path.suffix}") for number in count(2))
    return next(candidate for candidate in chain([path], candidates) if not candidate.exists())


@contextmanager
def file_lock(path: Path, waiting: str) -> Iterator[bool]:
    """Hold the lock at ``path``, waiting until no other process holds it; yield False if the file system has no locks.

    The kernel releases the lock when the process ends, for any reason. The lock only saves work: correctness rests on the
    atomic rename.

    Args:
        path: Lock file.
        waiting: Message that is printed to stderr before waiting.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(waiting, file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            yield False
            return
        yield True


def temporary_name(entry: Path, unique: str) -> str:
    """Return the name of ``entry`` while it is written; ``unique="*"`` gives a glob of all such names of this machine."""
    # the host's name separates machines on a shared file system that locks only locally
    return f".{entry.name}.{platform.node()}.{unique}.tmp"


def sync(path: Path) -> None:
    """Flush a file's content, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
