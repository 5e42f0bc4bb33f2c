"""A claim about curves that turn round."""

from dataclasses import dataclass

import numpy as np

from gan_cli import checks
from gan_cli.report.claims.base import RunClaim, Verdict, bounds, limits, missing, within
from gan_cli.report.records.runs import RunRecord


@dataclass(frozen=True, kw_only=True)
class Reversals(RunClaim):
    """``tag`` turns from rising to falling or back ``at_least`` or ``at_most`` this many times.

    A turn counts once the tag has gone back by more than ``by`` from its last peak or trough.
    """

    tag: str
    at_least: float | None = None
    at_most: float | None = None
    by: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        limits(self.at_least, self.at_most)
        checks.number("by", self.by, least=0)

    def rule(self) -> str:
        """The limits."""
        slack = f" by more than {self.by:g}" if self.by else ""
        return f"the number of times that {self.tag} turns round{slack} {bounds(self.at_least, self.at_most)}"

    def verdict(self, run: RunRecord) -> Verdict:
        """The number of turns against the limits."""
        values = run.series(self.tag).finite().values
        if len(values) < 3:
            return missing(self.tag)
        n = reversals(values, self.by)
        return Verdict(within(n, self.at_least, self.at_most), f"{self.tag} turns round {n} times in {len(values)} values")


def reversals(values: np.ndarray, by: float) -> int:
    """How often ``values`` ``[n]`` turn round by more than ``by``."""
    count, direction, extreme = 0, 0.0, values[0]
    for value in values[1:]:
        if direction * (value - extreme) >= 0 and direction:
            extreme = value
        elif abs(value - extreme) > by:
            count += direction != 0
            direction, extreme = np.sign(value - extreme), value
    return count
