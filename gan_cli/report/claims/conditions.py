"""Conditions of a claim: a baseline that must fail it, and a requirement that its runs must meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_cli import checks
from gan_cli.errors import FieldError
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.claims.bounds import check_bounds, describe_bounds, inside
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.series import ScalarSeries

BASELINE_FORM = "it must be {says: TEXT, value: NUMBER}."
REQUIREMENT_FORM = "it must be {tag: TAG, above: NUMBER} or {tag: TAG, below: NUMBER}."


@dataclass(frozen=True)
class Baseline:
    """A cheap substitute for the training that a claim is about.

    Attributes:
        says: The substitute, in a few words.
        value: The number that the claim bounds, measured on the substitute.
    """

    says: str
    value: float

    @classmethod
    def read(cls, node: Any) -> "Baseline":
        """Return the baseline that a config describes.

        Raises:
            FieldError: If the node has another form.
        """
        if not isinstance(node, Mapping) or node.keys() != {"says", "value"} or not isinstance(node["says"], str):
            raise FieldError("baseline", node, BASELINE_FORM)
        checks.number("baseline.value", node["value"])
        return cls(node["says"], node["value"])

    def __str__(self) -> str:
        return f"{self.says}, {self.value:.4g}"


@dataclass(frozen=True)
class Requirement:
    """What a run must have reached before a claim about it is decided at all.

    Attributes:
        tag: A logged number. The median of the last quarter of its values counts.
        above: Lower bound.
        below: Upper bound.
    """

    tag: str
    above: float | None = None
    below: float | None = None

    @classmethod
    def read(cls, node: Any) -> "Requirement":
        """Return the requirement that a config describes.

        Raises:
            FieldError: If the node has another form.
            UserError: If it has no bound, or one that is not a number.
        """
        if not isinstance(node, Mapping) or not {"tag"} < node.keys() <= {"tag", "above", "below"}:
            raise FieldError("requires", node, REQUIREMENT_FORM)
        check_bounds(node.get("above"), node.get("below"), ("requires.above", "requires.below"))
        return cls(**node)

    def __str__(self) -> str:
        return f"{self.tag} (median of its last quarter) is {describe_bounds(self.above, self.below)}"

    def unmet(self, run: RunRecord) -> str | None:
        """Return why ``run`` does not meet the requirement, or None if it does."""
        series = run.series(self.tag).finite()
        if not series:
            return f"{self.tag} was not logged"
        final = float(np.median(quarter(series, 1)))
        if inside(final, self.above, self.below):
            return None
        return f"{self.tag} ends at {format_value(final)}, {describe_bounds(self.above, self.below)} is required"


def quarter(series: ScalarSeries, from_the_end: int) -> np.ndarray:
    """Return the values of a quarter of ``series``, the last one for 1, the one before it for 2; at least one value."""
    size = max(1, len(series.values) // 4)
    return series.values[len(series.values) - from_the_end * size :][:size]
