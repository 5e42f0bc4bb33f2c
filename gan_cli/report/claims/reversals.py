"""A claim about how often a curve changes direction."""

from dataclasses import dataclass

import numpy as np

from gan_cli import checks
from gan_cli.report.claims.base import RunClaim, Verdict, not_logged
from gan_cli.report.claims.bounds import check_bounds, describe_bounds, inside
from gan_cli.report.records.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Reversals(RunClaim):
    """``tag`` changes between rising and falling a bounded number of times.

    A reversal counts once the tag has moved back by more than ``by`` from its last peak or trough.

    Args:
        tag: The logged number.
        at_least: Minimum number of reversals.
        at_most: Maximum number of reversals.
        by: Minimum size of a reversal, in the unit of the tag.
    """

    tag: str
    at_least: float | None = None
    at_most: float | None = None
    by: float = 0.0

    def __post_init__(self) -> None:
        check_bounds(self.at_least, self.at_most)
        checks.number("by", self.by, least=0)
        super().__post_init__()

    def holds_at(self, value: float) -> bool:
        return inside(value, self.at_least, self.at_most)

    def rule(self) -> str:
        slack = f" by more than {self.by:g}" if self.by else ""
        bounds = describe_bounds(self.at_least, self.at_most)
        return f"the number of times that {self.tag} changes direction{slack} is {bounds}"

    def verdict(self, run: RunRecord) -> Verdict:
        values = run.series(self.tag).finite().values
        if len(values) < 3:
            return not_logged(self.tag)
        n = reversals(values, self.by)
        return Verdict(self.judged(n), f"{self.tag} changes direction {n} times in {len(values)} values")


def reversals(values: np.ndarray, by: float) -> int:
    """Count how often ``values`` ``[n]`` change direction by more than ``by``."""
    count, direction, extreme = 0, 0.0, values[0]
    for value in values[1:]:
        if direction * (value - extreme) >= 0 and direction:
            extreme = value
        elif abs(value - extreme) > by:
            count += direction != 0
            direction, extreme = np.sign(value - extreme), value
    return count
