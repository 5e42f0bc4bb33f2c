"""Comparison of the methods of a sweep: means over seeds, a ranking, and intervals of their differences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from gan_cli.evaluation.by_class import values_within_classes
from gan_cli.evaluation.results import Number, Provenance, Result, differences
from gan_cli.evaluation.sweeps import Group, SweepRun, groups, shared_settings

LEVEL = 0.95
"""Joint confidence level of all intervals of a ranking."""
MIN_PAIRS = 3
"""Minimum number of paired seeds for a verdict."""
RESAMPLES = 10_000
"""Number of bootstrap resamples."""


class Mean(NamedTuple):
    """Mean over ``n`` seeds.

    Attributes:
        value: The mean.
        error: Its standard error s/√n. None for a single seed.
        n: Number of seeds.
    """

    value: float
    error: float | None
    n: int


class Difference(NamedTuple):
    """Mean paired difference between a method and the best one.

    Attributes:
        value: The mean difference, method minus best.
        interval: Its confidence interval. None: too few seeds.
        n: Number of seeds that both have.
        verdict: ``better``, ``worse``, ``no difference`` (the interval contains 0), ``too few seeds`` or ``not finite``.
    """

    value: float
    interval: tuple[float, float] | None
    n: int
    verdict: str


@dataclass(frozen=True)
class Row:
    """One method of a ranking.

    Attributes:
        settings: The swept keys and their values.
        seeds: The seeds that were measured.
        n_seeds: Number of seeds of this method in the sweep.
        means: Means by choice of checkpoint (``last``, ``best``) and name of the number.
        difference: Difference to the first row; None for the first row itself.
        by_class: Means by name of the number and name of the class, of the classes that all seeds have the number for.
    """

    settings: Mapping[str, str]
    seeds: tuple[int, ...]
    n_seeds: int
    means: Mapping[str, Mapping[str, Mean]]
    difference: Difference | None = None
    by_class: Mapping[str, Mapping[str, Mean]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ranking:
    """Methods sorted by the mean of one number, best first; non-finite means come last.

    Attributes:
        primary: Name of the number.
        chosen: The checkpoints that are compared: ``last``, ``best`` or ``step``.
        provenance: Shared provenance of all results.
        numbers: One example of every number, for its direction.
        rows: The methods.
        floor: Lowest and highest floor of the primary number. None: not measured.
        floor_error: Largest standard deviation of these floors over draws. None: not known.
        floor_details: How one of them was measured, see ``numbers.floor_details``.
        level: Confidence level of each interval, such that all of them hold jointly with ``LEVEL``.
        differs_in: Reasons why these results cannot be ranked with those of the first ranking.
    """

    primary: str
    chosen: str
    provenance: Provenance
    numbers: Mapping[str, Number]
    rows: tuple[Row, ...]
    floor: tuple[float, float] | None
    floor_error: float | None
    floor_details: Mapping[str, Any]
    level: float
    differs_in: tuple[str, ...] = ()

    @property
    def shared(self) -> Mapping[str, str]:
        """The settings that all methods have in common, such as the data set of this ranking."""
        return shared_settings([row.settings for row in self.rows])

    def own(self, row: Row) -> Mapping[str, str]:
        """Return the settings in which a method differs from the others."""
        return {key: value for key, value in row.settings.items() if key not in self.shared}


@dataclass(frozen=True)
class Comparison:
    """All rankings of a sweep.

    Attributes:
        rankings: One ranking for each provenance.
        left_out: The runs that are in no ranking, with the reason.
    """

    rankings: tuple[Ranking, ...]
    left_out: Mapping[str, str]


@dataclass
class _Comparable:
    """Results that may be ranked together, by run and choice of checkpoint."""

    provenance: Provenance
    results: dict[str, dict[str, Result]] = field(default_factory=dict)


def compare(sweep_runs: Sequence[SweepRun], results: Mapping[str, Sequence[Result]], chosen: str = "last") -> Comparison:
    """Rank the methods of a sweep.

    Args:
        sweep_runs: All runs of the sweep. Runs that have not finished, have no result, or repeat a seed of their method are
            left out.
        results: Results by the name of the run. If several could represent a run in a ranking, the last one counts.
        chosen: The checkpoints that are compared: ``last``, ``best`` or ``step``.
    """
    left_out = {run.name: run.problem for run in sweep_runs if run.problem is not None}
    methods = groups(sweep_runs)
    for method in methods:
        left_out |= _repeated_seeds(method)
    pools = _group_comparable([run for run in sweep_runs if run.name not in left_out], results)
    rankings: list[Ranking] = []
    for pool in pools:
        differs_in = tuple(differences(rankings[0].provenance, pool.provenance)) if rankings else ()
        if ranking := _ranking(methods, pool, chosen, differs_in):
            rankings.append(ranking)
    ranked = {name for pool in pools for name, choices in pool.results.items() if chosen in choices}
    for run in sweep_runs:
        if run.name not in ranked:
            left_out.setdefault(run.name, f"no result of its {chosen} checkpoint" if results.get(run.name) else "not evaluated")
    return Comparison(tuple(rankings), left_out)


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Return a bootstrap confidence interval for the mean of n >= 2 independent values.

    These are expanded percentiles, never inside Student's interval. The plain percentile interval is too narrow for few values:
    resampling loses the factor √((n - 1)/n) of the standard deviation and ignores the tails of t. Hesterberg (2015, What
    teachers should know about the bootstrap) takes the percentiles α'/2 and 1 - α'/2 with α'/2 = Φ(-√(n/(n-1)) t_{n-1, 1-α/2})
    instead. No resample leaves the range of the values, and the range of three values contains the mean with probability 3/4 at
    most, so each end is moved out to that of Student's interval if that lies further out. For normal differences, nominal 95 %
    intervals contain the mean in 95 % of cases at n = 3, 5 and 10; for log-normal ones, which are strongly skewed, in 82 to 86
    % (percentile intervals: 65 to 81 %). Bootstrap-t is better for these, but infinite at n = 3, and up to n = 4 at the levels
    that several methods need. The resamples come from a generator with a fixed seed, so that equal values give equal intervals.

    Args:
        values: Independent values, at least two.
        level: Confidence level in (0, 1).

    Returns:
        Lower and upper end.
    """
    x, n, alpha = np.asarray(values, dtype=np.float64), len(values), 1 - level
    t = special.stdtrit(n - 1, 1 - alpha / 2)
    half = t * x.std(ddof=1) / math.sqrt(n)
    means = np.random.default_rng(0).choice(x, (RESAMPLES, n)).mean(axis=1)
    tail = special.ndtr(-math.sqrt(n / (n - 1)) * t)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(min(low, x.mean() - half)), float(max(high, x.mean() + half))


