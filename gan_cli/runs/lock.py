"""The lock of a run's or a sweep's folder, which one process holds at a time. Standard library only."""

import errno
import fcntl
import os
import platform
import re
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gan_cli.errors import UserError

NAME = ".lock"
"""Name of the lock file in the folder; it holds the process and the host of its holder, and is removed at the end."""

_holders: dict[tuple[int, int], int] = {}
"""Identity of a locked folder (device and inode) -> the process that locked it, this one or the one it was forked from."""
_access = threading.Lock()
_warned: list[str] = []


class InUse(UserError):
    """Another process, or another thread of this one, works in the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder``, which is made if it does not exist.

    The kernel releases the lock when the process ends, for any reason, so a lock is never left behind. It is a POSIX record
    lock, which file servers know. Such locks do not exclude other threads of the same process; a table in memory does. If the
    file system has no locks, a warning is printed once and the work goes on.

    Raises:
        InUse: If the lock is held already.
        UserError: If the lock file is a link, or not a lock file at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    status = os.stat(folder)
    identity, process = (status.st_dev, status.st_ino), os.getpid()
    with _access:
        if _holders.get(identity) == process:  # opening the lock file again and closing it would release the lock
            raise _in_use(folder, process, _host())
        _holders[identity] = process
    try:
        path = folder.absolute() / NAME  # the work may change the current folder
        descriptor = _acquire(folder, path)
        try:
            yield
        finally:
            if descriptor is not None and os.getpid() == process:
                _release(path, descriptor)
    finally:
        with _access:
            _holders.pop(identity, None)


def holder(folder: Path) -> str | None:
    """Return the message about the process that works in ``folder``, or None if there is none."""
    if not folder.is_dir():
        return None
    try:
        with locked(folder):
            return None
    except InUse as error:
        return str(error)


def _acquire(folder: Path, path: Path) -> int | None:
    """Return the descriptor of the locked file, or None where files cannot be locked.

    The holder removes the file at the end. A lock on a file that has been removed in the meantime excludes nobody, so the
    file is opened again until the locked file is the one in the folder.
    """
    while True:
        descriptor = _open(path)
        if descriptor is None:
            return None
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                break
        except (BlockingIOError, PermissionError):
            raise _in_use(folder, *_content(descriptor).decode().split()) from None
        except OSError as error:
            if error.errno != errno.ESTALE:  # which a file server says of a file that has been removed
                _warn(f"the file system of {folder} has no locks: start nothing else in this folder.")
                return None
        os.close(descriptor)
    with suppress(OSError):  # on a full disk the lock holds, too
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {_host()}\n".encode(), 0)
    return descriptor


def _open(path: Path) -> int | None:
    """Return a descriptor of the lock file, made if need be, or None if this user may not write it.

    Links are not followed, and a file that is no lock file is not changed.
    """
    foreign = UserError(f"{path} is not a lock file of gan-cli: remove it.")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise foreign from None
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        if os.access(path.parent, os.W_OK):
            _warn(f"{path} cannot be opened: start nothing else in this folder.")
        return None  # nothing can be written there either, and the work will say so if it tries
    status = os.fstat(descriptor)
    is_ours = stat.S_ISREG(status.st_mode) and status.st_nlink <= 1
    if not is_ours or not re.fullmatch(rb"(\d+ [\x21-\x7e]*\n)?", _content(descriptor)):
        os.close(descriptor)
        raise foreign
    return descriptor


def _host() -> str:
    return re.sub(r"[^\x21-\x7e]", "?", platform.node())


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, 300, 0)


def _in_use(folder: Path, process: int | str = "", host: str = "") -> InUse:
    said = f"process {process}{f' on {host}' if host else ''}" if process else "another process"
    return InUse(f"{folder} is in use by {said}: wait until it ends, or stop it.")


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _release(path: Path, descriptor: int) -> None:
    with suppress(OSError):
        if _is_at(path, descriptor):
            path.unlink()
    os.close(descriptor)


def _warn(message: str) -> None:
    if not _warned:
        _warned.append(message)
        print(f"warning: {message}", file=sys.stderr)
