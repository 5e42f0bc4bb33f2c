"""The GPUs of this machine, dealt out to the worker processes of a sweep."""

import fcntl
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

GPUS = "GAN_CLI_GPUS"
"""Environment variable of a worker process with the file that lists the shares of GPUs."""


@contextmanager
def dealing(gpus: Sequence[str]) -> Iterator[Path]:
    """Yield a file that lists shares of the GPUs, such as ``0,1``; worker processes inside the context take one each."""
    descriptor, name = tempfile.mkstemp(prefix="gan-train-gpus-")
    os.write(descriptor, "\n".join(gpus).encode())
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink()


def take_gpu() -> None:
    """Let this worker process see its share of the GPUs alone, if they are dealt out; before CUDA is initialised.

    The process keeps the share for its further jobs, because CUDA reads ``CUDA_VISIBLE_DEVICES`` once.
    """
    if GPUS in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = _taken(os.environ[GPUS])


@lru_cache  # the lock is lost if the process opens the file again and closes it
def _taken(file: str) -> str:
    """Return the share of the lowest number that no other living process has taken from ``file``.

    The process locks the byte of this number. The kernel releases the lock when the process ends, for any reason, so the worker
    that replaces a dead one takes its share. With more workers than shares the numbers go round.
    """
    gpus = Path(file).read_text().splitlines()
    descriptor = os.open(file, os.O_RDWR)  # stays open, and so does the lock
    for number in itertools.count():
        with suppress(BlockingIOError, PermissionError):
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            break
    return gpus[number % len(gpus)]