def joint_level(methods: int) -> float:
    """Return the level of each interval for which all pairs of ``methods`` hold jointly with ``LEVEL`` (Bonferroni).

    The best method is selected after looking at the data, so the pair that differs most by chance is among those compared.
    Therefore all k(k - 1)/2 pairs count, not only the k - 1 that are shown. For five equal methods on five seeds, one is called
    worse in 26 % of all sweeps without a correction, in 8 % when the shown pairs are counted, and in 3 % when all are. Holm's
    procedure would be slightly sharper, but has no intervals that agree with its verdicts.
    """
    return 1 - (1 - LEVEL) / max(1, methods * (methods - 1) // 2)


def describe_level(level: float) -> str:
    """Return the kind of interval in words: its level and, if several hold jointly, the level of each one."""
    if level == LEVEL:
        return f"{100 * LEVEL:g} % intervals"
    return f"{100 * LEVEL:g} % simultaneous intervals (Bonferroni over all pairs of methods, {100 * level:.5g} % each)"


def difference(method: Mapping[int, float], best: Mapping[int, float], higher_is_better: bool, level: float) -> Difference:
    """Compare a method with the best one on the seeds that both have.

    Args:
        method: Values of the method by seed.
        best: Values of the best method by seed.
        higher_is_better: True if larger values are better.
        level: Confidence level of the interval, in (0, 1).
    """
    paired = [method[seed] - best[seed] for seed in sorted(method.keys() & best.keys())]
    if not all(map(math.isfinite, paired)):
        return Difference(math.nan, None, len(paired), "not finite")
    value = float(np.mean(paired)) if paired else math.nan
    if len(paired) < MIN_PAIRS:
        return Difference(value, None, len(paired), "too few seeds")
    low, high = interval(paired, level)
    if low <= 0 <= high:
        return Difference(value, (low, high), len(paired), "no difference")
    return Difference(value, (low, high), len(paired), "better" if (value > 0) == higher_is_better else "worse")


def mean(values: Sequence[float]) -> Mean:
    """Return the mean over seeds with its standard error; NaN if a value is not finite."""
    x = np.asarray(values, dtype=np.float64)
    if not np.isfinite(x).all():
        return Mean(math.nan, None, len(x))
    return Mean(float(x.mean()), float(x.std(ddof=1) / math.sqrt(len(x))) if len(x) > 1 else None, len(x))


def _repeated_seeds(method: Group) -> dict[str, str]:
    """Return the finished runs of a method that repeat a seed, with the reason: a copy is no further evidence."""
    first: dict[int, str] = {}
    runs = [run for run in method.sweep_runs if run.problem is None]
    return {
        run.name: f"repeats seed {run.seed} of {first[run.seed]}"
        for run in runs
        if first.setdefault(run.seed, run.name) != run.name
    }


def _group_comparable(sweep_runs: Sequence[SweepRun], results: Mapping[str, Sequence[Result]]) -> list[_Comparable]:
    """Group the results that may be ranked together."""
    pools: list[_Comparable] = []
    for run in sweep_runs:
        for result in results.get(run.name, ()):
            pool = next((pool for pool in pools if not differences(pool.provenance, result.provenance)), None)
            if pool is None:
                pools.append(pool := _Comparable(result.provenance))
            pool.results.setdefault(run.name, {}).update(dict.fromkeys(result.chosen, result))
    return pools


def _ranking(methods: Sequence[Group], pool: _Comparable, chosen: str, differs_in: tuple[str, ...]) -> Ranking | None:
    """Rank the methods over one group of results, or return None if it has no result of the checkpoints ``chosen``."""
    examples = [choices[chosen] for choices in pool.results.values() if chosen in choices]
    if not examples:
        return None
    primary, numbers = examples[0].primary, examples[0].numbers
    higher = bool(numbers[primary].higher_is_better)
    measured: list[tuple[Row, dict[int, float]]] = []
    for method in methods:
        runs = {run.seed: pool.results[run.name] for run in method.sweep_runs if chosen in pool.results.get(run.name, {})}
        if runs:
            choices = dict.fromkeys((chosen, "last", "best"))
            complete = [choice for choice in choices if all(choice in run for run in runs.values())]
            means = {choice: _means([run[choice] for run in runs.values()] if choice in complete else []) for choice in choices}
            within = _means_within_classes([run[chosen] for run in runs.values()])
            seeds, n_seeds = tuple(sorted(runs)), len({run.seed for run in method.sweep_runs})
            row = Row(method.settings, seeds, n_seeds, means, by_class=within)
            measured.append((row, {seed: run[chosen].numbers[primary].value for seed, run in runs.items()}))
    measured.sort(key=lambda entry: _sort_key(entry[0].means[chosen][primary].value, higher))
    level = joint_level(sum(len(row.seeds) >= MIN_PAIRS for row, _ in measured))
    (first, best), *others = measured
    rows = (first, *(replace(row, difference=difference(values, best, higher, level)) for row, values in others))
    floors = [floor for result in examples if (floor := result.numbers[primary].floor) is not None]
    span = (min(floors), max(floors)) if floors else None
    scatter = max((error for result in examples if (error := result.numbers[primary].floor_error) is not None), default=None)
    measured_as = {key: value for key, value in examples[0].details.items() if key.startswith("floor_")}
    return Ranking(primary, chosen, pool.provenance, numbers, rows, span, scatter, measured_as, level, differs_in)


def _means(results: Sequence[Result]) -> dict[str, Mean]:
    """Return the means of all numbers that every result has."""
    names = [name for name in results[0].numbers if all(name in result.numbers for result in results)] if results else []
    return {name: mean([result.numbers[name].value for result in results]) for name in names}


def _means_within_classes(results: Sequence[Result]) -> dict[str, dict[str, Mean]]:
    within = values_within_classes([result.details for result in results])
    return {name: {label: mean(values) for label, values in classes.items()} for name, classes in within.items()}


def _sort_key(value: float, higher_is_better: bool) -> float:
    if math.isnan(value):
        return math.inf
    return -value if higher_is_better else value
