"""The training loop: one round of the game after another, and the callbacks that follow each of them."""

from collections.abc import Callable, Iterable, Iterator

from gan_cli.games.reporting import reporting
from gan_cli.schedules.turns import Schedule
from gan_cli.solvers.base import Solver
from gan_cli.types import Batch, Stats

Callback = Callable[[int, Stats], None]
"""Called after each round with the step and the statistics of the round."""


def training_loop(
    solver: Solver,
    batches: Iterator[Batch],
    schedule: Schedule,
    steps: int,
    callbacks: Iterable[Callback],
    start: int = 0,
    begin_round: Callable[[int], None] = lambda step: None,
    looks_at: Callable[[int], bool] = lambda step: True,
) -> None:
    """Play the rounds ``start`` + 1 to ``steps``, and call the callbacks in order after each round.

    Args:
        solver: Takes the steps of one round.
        batches: Training batches without end.
        schedule: Step -> the order of turns in that round.
        steps: The last round.
        callbacks: Called with (step, statistics of the round); an exception of a callback ends training.
        start: The number of rounds that have been played already.
        begin_round: Called with the step before each round.
        looks_at: Step -> True if the callbacks look at other statistics of this round than losses and norms of gradients.
    """
    for step in range(start + 1, steps + 1):
        begin_round(step)
        with reporting(looks_at(step)):
            stats = solver.round(schedule(step), batches)
        for callback in callbacks:
            callback(step, stats)


class Every:
    """Calls the callbacks ``actions`` in order at every ``period``-th step (0: never), and at step ``last``."""

    def __init__(self, period: int, *actions: Callback, last: int = 0) -> None:
        self.period, self.actions, self.last = period, actions, last

    def __call__(self, step: int, stats: Stats) -> None:
        if step == self.last or (self.period and step % self.period == 0):
            for action in self.actions:
                action(step, stats)
