"""A claim, and how it is judged: held, not held or undecided, by measured numbers, run by run and together."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gan_cli import checks
from gan_cli.errors import UserError
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.series import ScalarSeries

HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"
STILL_FALLING = 0.1
"""A metric is still falling if its last quarter lies lower than the quarter before by more than this part of it."""
MIN_EVALUATIONS = 8
"""Fewer evaluations of a metric do not show whether it has come to rest."""


class Verdict(NamedTuple):
    """``state``: ``held``, ``not held`` or ``undecided``; ``says``: why, with the measured numbers."""

    state: str
    says: str


@dataclass(frozen=True)
class Judgement:
    """What became of one claim. ``rule``: its thresholds in words; ``runs``: verdict by run, where each was judged."""

    claim: str
    rule: str
    verdict: Verdict
    runs: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Claim(ABC):
    """Something that a source says and that numbers can contradict.

    ``says``: the source's claim in a sentence; ``where``: the runs it is about, by config or override (``{loss: wgan}``),
    all of them by default.
    """

    says: str
    where: Mapping[str, Any] = field(default_factory=dict)

    @abstractmethod
    def rule(self) -> str:
        """What has to be measured for the claim to hold."""

    @abstractmethod
    def judge(self, runs: Sequence[RunRecord]) -> Judgement:
        """The verdict by ``runs``."""

    def about(self, runs: Sequence[RunRecord]) -> list[RunRecord]:
        """Those of ``runs`` that the claim is about."""
        return [run for run in runs if run.fits(self.where)]

    def judged(self, state: str, says: str, runs: Mapping[str, Verdict] | None = None) -> Judgement:
        """This claim's judgement."""
        return Judgement(self.says, self.rule() + self.precondition(), Verdict(state, says), runs or {})

    def precondition(self) -> str:
        """What else must be so for the claim to be judged at all."""
        return ""


@dataclass(frozen=True, kw_only=True)
class RunClaim(Claim):
    """A claim about each run by itself.

    ``share``: the part of the runs in which it must hold, in (0, 1]. It holds if that many runs bear it out, does not hold if
    that many no longer can, whatever became of the undecided ones, and is undecided in between.
    ``improves``: the training precondition. A run counts as undecided unless ``metric`` (a tag, lower is better, positive) has
    become better than at step 0 by this factor. None: nothing is asked. ``settled``: it also may no longer be falling.
    """

    share: float = 1.0
    improves: float | None = None
    metric: str | None = None
    settled: bool = True

    def __post_init__(self) -> None:
        checks.number("share", self.share, above=0)
        checks.flag("settled", self.settled)
        if self.share > 1:
            raise UserError(f"share={self.share}: it must be at most 1.")
        if self.improves is not None:
            checks.number("improves", self.improves, above=0)
            if self.metric is None:
                raise UserError("improves asks for metric, the tag that has to improve.")

    @abstractmethod
    def verdict(self, run: RunRecord) -> Verdict:
        """The verdict by one finished run."""

    def precondition(self) -> str:
        """Of training, if something is asked of it."""
        if self.improves is None:
            return ""
        rest = " and is no longer falling" if self.settled else ""
        return f"; undecided unless {self.metric} improves on step 0 by the factor {self.improves:g}{rest}"

    def judge(self, runs: Sequence[RunRecord]) -> Judgement:
        """Every run by itself, then all of them by ``share``."""
        chosen = self.about(runs)
        if not chosen:
            return self.judged(UNDECIDED, f"no run here has {_shown(self.where)}" if self.where else "there is no run")
        verdicts = {run.name: self._one(run) for run in chosen}
        if len(chosen) == 1:
            return self.judged(*next(iter(verdicts.values())))
        return self.judged(*combined(list(verdicts.values()), self.share), verdicts)

    def _one(self, run: RunRecord) -> Verdict:
        if run.sweep_run.problem == "unfinished":
            return Verdict(UNDECIDED, f"unfinished, at step {run.step}")
        if run.sweep_run.problem is not None:
            return Verdict(UNDECIDED, run.sweep_run.problem)
        if self.improves is not None and self.metric is not None:
            short = too_short(self.metric, run.series(self.metric), self.improves, self.settled)
            if short is not None:
                return Verdict(UNDECIDED, short)
        return self.verdict(run)


def combined(verdicts: Sequence[Verdict], share: float) -> Verdict:
    """One verdict of many."""
    n = len(verdicts)
    held, not_held = (sum(verdict.state == state for verdict in verdicts) for state in (HELD, NOT_HELD))
    needed = share * n - 1e-9
    state = HELD if held >= needed else NOT_HELD if n - not_held < needed else UNDECIDED
    undecided = f", {n - held - not_held} undecided" if n > held + not_held else ""
    asked = "all must" if share == 1 else f"{share:.0%} must"
    return Verdict(state, f"held in {held} of {n} runs, not in {not_held}{undecided} ({asked} hold)")


def too_short(tag: str, series: ScalarSeries, factor: float, settled: bool = True) -> str | None:
    """Why training was too short for anything to be claimed of it; None if it was long enough."""
    points = series.finite()
    if len(points.steps) < MIN_EVALUATIONS or points.steps[0] != 0:
        return f"{tag} was evaluated {len(points.steps)} times: at least {MIN_EVALUATIONS} are asked for, the first at step 0"
    first, last = points.values[0], float(np.median(_quarter(points, 1)))
    if not last * factor <= first:
        ends = f"from {format_value(first)} to {format_value(last)}"
        return f"training too short: {tag} went {ends}, not better by the factor {factor:g}"
    return falling(tag, points) if settled else None


def falling(tag: str, series: ScalarSeries) -> str | None:
    """Says by how much ``tag`` still falls at the end; None where it has come to rest."""
    before, last = (float(np.median(_quarter(series, n))) for n in (2, 1))
    if before - last > STILL_FALLING * abs(last):
        ends = f"from {format_value(before)} to {format_value(last)}"
        return f"training too short: {tag} is still falling, {ends} in its last two quarters"
    return None


def _quarter(series: ScalarSeries, from_the_end: int) -> np.ndarray:
    size = max(1, len(series.values) // 4)
    return series.values[len(series.values) - from_the_end * size :][:size]


def limits(at_least: float | None, at_most: float | None, names: tuple[str, str] = ("at_least", "at_most")) -> None:
    """UserError unless at least one of the two is given, and what is given is a number."""
    if at_least is None and at_most is None:
        raise UserError(f"a claim needs {names[0]} or {names[1]}: nothing could contradict it.")
    for name, value in zip(names, (at_least, at_most), strict=True):
        if value is not None:
            checks.number(name, value)


def within(value: float, at_least: float | None, at_most: float | None) -> str:
    """``held`` where ``value`` lies between the limits that are given."""
    return HELD if (at_least is None or value >= at_least) and (at_most is None or value <= at_most) else NOT_HELD


def bounds(at_least: float | None, at_most: float | None) -> str:
    """The limits in words."""
    words = [f"at least {at_least:g}" if at_least is not None else "", f"at most {at_most:g}" if at_most is not None else ""]
    return " and ".join(filter(None, words))


def _shown(where: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in where.items())


def missing(tag: str) -> Verdict:
    """Undecided, for want of the tag."""
    return Verdict(UNDECIDED, f"{tag} was not logged, or too rarely")
