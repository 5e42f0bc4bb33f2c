"""Base classes of claims: a claim is held, not held or undecided by measured numbers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from gan_cli import checks
from gan_cli.errors import FieldError, UserError
from gan_cli.evaluation.number_format import format_value
from gan_cli.report.claims.conditions import Baseline, Requirement, quarter
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.series import ScalarSeries

HELD, NOT_HELD, UNDECIDED = "held", "not held", "undecided"
STILL_FALLING = 0.1
"""A metric is still falling if its last quarter is lower than the quarter before by more than this fraction of its value."""


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
        requires: What a run must have reached before the claim is decided, as ``{tag: metric/w1, below: 0.2}``. The median of
            the last quarter of the tag counts.
    """

    says: str
    where: Mapping[str, Any] = field(default_factory=dict)
    requires: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.requires is not None:
            Requirement.read(self.requires)

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
        return Assessment(self.says, "; ".join([self.rule(), *self.conditions()]), Verdict(state, reason), runs or {})

    def conditions(self) -> list[str]:
        """Return what the rule depends on besides its threshold, each as a clause."""
        return [] if self.requires is None else [f"undecided unless {Requirement.read(self.requires)}"]

    def unmet(self, runs: Sequence[RunRecord]) -> str | None:
        """Return why the claim cannot be decided on these runs: one does not reach what is required. None if all do."""
        if self.requires is None:
            return None
        unmet = {run.name: reason for run in runs if (reason := Requirement.read(self.requires).unmet(run)) is not None}
        return "; ".join(f"{name}: {reason}" for name, reason in unmet.items()) or None


@dataclass(frozen=True, kw_only=True)
class BoundedClaim(Claim):
    """A claim that bounds one number, which a cheap substitute for training has, too.

    Args:
        baseline: Such a substitute and its number, as ``{says: real images blurred to 8×8, value: 1078}``.

    Raises:
        UserError: If the claim would hold for the baseline, so that training need not come into it.
    """

    baseline: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.baseline is not None and self.holds_at((baseline := Baseline.read(self.baseline)).value):
            raise UserError(
                f'the claim "{self.says}" holds for its baseline, too: {baseline}, where the rule is: {self.rule()}.\n'
                "Choose a threshold that the baseline fails, or list an identity under report.identities."
            )

    @abstractmethod
    def holds_at(self, value: float) -> bool:
        """Return whether the claim holds where the number that it bounds is ``value``."""

    def conditions(self) -> list[str]:
        beside = [] if self.baseline is None else [f"the baseline fails it: {Baseline.read(self.baseline)}"]
        return [*beside, *super().conditions()]


@dataclass(frozen=True, kw_only=True)
class RunClaim(BoundedClaim):
    """A claim that is checked for each run separately.

    It is held if at least ``share`` of the runs hold it, not held if so many runs contradict it that the undecided ones cannot
    change that, and undecided otherwise.

    Args:
        share: Fraction of the runs in which the claim must hold, in (0, 1].
    """

    share: float = 1.0

    def __post_init__(self) -> None:
        checks.number("share", self.share, above=0)
        if self.share > 1:
            raise FieldError("share", self.share, "it must be at most 1.")
        super().__post_init__()

    @abstractmethod
    def verdict(self, run: RunRecord) -> Verdict:
        """Return the verdict for one finished run."""

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
        if self.requires is not None and (unmet := Requirement.read(self.requires).unmet(run)) is not None:
            return Verdict(UNDECIDED, unmet)
        return self.verdict(run)

    def judged(self, value: float) -> str:
        """Return ``held`` if the claim holds at ``value``, else ``not held``."""
        return HELD if self.holds_at(value) else NOT_HELD


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


def still_falling(tag: str, series: ScalarSeries) -> str | None:
    """Return by how much ``tag`` still falls at the end of training, or None if it has settled."""
    before, last = (float(np.median(quarter(series, n))) for n in (2, 1))
    if before - last > STILL_FALLING * abs(last):
        ends = f"from {format_value(before)} to {format_value(last)}"
        return f"training too short: {tag} is still falling, {ends} (medians of its last two quarters)"
    return None


def _conditions(where: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in where.items())


def not_logged(tag: str) -> Verdict:
    """Return an undecided verdict because ``tag`` is missing."""
    return Verdict(UNDECIDED, f"{tag} was not logged, or too rarely")
