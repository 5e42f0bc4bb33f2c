"""Pruning: a search ends a run that does worse than its other runs did at the same step."""

from typing import Protocol

from gan_cli.metrics.base import Value
from gan_cli.training.loop import End


class Pruner(Protocol):
    """Judges a run by the other runs of its search.

    Attributes:
        pruned_at: The step at which the run was found to be worse, possibly before it was resumed. None: it was not.
    """

    pruned_at: int | None

    def prunes(self, step: int, value: float, higher_is_better: bool) -> bool:
        """Take the metric at ``step`` into account, and return True if the run is to end here."""
        ...


class Pruning:
    """Ends a run when its search prunes it.

    The metric before the first round and that at the end of the run are not judged.

    Args:
        end: The end of the run.
        first: Number of rounds that had been played when the run began.
        pruner: Judges the run. None: the run is never pruned.
        higher_is_better: True if larger values of the metric are better.
    """

    def __init__(self, end: End, first: int, pruner: Pruner | None, higher_is_better: bool) -> None:
        self.end, self.first, self.pruner, self.higher_is_better = end, first, pruner, higher_is_better
        if pruner is not None and pruner.pruned_at is not None:
            end.stop(pruner.pruned_at)

    def judge(self, step: int, value: Value) -> None:
        """Take an evaluation into account, and make ``step`` the last one if the search prunes the run."""
        if self.pruner is None or self.has_pruned or step == self.first or self.end.reached(step):
            return
        if self.pruner.prunes(step, value.value, self.higher_is_better):
            self.end.stop(step)

    @property
    def has_pruned(self) -> bool:
        """True if the run ends because it was pruned."""
        return self.pruner is not None and self.pruner.pruned_at is not None
