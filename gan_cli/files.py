"""Files that are whole or not there, and made once, whatever number of processes ask for them. Standard library only."""

import fcntl
import json
import os
import platform
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_write(path: Path, durable: bool = False) -> Iterator[Path]:
    """Yields a place beside ``path`` to write to; what lies there at the end is ``path`` from then on.

    Whatever happens meanwhile, ``path`` holds its new content or what it held before, and nothing stays beside it.
    ``durable``: it is on the disk before anything else is done, so that a power cut takes nothing back. Raises OSError
    where it cannot be written.
    """
    unfinished = path.with_name(temporary_name(path, uuid.uuid4().hex))  # beside it: another file system could not rename it
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
    """Writes ``path``, durably, and makes its folder; as ``atomic_write`` has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, durable=True) as unfinished:
        unfinished.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Writes plain data as JSON for people to read; as ``atomic_write`` has it."""
    with atomic_write(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def file_lock(path: Path, waiting: str) -> Iterator[bool]:
    """Wait, after saying ``waiting``, until no other process holds the lock at ``path``; yields whether there is one to hold.

    The kernel lets go of it when its holder ends, however it ends. It only saves work: correctness rests on the rename.
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
    """What ``entry`` is called beside its place until it is whole; ``*`` matches all such names of this machine."""
    # the host's name keeps machines apart whose shared file system only locks locally
    return f".{entry.name}.{platform.node()}.{unique}.tmp"


def sync(path: Path) -> None:
    """Return when a file's content, or what was made and renamed in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
