"""Curves over what the rounds have cost: images, epochs, FLOPs, time, or the time of the processor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from gan_cli.errors import UserError
from gan_cli.report.figures.curves import Curves
from gan_cli.report.figures.style import RenderedFigure
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.series import ScalarSeries
from gan_cli.runs.costs import COSTS

RECORD = [one.name for one in fields(RunRecord)]


@dataclass(frozen=True, kw_only=True)
class CostCurves(Curves):
    """Curves over a cost instead of steps, so that methods are compared at equal cost.

    Between two steps at which the cost is logged it grows linearly. Seeds whose costs differ, as times do, have no mean.

    Args:
        cost: One of ``runs.costs.COSTS``.
    """

    cost: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cost not in COSTS:
            raise UserError(f"cost={self.cost}: it must be one of {', '.join(COSTS)}.")

    @property
    def x_label(self) -> str:
        return self.cost.replace("_", " ")

    def draw(self, runs: Sequence[RunRecord]) -> list[RenderedFigure]:
        tag = COSTS[self.cost]
        logged = [run for run in self.select(runs) if run.series(tag)]
        if not logged:
            raise UserError(f"nothing to draw: no run has logged {tag}.")
        drawn = super().draw([_OverCost(**{name: getattr(run, name) for name in RECORD}, tag=tag) for run in logged])
        return [replace(one, data=[self._named(row) for row in one.data]) for one in drawn]

    def _named(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {self.cost if key == "step" else key: value for key, value in row.items()}


@dataclass(frozen=True, kw_only=True)
class _OverCost(RunRecord):
    """A run whose curves have the cost logged as ``tag`` in place of their steps."""

    tag: str

    def series(self, tag: str) -> ScalarSeries:
        curve, cost = super().series(tag), super().series(self.tag).finite()
        return ScalarSeries(np.interp(curve.steps, [0, *cost.steps], [0, *cost.values]), curve.values)
