"""Atomic writes, file locks, and reading of files from elsewhere. Standard library only."""

import errno
import fcntl
import json
import os
import platform
import shutil
import stat
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from typing import Any

from gan_cli.errors import UserError, first_line


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
    except OSError as error:
        if error.errno is not None and error.filename is None:  # a write does not know to which file
            error.filename = str(path)
        raise
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def full_disk_named(folder: Path, advice: str) -> Iterator[None]:
    """Turn the error of a full disk or an exhausted quota inside the context into a UserError.

    Args:
        folder: A folder on the disk.
        advice: What to do once there is room.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(folder).free
        what = error.filename or folder
        raise UserError(f"{error.strerror}: {what} ({free} bytes are free).\nMake room. {advice}") from error


def require_writable(folder: Path, advice: str) -> None:
    """Check that files can be written into ``folder``, or into the folder that it would be made in.

    Raises:
        UserError: If they cannot.
    """
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}. {advice}") from error


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
def file_lock(path: Path, waiting: str = "") -> Iterator[bool]:
    """Hold the lock at ``path``, waiting until no other process holds it; yield False if the file system has no locks.

    The kernel releases the lock when the process ends, for any reason. The lock only saves work: correctness rests on the
    atomic rename.

    Args:
        path: Lock file.
        waiting: Message that is printed to stderr before waiting; empty: none.
    """
    with open(regular(path, os.O_RDWR | os.O_CREAT), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                print(waiting, file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            yield False
            return
        yield True


def regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open the regular file ``path`` and return its descriptor.

    A folder from somebody else may hold a link to any file of the user's, or a pipe that never ends.

    Args:
        path: The file.
        flags: Those of ``os.open``. The file is not truncated.

    Raises:
        FileNotFoundError: If there is none, and ``flags`` do not create it.
        UserError: If it is a link, or something else that is no regular file.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except FileNotFoundError:
        raise
    except OSError as error:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise irregular(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise irregular(path)
    return descriptor


def leads_into(path: Path, root: Path) -> bool:
    """Return True if the link ``path`` leads to an existing file or folder inside the resolved folder ``root``."""
    with suppress(OSError, RuntimeError):  # it may lead nowhere, or in a circle
        return path.resolve(strict=True).is_relative_to(root)
    return False


def irregular(path: Path) -> UserError:
    """Return the error for something that is no regular file where one is expected."""
    kind = f"a link to {os.readlink(path)}" if path.is_symlink() else "a folder" if path.is_dir() else "no regular file"
    return UserError(f"{path} is {kind}, and a run is made of regular files. Remove it, or copy the run without it.")


def read_bytes(path: Path, largest: int) -> bytes:
    """Return the content of a regular file of at most ``largest`` bytes.

    Raises:
        FileNotFoundError: If there is none.
        UserError: If it is larger, or no regular file.
    """
    with open(regular(path), "rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise UserError(f"{path} has more than {largest} bytes, which no file of this kind has.")
    return content


def read_json(path: Path, largest: int = 256 * 2**20) -> Any:
    """Return the content of a JSON file.

    Raises:
        FileNotFoundError: If there is none.
        UserError: If it is no JSON, nested too deeply, larger than ``largest`` bytes, or no regular file.
    """
    try:
        return json.loads(read_bytes(path, largest))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {first_line(error)}.") from error


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


def bytes_in_words(count: float) -> str:
    """Return a number of bytes in the unit that suits it: ``12 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
