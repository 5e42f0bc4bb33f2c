"""Ranks: the processes that compute a run together, as each of them sees the others."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from enum import IntEnum
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from gan_cli.errors import UserError

TIMEOUT = "GAN_CLI_TIMEOUT"
"""Environment variable with the seconds after which a process that does not answer is given up."""
DEFAULT_TIMEOUT = 600.0
SLICE = timedelta(seconds=1)
"""Time that is waited at once, between which Python sees to signals."""
FOREVER = timedelta(days=365)


Order = IntEnum("Order", ["END", "PLAY", "CHECK", "COMPARE", "SAMPLE", "ENCODE", "DRAW"], start=0)
"""Commands of process 0 to all processes."""


class LostProcess(UserError):
    """Another process of the run has ended, or does not answer."""

    code = 1


class Ranks:
    """The processes of a run.

    Process 0 leads: it alone writes, prints and decides, and tells the others by ``order`` what is computed next. Two groups
    connect them, one for tensors (NCCL between GPUs, else Gloo) and one for orders (Gloo).

    Args:
        rank: The number of this process, from 0.
        count: Number of processes.
        local_rank: Its number among those of this machine.
        local_count: Number of processes on this machine.
        shares_threads: True if the processes of this machine share the CPU threads that one of them would have.

    Attributes:
        threads: Number of CPU threads that the processes of this machine share; None: each has a number of its own.
        signal: The first signal that a process other than process 0 has received; 0 before it.
        spent: Seconds of processor time of this process in rounds of which process 0 does not know yet.
        spent_elsewhere: Those of the other processes, until ``take_spent``.
        sent: Bytes of the tensors that this process has given to sums and to ``gather``.
        is_waited_for: True while the other processes wait for an order of this one.
        has_lost: True once another process has ended or has not answered.
        ended: Returns which of the other processes has ended, in words; empty where none has or it is not known.
    """

    def __init__(
        self, rank: int = 0, count: int = 1, local_rank: int = 0, local_count: int = 1, shares_threads: bool = False
    ) -> None:
        self.rank, self.count, self.local_rank, self.local_count = rank, count, local_rank, local_count
        self.threads = torch.get_num_threads() if shares_threads else None
        self.timeout = float(os.environ.get(TIMEOUT) or DEFAULT_TIMEOUT)
        self.signal, self.spent, self.spent_elsewhere = 0, 0.0, 0.0
        self.is_waited_for, self.backend, self.sent = False, "gloo", 0
        self.has_lost = False
        self.ended: Callable[[], str] = str
        self.store: Any = None
        self._orders: Any = None
        self._beating = threading.Event()
        self._heard: tuple[int, float] = (0, time.monotonic())

    @property
    def leads(self) -> bool:
        """True in process 0, and in a run of one process."""
        return self.rank == 0

    def connect(self, store: Any, device: torch.device) -> None:
        """Wait until all processes are here, however long they take to build the run, and connect to them.

        Args:
            store: The store at which they meet.
            device: Device of this process.

        Raises:
            LostProcess: If one of them has ended.
        """
        self.store = store
        if device.type == "cuda":
            torch.cuda.set_device(device)
            self.backend = "nccl" if self.local_count <= torch.cuda.device_count() else "gloo"
        within = timedelta(seconds=self.timeout) if self.backend == "nccl" else FOREVER
        with self._naming_the_lost():
            store.set(f"ready/{self.rank}", "")
            while not store.check([f"ready/{rank}" for rank in range(self.count)]):
                if self.leads and (lost := self._failure() or self.ended()):
                    raise LostProcess(lost)
                time.sleep(0.05)
            dist.init_process_group(self.backend, store=store, rank=self.rank, world_size=self.count, timeout=within)
            self._orders = dist.new_group(backend="gloo", timeout=FOREVER)
        self.is_waited_for, self._heard = self.leads, (0, time.monotonic())
        if self.leads:
            threading.Thread(target=self._beat, daemon=True).start()

    def close(self) -> None:
        """Leave the other processes."""
        self._beating.set()
        if self._orders is not None:
            self._orders = None
            dist.destroy_process_group()

    def sum(self, tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Return the sums of the tensors at each place over all processes, in one message; None stands for 0 everywhere.

        Sums lie in memory as the tensors do: torch's fused optimizers read gradients in the layout of their parameters.
        """
        given = [tensor for tensor in tensors if tensor is not None]
        if self.count == 1 or not given:
            return list(tensors)
        dtype = torch.float32
        for tensor in given:
            dtype = torch.promote_types(dtype, tensor.dtype)
        flat = torch.cat([tensor.reshape(-1).to(given[0].device, dtype) for tensor in given])
        self.all_reduce(flat)
        parts = iter(flat.split([tensor.numel() for tensor in given]))
        return [
            None if tensor is None else torch.empty_like(tensor).copy_(next(parts).view(tensor.shape)) for tensor in tensors
        ]

    def gather(self, tensor: Tensor) -> Tensor:
        """Return ``tensor`` ``[*shape]`` of every process: ``[processes, *shape]``."""
        mine = tensor.contiguous()
        rows = [torch.empty_like(mine) for _ in range(self.count)]
        self.sent += mine.nbytes
        with self._naming_the_lost():
            if self.backend == "nccl":
                dist.all_gather(rows, mine)
            else:
                self._finish(dist.all_gather(rows, mine, async_op=True), self.timeout)
        return torch.stack(rows)

    def all_reduce(self, tensor: Tensor) -> None:
        """Replace ``tensor`` by its sum over all processes."""
        self.sent += tensor.nbytes
        with self._naming_the_lost():
            if self.backend == "nccl":
                dist.all_reduce(tensor)
            else:
                self._finish(dist.all_reduce(tensor, async_op=True), self.timeout)

    @contextmanager
    def ordered(self, order: Order, step: int = 0, flag: bool = False) -> Iterator[None]:
        """Tell the others what is computed inside the context, and learn what they have to tell; only process 0 gives orders.

        The first signal that another process has received is raised here; a SIGINT as SIGTERM, since process 0 may have
        received it, too, and would take it for a second one. The processor time of the others is added to ``spent_elsewhere``.
        """
        if self.count == 1 or not self.leads:
            yield
            return
        self.is_waited_for = False
        rows = self.exchange([order, step, flag, 0, 0])
        self.spent_elsewhere += sum(row[4] for row in rows) / 1e6
        if not self.signal and (received := [row[3] for row in rows if row[3]]):
            self.signal = received[0]
            signal.raise_signal(signal.SIGTERM if self.signal == signal.SIGINT else self.signal)
        yield
        self.is_waited_for = True

    def next_order(self) -> tuple[Order, int, bool]:
        """Return what process 0 wants next, with a step and a flag."""
        spent, self.spent = self.spent, 0.0
        order, step, flag, *_ = self.exchange([0, 0, 0, self.signal, int(1e6 * spent)])[0]
        return Order(order), step, bool(flag)

    def take_spent(self) -> float:
        """Return ``spent_elsewhere``, which is 0 afterwards."""
        spent, self.spent_elsewhere = self.spent_elsewhere, 0.0
        return spent

    def exchange(self, numbers: Sequence[int], seconds: float = 0.0) -> list[list[int]]:
        """Return the numbers of every process, for which process 0 waits ``seconds``, at least ``timeout``."""
        mine = torch.tensor(numbers, dtype=torch.int64)
        rows = [torch.empty_like(mine) for _ in range(self.count)]
        with self._naming_the_lost():
            self._finish(dist.all_gather(rows, mine, group=self._orders, async_op=True), self._patience(seconds))
        return [row.tolist() for row in rows]

    def collect(self, content: bytes, seconds: float = 0.0) -> list[bytes]:
        """Return the ``content`` of every process in process 0, which waits as in ``exchange``; nothing in the others."""
        sizes = [row[0] for row in self.exchange([len(content)], seconds)]
        mine = torch.zeros(max(sizes), dtype=torch.uint8)
        mine[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        rows = [torch.empty_like(mine) for _ in sizes] if self.leads else None
        with self._naming_the_lost():
            self._finish(dist.gather(mine, rows, 0, group=self._orders, async_op=True), self._patience())
        return [row[:size].numpy().tobytes() for row, size in zip(rows or (), sizes, strict=False)]

    def pass_on(self, content: bytes = b"") -> bytes:
        """Return the ``content`` that process 0 passes to this function."""
        size = self.exchange([len(content)])[0][0]
        if not size:
            return b""
        buffer = torch.frombuffer(bytearray(content), dtype=torch.uint8) if self.leads else torch.empty(size, dtype=torch.uint8)
        with self._naming_the_lost():
            self._finish(dist.broadcast(buffer, 0, group=self._orders, async_op=True), self.timeout)
        return buffer.numpy().tobytes()

    def report_failure(self, message: str) -> None:
        """Leave the reason why this process ends, for process 0."""
        with suppress(RuntimeError):
            self.store.set(f"failure/{self.rank}", message)

    def _patience(self, seconds: float = 0.0) -> float | None:
        """Return the seconds after which process 0 gives up the others; None: they wait as long as it is alive."""
        return max(self.timeout, seconds) if self.leads else None

    def _finish(self, work: Any, seconds: float | None) -> None:
        """Wait for a message, at most so many seconds; None: as long as process 0 is alive."""
        began = time.monotonic()
        while True:
            try:
                work.wait(SLICE)
                return
            except RuntimeError:
                if work.is_completed():
                    work.wait()
                    return
            if (time.monotonic() - began if seconds is not None else self._silence()) > (seconds or self.timeout):
                raise LostProcess(f"another process of this run has not answered for {self.timeout:.0f} s.")

    def _silence(self) -> float:
        """Return the seconds since the last sign of life of process 0."""
        beats = self.store.add("alive", 0)
        if beats != self._heard[0]:
            self._heard = beats, time.monotonic()
        return time.monotonic() - self._heard[1]

    def _beat(self) -> None:
        """Give a sign of life again and again."""
        with suppress(RuntimeError):
            while not self._beating.wait(min(5.0, self.timeout / 4)):
                self.store.add("alive", 1)

    @contextmanager
    def _naming_the_lost(self) -> Iterator[None]:
        """Turn an error of a connection into LostProcess, with the reason that the lost process has left."""
        try:
            yield
        except LostProcess:
            self.has_lost = True
            raise
        except RuntimeError as error:
            self.has_lost = True
            raise LostProcess(self._reason()) from error

    def _reason(self) -> str:
        for _ in range(10 if self.leads else 0):  # the other process may be about to leave its reason
            if lost := self._failure() or self.ended():
                return lost
            time.sleep(0.1)
        return f"another of the {self.count} processes of this run has ended."

    def _failure(self) -> str:
        """Return the reason that a process has left, if one has."""
        with suppress(RuntimeError):
            for rank in range(1, self.count):
                if self.store.check([f"failure/{rank}"]):
                    return f"process {rank} of {self.count}: {self.store.get(f'failure/{rank}').decode()}"
        return ""


ALONE = Ranks()
"""A run of one process."""
_here: list[Ranks] = [ALONE]


def here() -> Ranks:
    """Return the processes of the run that is being computed."""
    return _here[-1]


@contextmanager
def among(ranks: Ranks) -> Iterator[None]:
    """Let the run inside the context be computed by these processes."""
    _here.append(ranks)
    try:
        yield
    finally:
        _here.pop()
