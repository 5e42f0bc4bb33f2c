"""Division: how the batch of a turn is cut into parts for processes, and the means of what is computed on them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from gan_cli.errors import UserError
from gan_cli.parallel.ranks import ALONE, Ranks
from gan_cli.parallel.share import Share, divided
from gan_cli.randomness import random_state, set_random_state
from gan_cli.types import Batch, Stats

T = TypeVar("T")
CPU = torch.device("cpu")


class Computed(NamedTuple):
    """The loss of a turn on a batch, or on a part of one, with what else was computed there.

    Attributes:
        loss: The loss, 0-d.
        stats: The numbers that the turn reports.
        tensors: Gradients or the like; None stands for 0.
    """

    loss: Tensor
    stats: Stats
    tensors: Sequence[Tensor | None] = ()


class Division:
    """Cuts every batch into equal parts, which are computed by several processes, and one after another in each of them.

    The mean over the parts is what the whole batch would give, if the loss is a mean over samples: random numbers are those of
    the whole batch, see ``Share``, and every part begins with the buffers that the turn began with. After the turn a buffer is
    the mean over the parts; so spectral norm takes the steps of one pass, and batch norm's averages see all samples. An
    undivided batch is computed as if there were no division.

    The parts that the processes compute at the same time lie side by side in the batch: together they are a part of the same
    batch in one process.

    Args:
        parts: Number of parts that each process computes, at least 1.
        game: The module whose buffers forward passes may move.
        device: Device of the game.
        ranks: The processes.

    Attributes:
        count: Number of parts of a batch, those of all processes together.
    """

    def __init__(self, parts: int = 1, game: nn.Module | None = None, device: torch.device = CPU, ranks: Ranks = ALONE) -> None:
        self.parts, self.device, self.ranks = parts, device, ranks
        self.count = parts * ranks.count
        self.buffers = [] if game is None else list(game.buffers())
        self.moved_from: list[Tensor] = []

    def each(self, batch: Batch, compute: Callable[[Batch], T]) -> Iterator[T]:
        """Yield ``compute(part)`` for each part of the batch that this process computes.

        Raises:
            UserError: If the batch cannot be cut into equal parts, or what is computed needs the whole batch.
        """
        if self.count == 1:
            yield compute(batch)
            return
        require_equal_parts(len(batch.x), self.parts, self.ranks.count)
        n = len(batch.x) // self.count
        streams, before = random_state(self.device), [buffer.clone() for buffer in self.buffers]
        moved: list[list[Tensor]] = []
        for turn in range(self.parts):
            if turn:
                set_random_state(streams, self.device)
                _set(self.buffers, before)
            index = turn * self.ranks.count + self.ranks.rank
            rows = slice(index * n, (index + 1) * n)
            part = Batch(batch.x[rows], None if batch.y is None else batch.y[rows])
            with Share(index, self.parts, part, batch, self.device, self.ranks).computing():
                result = compute(part)
            moved.append([buffer.clone() for buffer in self.buffers])
            yield result
        _set(self.buffers, [_mean_buffer(values) for values in zip(*moved, strict=True)])
        self.moved_from = before

    def mean(self, computed: Iterable[Computed]) -> Computed:
        """Return the mean over all parts of all processes; what a single part computed stays as it is."""
        if self.count == 1:
            (only,) = computed
            return only
        names: list[str] = []

        def values(part: Computed) -> Sequence[Tensor | None]:
            names[:] = part.stats
            return [part.loss, *part.stats.values(), *part.tensors]

        loss, *others = self.mean_of_each(map(values, computed))
        assert loss is not None
        stats = {name: value for name, value in zip(names, others, strict=False) if value is not None}
        return Computed(loss, stats, others[len(names) :])

    def mean_of_each(self, lists: Iterable[Sequence[Tensor | None]]) -> list[Tensor | None]:
        """Return the means over all parts of the tensors at each place, without a graph; None stands for 0.

        The buffers that the parts have moved become their means over the processes, too, in the same message.
        """
        sums: list[Tensor | None] = []
        for values in lists:
            detached = [None if value is None else value.detach() for value in values]
            sums = [_sum(a, b) for a, b in zip(sums, detached, strict=True)] if sums else detached
        if self.ranks.count > 1:
            sums = self._over_ranks(sums)
        return [None if total is None else total / self.count for total in sums]

    def _over_ranks(self, sums: list[Tensor | None]) -> list[Tensor | None]:
        """Return the sums over the processes, and set the buffers to their means."""
        moved = [(buffer, old) for buffer, old in zip(self.buffers, self.moved_from, strict=False) if old.is_floating_point()]
        self.moved_from = []
        # differences, because those of buffers that do not move are exactly 0, and so stay what they are
        totals = self.ranks.sum([*sums, *(buffer.detach() - old for buffer, old in moved)])
        for (buffer, old), move in zip(moved, totals[len(sums) :], strict=True):
            assert move is not None
            _set([buffer], [old + move / self.ranks.count])
        return totals[: len(sums)]


WHOLE = Division()
"""Undivided batches."""


def require_equal_parts(samples: int, parts: int, processes: int = 1) -> None:
    """Check that a batch can be cut into equal parts.

    Raises:
        UserError: If it cannot.
    """
    count = parts * processes
    if samples % count or samples < count:
        raise UserError(
            f"{divided(parts, processes)}: a batch of {samples} samples cannot be cut into {count} equal parts.\n"
            f"Choose a multiple of {count} as train.batch_size."
        )


@torch.no_grad()
def _set(buffers: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    for buffer, value in zip(buffers, values, strict=True):
        # as batch norm itself moves them: graphs that are kept hold the buffers, and do not look at their values
        buffer.data.copy_(value)


def _mean_buffer(values: Sequence[Tensor]) -> Tensor:
    """Return the mean of floating-point values, and the last of others: counters, which all parts advance alike."""
    return torch.stack(list(values)).mean(0) if values[0].is_floating_point() else values[-1]


def _sum(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return (a if b is None else b) if a is None or b is None else a + b
