"""The processes of a run from the side of process 0, which starts them, or finds those that torchrun has started."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from typing import Any, TypeAlias

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from gan_cli.parallel.launched import Launch, led
from gan_cli.parallel.ranks import ALONE, FOREVER, LostProcess, Order, Ranks, among

JOB, NONE = "job", "none"
"""Key of the store under which process 0 leaves the job, and its value if there is none."""
PATIENCE = 60.0
"""Seconds that processes have to end when they are told to."""
HOST = "127.0.0.1"
Process: TypeAlias = "subprocess.Popen[bytes]"


@cache
def store_of(launch: Launch) -> Any:
    """Return the store at which the processes of ``launch`` meet."""
    is_master = launch.rank == 0 and not launch.is_hosted
    return TCPStore(launch.address, launch.port, is_master=is_master, wait_for_workers=False)


def ranks_of(launch: Launch) -> Ranks:
    """Return the processes of ``launch``, not connected yet."""
    return Ranks(launch.rank, launch.world, launch.local_rank, launch.local_count, shares_threads=launch.is_spawned)


@contextmanager
def together(processes: int) -> Iterator[Ranks]:
    """Compute the run inside the context with the processes that torchrun has started, else with so many of this machine.

    The others wait until this one says what they build, and connects to them.
    """
    if (launch := led()) is not None:
        with _led(ranks_of(launch), store_of(launch), []) as ranks:
            yield ranks
    elif processes == 1:
        yield ALONE
    else:
        store = TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
        launch = Launch(0, processes, 0, processes, HOST, store.port, True, True)
        started = [_start(launch._replace(rank=rank, local_rank=rank)) for rank in range(1, processes)]
        with _led(ranks_of(launch), store, started) as ranks:
            yield ranks


def meet(ranks: Ranks, device: torch.device, job: bytes) -> None:
    """Give the other processes the job, and connect to them."""
    ranks.store.set(JOB, job)
    ranks.connect(ranks.store, device)


def job_of(launch: Launch) -> bytes:
    """Wait for the job that process 0 gives, and return it; empty if it ends without one."""
    store = store_of(launch)
    try:
        store.wait([JOB], FOREVER)
        job: bytes = store.get(JOB)
    except RuntimeError:  # process 0, which had opened the store, has ended
        return b""
    return job if job != NONE.encode() else b""


def dismiss(launch: Launch) -> None:
    """Let the other processes end that wait for a run of this one."""
    store = store_of(launch)
    with suppress(RuntimeError):
        store.compare_set(JOB, "", NONE)


@contextmanager
def _led(ranks: Ranks, store: Any, started: Sequence[Process]) -> Iterator[Ranks]:
    """Lead the processes inside the context, and let them end after it; those that this one has ``started`` are ended."""
    ranks.store, n_threads = store, torch.get_num_threads()
    ranks.ended = partial(_ended, started)
    try:
        with among(ranks):
            yield ranks
    finally:
        patience = PATIENCE if _end(ranks) else 0.0
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)
            process.kill()
            process.wait()
        if started or not ranks.has_lost:  # a connection to a process that does not answer cannot be closed
            ranks.close()
        torch.set_num_threads(n_threads)


def _end(ranks: Ranks) -> bool:
    """Tell the others to end, and return True, where they wait for an order."""
    if ranks.is_waited_for:
        with suppress(LostProcess), ranks.ordered(Order.END):
            return True
    return False


def _start(launch: Launch) -> Process:
    return subprocess.Popen(
        [sys.executable, "-m", "gan_cli"],
        env={**os.environ, **launch.environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # signals of the terminal reach process 0 alone
    )


def _ended(started: Sequence[Process]) -> str:
    """Return which of these processes, number 1 and so on, has ended, and how; empty if none has."""
    for rank, process in enumerate(started, 1):
        if code := process.poll():
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            return f"process {rank} of {len(started) + 1} has ended with {how}."
    return ""
