"""Early stopping: a run ends when its metric has stopped improving."""

import math
from collections.abc import Mapping
from typing import Any

from gan_cli.metrics.base import Value
from gan_cli.training.loop import End


class EarlyStopping:
    """Ends a run whose metric has not improved by more than its standard error for some evaluations.

    Args:
        end: The end of the run.
        patience: Number of evaluations. None: the run never stops early.
        higher_is_better: True if larger values of the metric are better.

    Attributes:
        best: The value that further ones must improve on. None: there is none yet.
        best_step: The step of this value.
        since: Number of evaluations since then.
    """

    def __init__(self, end: End, patience: int | None, higher_is_better: bool) -> None:
        self.end, self.patience, self.sign = end, patience, 1 if higher_is_better else -1
        self.best: float | None = None
        self.best_step, self.since = 0, 0

    def judge(self, step: int, value: Value) -> None:
        """Take an evaluation into account; without patience there is nothing to remember."""
        if self.patience is None:
            return
        gain = math.inf if self.best is None else self.sign * (value.value - self.best)
        if math.isfinite(value.value) and gain > (value.error or 0.0):
            self.best, self.best_step, self.since = value.value, step, 0
        else:
            self.since += 1
        self.stop_if_due(step)

    def stop_if_due(self, step: int) -> None:
        """Make ``step`` the last one if the patience is used up."""
        if self.has_stopped:
            self.end.stop(step)

    @property
    def has_stopped(self) -> bool:
        """True if the patience is used up."""
        return self.patience is not None and self.since >= self.patience

    def in_words(self, step: int) -> str:
        """Return why the run has ended at ``step``."""
        return f"stopped early at step {step}: no improvement in {self.since} evaluations since step {self.best_step}"

    def state_dict(self) -> dict[str, Any]:
        """Return the best value, its step, and the number of evaluations since then."""
        return {"best": self.best, "best_step": self.best_step, "evaluations": self.since}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from these evaluations."""
        self.best, self.best_step, self.since = state["best"], state["best_step"], state["evaluations"]
