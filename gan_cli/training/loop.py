"""Time: the loop, the order of turns in a round, what happens every so often, and learning-rate decay."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from gan_cli.schedules.turns import Schedule
from gan_cli.solvers.base import Solver
from gan_cli.types import Batch, Stats

Callback = Callable[[int, Stats], None]
"""What happens after a round: (step, what the round reported)."""


def training_loop(
    solver: Solver, batches: Iterator[Batch], schedule: Schedule, steps: int, callbacks: Iterable[Callback], start: int = 0
) -> None:
    """Plays the rounds start + 1 ... steps; after each one the events happen in their order."""
    for step in range(start + 1, steps + 1):
        stats = solver.round(schedule(step), batches)
        for event in callbacks:
            event(step, stats)


@dataclass(frozen=True)
class Every:
    """Lets ``action`` happen at every ``period``-th step (0: never) and at step ``last``."""

    period: int
    action: Callback
    last: int = 0

    def __call__(self, step: int, stats: Stats) -> None:
        if step == self.last or (self.period and step % self.period == 0):
            self.action(step, stats)
