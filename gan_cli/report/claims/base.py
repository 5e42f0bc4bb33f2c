"""Base classes of claims: a claim is held, not held or undecided by measured numbers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gan_cli import checks
from gan_cli.errors import FieldError, UserError
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.series import ScalarSeries

HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"
STILL_FALLING = 0.1
"""A metric is still falling if its last quarter is lower than the quarter before by more than this fraction of its value."""
MIN_EVALUATIONS = 8
"""Minimum number of evaluations needed to tell whether a metric has settled."""


class Verdict(NamedTuple):
    """Outcome of a claim.

    Attributes:
        state: ``held``, ``not held`` or ``undecided``.
        reason: The measured numbers that led to it.
    """

    state: str
    reason: str


@dataclass(frozen=True)
class Assessment:
    """A claim together with its verdict.

    Attributes:
        claim: The claim in a sentence.
        rule: The rule with its thresholds, as text.
        verdict: The verdict over all runs.
        runs: Verdict of each run by name, for claims that are assessed run by run.
    """

    claim: str
    rule: str
    verdict: Verdict
    runs: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Claim(ABC):
    """A statement of a source that measured numbers can contradict.

    Args:
        says: The source's claim in a sentence.
        where: Selects the runs that the claim is about by config or override, as ``{loss: wgan}``. Default: all runs.
    """

    says: str
    where: Mapping[str, Any] = field(default_factory=dict)

    @abstractmethod
    def rule(self) -> str:
        """Return what has to be measured for the claim to hold."""

    @abstractmethod
    def assess(self, runs: Sequence[RunRecord]) -> Assessment:
        """Return the verdict on this claim given ``runs``."""

    def select(self, runs: Sequence[RunRecord]) -> list[RunRecord]:
        """Return those of ``runs`` that the claim is about."""
        return [run for run in runs if run.matches(self.where)]

    def assessment(self, state: str, reason: str, runs: Mapping[str, Verdict] | None = None) -> Assessment:
        """Return an assessment of this claim with the given verdict."""
        return Assessment(self.says, self.rule() + self.precondition(), Verdict(state, reason), runs or {})

    def precondition(self) -> str:
        """Return the condition under which the claim is decided at all, as a suffix of the rule; empty if there is none."""
        return ""


@dataclass(frozen=True, kw_only=True)
class RunClaim(Claim):
    """A claim that is checked for each run separately.

    It is held if at least ``share`` of the runs hold it, not held if so many runs contradict it that the undecided ones cannot
    change that, and undecided otherwise.

    Args:
        share: Fraction of the runs in which the claim must hold, in (0, 1].
        improves: Training precondition. A run is undecided unless ``metric`` has improved on its value at step 0 by this
            factor. None: no precondition.
        metric: The tag that ``improves`` refers to; positive, lower is better.
        settled: If true, the precondition also requires that ``metric`` is no longer falling.
    """

    share: float = 1.0
    improves: float | None = None
    metric: str | None = None
    settled: bool = True

    def __post_init__(self) -> None:
        checks.number("share", self.share, above=0)
        checks.flag("settled", self.settled)
        if self.share > 1:
            raise FieldError("share", self.share, "it must be at most 1.")
        if self.improves is not None:
            checks.number("improves", self.improves, above=0)
            if self.metric is None:
                raise UserError("improves needs metric, the tag that has to improve.")

    @abstractmethod
    def verdict(self, run: RunRecord) -> Verdict:
        """Return the verdict for one finished run."""

    def precondition(self) -> str:
        if self.improves is None:
            return ""
        settled = " and is no longer falling" if self.settled else ""
        return f"; undecided unless {self.metric} improves on step 0 by the factor {self.improves:g}{settled}"

    def assess(self, runs: Sequence[RunRecord]) -> Assessment:
        chosen = self.select(runs)
        if not chosen:
            return self.assessment(UNDECIDED, f"no run here has {_conditions(self.where)}" if self.where else "there is no run")
        verdicts = {run.name: self._assess_run(run) for run in chosen}
        if len(chosen) == 1:
            return self.assessment(*next(iter(verdicts.values())))
        return self.assessment(*combine_verdicts(list(verdicts.values()), self.share), verdicts)

    def _assess_run(self, run: RunRecord) -> Verdict:
        if run.sweep_run.problem == "unfinished":
            return Verdict(UNDECIDED, f"unfinished, at step {run.step}")
        if run.sweep_run.problem is not None:
            return Verdict(UNDECIDED, run.sweep_run.problem)
        if run.shortened:
            return Verdict(UNDECIDED, f"too short to judge: {', '.join(run.shortened)}")
        if self.improves is not None and self.metric is not None:
            unfinished = insufficient_training(self.metric, run.series(self.metric), self.improves, self.settled)
            if unfinished is not None:
                return Verdict(UNDECIDED, unfinished)
        return self.verdict(run)


def undecidable(runs: Sequence[RunRecord]) -> str | None:
    """Return why runs cannot be compared with each other: they have not finished, or were shortened. None if they can."""
    if unfinished := [run.name for run in runs if run.sweep_run.problem is not None]:
        return f"not finished: {', '.join(unfinished)}"
    texts = describe_shortened(runs)
    return f"too short to judge: {'; '.join(texts)}" if texts else None


def describe_shortened(runs: Sequence[RunRecord]) -> list[str]:
    """Return the sizes below those of the experiment, each combination with the names of its runs unless all runs have it."""
    names: dict[tuple[str, ...], list[str]] = {}
    for run in runs:
        if run.shortened:
            names.setdefault(run.shortened, []).append(run.name)
    return [
        ", ".join(sizes) + ("" if len(having) == len(runs) else f" ({'; '.join(having)})") for sizes, having in names.items()
    ]


def combine_verdicts(verdicts: Sequence[Verdict], share: float) -> Verdict:
    """Combine the verdicts of several runs into one.

    Args:
        verdicts: One verdict for each run.
        share: Fraction of the runs in which the claim must hold, in (0, 1].
    """
    n = len(verdicts)
    held, not_held = (sum(verdict.state == state for verdict in verdicts) for state in (HELD, NOT_HELD))
    needed = share * n - 1e-9
    state = HELD if held >= needed else NOT_HELD if n - not_held < needed else UNDECIDED
    return Verdict(state, count_runs(held, not_held, n - held - not_held, share))


def count_runs(held: int, not_held: int, undecided: int, share: float) -> str:
    """Return the numbers of runs in which a claim is held, not held and undecided, in words."""
    n = held + not_held + undecided
    if n in (held, undecided):
        return f"{HELD if held else UNDECIDED} in all {n} runs"
    if n == not_held:
        return f"held in none of the {n} runs"
    counts = [(state, count) for state, count in ((HELD, held), (NOT_HELD, not_held), (UNDECIDED, undecided)) if count]
    words = [f"{state} in {count}{f' of {n} runs' if i == 0 else ''}" for i, (state, count) in enumerate(counts)]
    required = "all" if share == 1 else f"{share:.0%}"
    return f"{', '.join(words)}; it must hold in {required}"


def of_last(n: int) -> str:
    """Return the remark that a final value is the median of the last ``n`` values; empty for a single one."""
    return "" if n == 1 else f" (median of the last {n} values)"


def insufficient_training(tag: str, series: ScalarSeries, factor: float, settled: bool = True) -> str | None:
    """Return why training was too short to decide a claim.

    Args:
        tag: Name of the metric, for the message.
        series: Its values; positive, lower is better.
        factor: Required ratio of the value at step 0 to the median of the last quarter.
        settled: If true, the metric must also have stopped falling.

    Returns:
        The reason, or None if training was long enough.
    """
    points = series.finite()
    if len(points.steps) < MIN_EVALUATIONS or points.steps[0] != 0:
        return f"{tag} was evaluated {len(points.steps)} times: at least {MIN_EVALUATIONS} are needed, the first at step 0"
    first, last = points.values[0], float(np.median(_quarter(points, 1)))
    if not last * factor <= first:
        ends = f"from {format_value(first)} to {format_value(last)} (median of its last quarter)"
        return f"training too short: {tag} went {ends}, not better by the factor {factor:g}"
    return still_falling(tag, points) if settled else None


def still_falling(tag: str, series: ScalarSeries) -> str | None:
    """Return by how much ``tag`` still falls at the end of training, or None if it has settled."""
    before, last = (float(np.median(_quarter(series, n))) for n in (2, 1))
    if before - last > STILL_FALLING * abs(last):
        ends = f"from {format_value(before)} to {format_value(last)}"
        return f"training too short: {tag} is still falling, {ends} (medians of its last two quarters)"
    return None


def _quarter(series: ScalarSeries, from_the_end: int) -> np.ndarray:
    size = max(1, len(series.values) // 4)
    return series.values[len(series.values) - from_the_end * size :][:size]


def check_bounds(at_least: float | None, at_most: float | None, names: tuple[str, str] = ("at_least", "at_most")) -> None:
    """Check that a claim has at least one numeric bound.

    Raises:
        UserError: If both bounds are None, or one of them is not a number.
    """
    if at_least is None and at_most is None:
        raise UserError(f"a claim needs {names[0]} or {names[1]}: otherwise nothing could contradict it.")
    for name, value in zip(names, (at_least, at_most), strict=True):
        if value is not None:
            checks.number(name, value)


def judge_bounds(value: float, at_least: float | None, at_most: float | None) -> str:
    """Return ``held`` if ``value`` lies within the given bounds, else ``not held``."""
    return HELD if (at_least is None or value >= at_least) and (at_most is None or value <= at_most) else NOT_HELD


def describe_bounds(at_least: float | None, at_most: float | None) -> str:
    """Return the bounds as text."""
    if at_least is not None and at_least == at_most:
        return f"{at_least:g}"
    parts = [f"at least {at_least:g}" if at_least is not None else "", f"at most {at_most:g}" if at_most is not None else ""]
    return " and ".join(filter(None, parts))


def _conditions(where: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in where.items())


def not_logged(tag: str) -> Verdict:
    """Return an undecided verdict because ``tag`` is missing."""
    return Verdict(UNDECIDED, f"{tag} was not logged, or too rarely")
