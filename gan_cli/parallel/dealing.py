"""Batches that are dealt out to the processes of a run, whose results process 0 puts together in order."""

import io
import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, TypeAlias

import torch
from torch import Tensor

from gan_cli.errors import UserError
from gan_cli.own_code import reason
from gan_cli.parallel.ranks import LostProcess, Order, Ranks
from gan_cli.parallel.share import Share
from gan_cli.randomness import random_state, same_state, set_random_state
from gan_cli.types import Batch

Results: TypeAlias = tuple[Tensor | None, ...]
"""The result of a batch: tensors on the CPU, None where there is none."""
Found: TypeAlias = tuple[Mapping[int, Results], Exception | None]
"""The results of some batches by their numbers, and the error that has ended the computation."""


def deal(
    ranks: Ranks, order: Order, count: int, compute: Callable[[int], Results], flag: bool = False, message: bytes = b""
) -> list[Results]:
    """Return ``compute(i)`` for each of ``count`` batches, in order; each process computes every ``ranks.count``-th of them.

    The other processes call this function, too, when they have received the order and, unless it is empty, the message. In
    them it returns nothing and raises no error of ``compute``.

    Args:
        ranks: The processes.
        order: The order that process 0 gives.
        count: Number of batches.
        compute: Returns the result of a batch.
        flag: Goes with the order.
        message: Passed on to the other processes after the order.

    Raises:
        Exception: The first error of ``compute`` in process 0.
        UserError: If ``compute`` has failed in another process.
    """
    if ranks.count == 1:
        return [compute(i) for i in range(count)]
    with ranks.ordered(order, flag=flag):
        if message:
            ranks.pass_on(message)
        began, found = time.monotonic(), _tried(compute, range(ranks.rank, count, ranks.count))
        rows = ranks.collect(_packed(found), time.monotonic() - began)
    return _in_order(found, rows)


class _Verdict(IntEnum):
    AS_EXPECTED = 0
    HAS_DRAWN = 1
    HAS_FAILED = 2


class SampledBatches:
    """Batches of samples that are made one after another from one random stream, dealt out to the processes of a run.

    The samples are those that one process makes. It is assumed that making them draws no random numbers, so that every batch
    begins with the same state of the streams. If that turns out to be wrong, every process makes all samples, encodes its own,
    and notes the states: from the second time on each process begins its batches with these. The state after each batch is
    compared with the one that the next batch began with.
    """

    def __init__(self) -> None:
        self.states: list[dict[str, Any]] = []

    def deal(
        self,
        ranks: Ranks,
        order: Order,
        count: int,
        device: torch.device,
        sample: Callable[[int], Tensor],
        encode: Callable[[int, Tensor], Results],
    ) -> list[Results]:
        """Return ``encode(i, sample(i))`` for each of ``count`` batches, in order, as the function ``deal`` does.

        Args:
            ranks: The processes.
            order: The order that process 0 gives.
            count: Number of batches.
            device: Device whose generator ``sample`` may draw from.
            sample: Makes a batch.
            encode: Returns the result of a batch; it draws no random numbers.
        """
        if ranks.count == 1:
            return [encode(i, sample(i)) for i in range(count)]
        own, before, began = range(ranks.rank, count, ranks.count), random_state(device), time.monotonic()
        known = len(self.states) == count + 1 and same_state(self.states[0], before)
        states = list(self.states) if known else [before] * (count + 1)

        def made(i: int) -> Results:
            set_random_state(states[i], device)
            x = sample(i)
            if not same_state(random_state(device), states[i + 1]):
                raise _Drawn
            return encode(i, x)

        def made_in_sequence(i: int) -> Results:
            x = sample(i)
            self.states.append(random_state(device))
            return encode(i, x) if i in own else ()

        with ranks.ordered(order):
            results, error = found = _tried(made, own)
            verdict = _Verdict.AS_EXPECTED if error is None else _Verdict.HAS_FAILED
            if isinstance(error, _Drawn):
                verdict = _Verdict.HAS_DRAWN
            verdicts = [row[0] for row in ranks.exchange([verdict], time.monotonic() - began)]
            if max(verdicts) == _Verdict.HAS_DRAWN:
                set_random_state(before, device)
                self.states = [before]
                results, error = _tried(made_in_sequence, range(count))
                found = {i: results[i] for i in own if i in results}, error
            rows = ranks.collect(_packed(found), time.monotonic() - began)
        return _in_order(found, rows)


def deal_rows(
    ranks: Ranks, order: Order, compute: Callable[[slice], tuple[Tensor, ...]], batch: Batch, device: torch.device
) -> tuple[Tensor, ...] | None:
    """Return ``compute(rows)`` for all rows of a batch, of which each process computes an equal part; None in the others.

    Random numbers are those of the whole batch, as in a turn. None is also returned if a process has failed, for instance
    because it draws by functions of its own: the batch can still be computed whole.

    Args:
        ranks: The processes, more than one.
        order: The order that process 0 gives.
        compute: Returns tensors with a row for each of these rows.
        batch: The whole batch. The number of processes divides its length.
        device: Device whose generator ``compute`` may draw from.
    """
    n = len(batch.x) // ranks.count
    rows = slice(ranks.rank * n, (ranks.rank + 1) * n)
    part = Batch(batch.x[rows], None if batch.y is None else batch.y[rows])

    def computed(i: int) -> Results:
        with Share(i, 1, part, batch, device, ranks).computing():
            return compute(rows)

    try:
        parts = deal(ranks, order, ranks.count, computed)
    except LostProcess:
        raise
    except Exception:
        return None
    return tuple(torch.cat(each) for each in zip(*parts, strict=True)) if parts else None


class _Drawn(Exception):
    """Sampling has drawn other random numbers than expected."""


def _tried(compute: Callable[[int], Results], batches: range) -> Found:
    """Return the results of ``batches`` up to the first error, and that error."""
    results: dict[int, Results] = {}
    try:
        for i in batches:
            results[i] = compute(i)
    except LostProcess:
        raise
    except Exception as error:
        return results, error
    return results, None


def _packed(found: Found) -> bytes:
    results, error = found
    content, by_batch = io.BytesIO(), {**results}
    torch.save({"results": by_batch, "failure": "" if error is None else reason(error)}, content)
    return content.getvalue()


def _in_order(found: Found, rows: list[bytes]) -> list[Results]:
    """Return all results in the order of their batches, in process 0, which alone has received ``rows``."""
    results, error = found
    every: dict[int, Results] = {**results}
    if rows and error is not None:
        raise error
    for rank, row in enumerate(rows[1:], 1):
        answer = torch.load(io.BytesIO(row), weights_only=True)
        if answer["failure"]:
            raise UserError(f"process {rank} of {len(rows)}: {answer['failure']}")
        every |= answer["results"]
    return [every[i] for i in sorted(every)] if rows else []
