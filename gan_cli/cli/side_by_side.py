"""Jobs side by side on this machine, and the share of each in its CPU threads and GPUs."""

import fcntl
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

GPUS = "GAN_CLI_GPUS"
"""Environment variable of a worker process with the file that lists the GPUs to be dealt out."""
DEALT = {"auto", "cuda"}
"""The values of ``device`` for which GPUs are dealt out; ``cuda:1`` names one itself."""
ALL = -1
"""The default of ``hydra.launcher.n_jobs``."""


def is_parallel(launcher: Any) -> bool:
    """Return True if ``launcher``, the node of its config, runs several jobs on this machine at a time."""
    return "joblib" in launcher._target_


def gpus_for(launcher: Any, devices: set[str]) -> list[str]:
    """Return the GPUs to be dealt out, as ``CUDA_VISIBLE_DEVICES`` names them; none where jobs do not ask for any.

    Args:
        launcher: The node of the launcher's config.
        devices: The values of ``device`` of all jobs.
    """
    if not (is_parallel(launcher) and devices and devices <= DEALT):
        return []
    from gan_cli import device

    return device.gpus()


def n_workers(launcher: Any, gpus: Sequence[str]) -> int:
    """Return the number of jobs that run at the same time: unless it is given one per GPU, or per CPU without GPUs."""
    if not is_parallel(launcher):
        return 1
    from joblib import effective_n_jobs

    return len(gpus) if gpus and launcher.n_jobs == ALL else int(effective_n_jobs(launcher.n_jobs))


def thread_share(workers: int) -> int:
    """Return the number of CPU threads of each of several workers."""
    from joblib import cpu_count

    return max(1, int(cpu_count()) // workers)


@contextmanager
def dealing(gpus: Sequence[str]) -> Iterator[Path]:
    """Yield a file that lists the GPUs, from which worker processes inside the context take theirs."""
    descriptor, name = tempfile.mkstemp(prefix="gan-train-gpus-")
    os.write(descriptor, ",".join(gpus).encode())
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink()


def take_gpu() -> None:
    """Let this worker process see one GPU alone, if GPUs are dealt out; before CUDA is initialised.

    The process keeps the GPU for its further jobs, because CUDA reads ``CUDA_VISIBLE_DEVICES`` once.
    """
    if GPUS in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = _taken(os.environ[GPUS])


@lru_cache  # the lock is lost if the process opens the file again and closes it
def _taken(file: str) -> str:
    """Return the GPU of the lowest number that no other living process has taken from ``file``.

    The process locks the byte of this number. The kernel releases the lock when the process ends, for any reason, so the worker
    that replaces a dead one takes its GPU. With more workers than GPUs the numbers go round.
    """
    gpus = Path(file).read_text().split(",")
    descriptor = os.open(file, os.O_RDWR)  # stays open, and so does the lock
    for number in itertools.count():
        with suppress(BlockingIOError, PermissionError):
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
            break
    return gpus[number % len(gpus)]
