"""Files that are whole or not there, and written once, whatever number of processes ask for them."""

import fcntl
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def turn(path: Path, waiting: str) -> Iterator[bool]:
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


def temporary(entry: Path, unique: str) -> str:
    """What ``entry`` is called beside its place until it is whole; ``*`` matches all such names of this machine."""
    # the host's name keeps machines apart whose shared file system only locks locally
    return f".{entry.name}.{platform.node()}.{unique}"


def sync(file: BinaryIO) -> None:
    """Return when what was written to ``file`` is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Return when what was made and renamed in ``folder`` is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
