"""The training loop: one round of the game after another, and the callbacks that follow each of them."""

from collections.abc import Callable, Iterable

from gan_cli.games.reporting import reporting
from gan_cli.types import Stats

Callback = Callable[[int, Stats], None]
"""Called after each round with the step and the statistics of the round."""


class End:
    """The end of a run.

    Args:
        last: The last round. None: it is not known yet.
    """

    def __init__(self, last: int | None = None) -> None:
        self.last = last

    def reached(self, step: int) -> bool:
        """Return True if no round follows ``step``."""
        return self.last is not None and step >= self.last

    def stop(self, step: int) -> None:
        """Make ``step`` the last round, unless an earlier one is."""
        self.last = step if self.last is None else min(step, self.last)


def training_loop(
    play: Callable[[int], Stats],
    end: End,
    callbacks: Iterable[Callback],
    start: int = 0,
    looks_at: Callable[[int], bool] = lambda step: True,
) -> None:
    """Play the rounds from ``start`` + 1 to the last one, and call the callbacks in order after each round.

    Args:
        play: Plays the round of a step, and returns its statistics.
        end: The end of the run; a callback may move it.
        callbacks: Called with (step, statistics of the round); an exception of a callback ends training.
        start: The number of rounds that have been played already.
        looks_at: Step -> True if the callbacks look at other statistics of this round than losses and norms of gradients.
    """
    step = start
    while not end.reached(step):
        step += 1
        with reporting(looks_at(step)):
            stats = play(step)
        for callback in callbacks:
            callback(step, stats)


class TimeLimit:
    """Ends the run with the round in which its time is used up.

    Args:
        end: The end of the run.
        spent: Returns the seconds that the run has spent.
        seconds: The seconds that it may spend.
    """

    def __init__(self, end: End, spent: Callable[[], float], seconds: float) -> None:
        self.end, self.spent, self.seconds = end, spent, seconds

    def __call__(self, step: int, stats: Stats | None = None) -> None:
        if self.spent() >= self.seconds:
            self.end.stop(step)

    def seconds_left(self) -> float:
        """Return the seconds that the run may still spend."""
        return max(0.0, self.seconds - self.spent())


class Every:
    """Calls the callbacks ``actions`` in order at every ``period``-th step (0: never), and at the last step."""

    def __init__(self, period: int, *actions: Callback, end: End) -> None:
        self.period, self.actions, self.end = period, actions, end

    def __call__(self, step: int, stats: Stats) -> None:
        if self.end.reached(step) or (self.period and step % self.period == 0):
            for action in self.actions:
                action(step, stats)
