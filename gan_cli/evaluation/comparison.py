"""Methods of a sweep side by side: means over seeds, a ranking, and which differences the seeds bear out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from scipy import stats

from gan_cli.evaluation.results import Number, Provenance, Result, differences
from gan_cli.evaluation.sweeps import Group, SweepRun, groups

LEVEL = 0.95
MIN_PAIRS = 3
"""Fewer paired seeds bear no verdict."""
RESAMPLES = 10_000


class Mean(NamedTuple):
    """The mean over ``n`` seeds and its standard error s/√n; None for one seed, which says nothing about the next."""

    value: float
    error: float | None
    n: int


class Difference(NamedTuple):
    """A method minus the best one, over the ``n`` seeds they share: mean, interval (None if too few), and what it means.

    ``verdict``: ``better``, ``worse``, ``no difference`` (the interval holds 0: these seeds show none), ``too few seeds`` or
    ``not finite``.
    """

    value: float
    interval: tuple[float, float] | None
    n: int
    verdict: str


@dataclass(frozen=True)
class Row:
    """One method: its swept keys, the seeds that were measured, and ``asked``, how many runs the sweep has of it.

    ``means``: by choice of checkpoint (``last``, ``best``) and name of the number; ``difference``: to the first row, whose
    own is None.
    """

    settings: Mapping[str, str]
    seeds: tuple[int, ...]
    asked: int
    means: Mapping[str, Mapping[str, Mean]]
    difference: Difference | None = None


@dataclass(frozen=True)
class Ranking:
    """Methods best first, by the mean of ``primary`` at the checkpoints ``chosen``; one that is not finite comes last.

    ``numbers``: one example of every number, for its direction; ``floor``: lowest and highest of the chief number's floors;
    ``level``: of each interval, so that all of them hold together with ``LEVEL``; ``apart``: why these results stand in no
    ranking with those of the first one.
    """

    primary: str
    chosen: str
    provenance: Provenance
    numbers: Mapping[str, Number]
    rows: tuple[Row, ...]
    floor: tuple[float, float] | None
    level: float
    apart: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Rankings, one per provenance; ``left_out``: the runs that are in none, each with the reason."""

    rankings: tuple[Ranking, ...]
    left_out: Mapping[str, str]


@dataclass
class _Pool:
    """Results that may be ranked together: run -> choice -> result."""

    provenance: Provenance
    results: dict[str, dict[str, Result]] = field(default_factory=dict)


def compare(sweep_runs: Sequence[SweepRun], results: Mapping[str, Sequence[Result]], chosen: str = "last") -> Comparison:
    """Ranks the methods of a sweep by their checkpoints ``chosen``: ``last``, ``best`` or ``step``.

    ``results``: by the name of the run; of several that could stand for one run in one ranking, the last one counts. A run
    that did not finish, has no result, or repeats a seed of its method, is left out and named.
    """
    left_out = {run.name: run.problem for run in sweep_runs if run.problem is not None}
    methods = groups(sweep_runs)
    for method in methods:
        left_out |= _repeated(method)
    pools = _pools([run for run in sweep_runs if run.name not in left_out], results)
    rankings: list[Ranking] = []
    for pool in pools:
        apart = tuple(differences(rankings[0].provenance, pool.provenance)) if rankings else ()
        if ranking := _ranking(methods, pool, chosen, apart):
            rankings.append(ranking)
    ranked = {name for pool in pools for name, choices in pool.results.items() if chosen in choices}
    for run in sweep_runs:
        if run.name not in ranked:
            left_out.setdefault(run.name, f"no result of its {chosen} checkpoint" if results.get(run.name) else "not evaluated")
    return Comparison(tuple(rankings), left_out)


def interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """A bootstrap interval for the mean of n >= 2 independent values: expanded percentiles, never inside Student's interval.

    The percentile interval is too narrow for few values: resampling loses the factor √((n − 1)/n) of the deviation and knows
    nothing of the tails of t. Hesterberg (2015, What teachers should know about the bootstrap) takes the
    percentiles α′/2 and 1 − α′/2 with α′/2 = Φ(−√(n/(n−1)) t_{n−1, 1−α/2}) instead. No resample leaves the range of the
    values, which holds the mean of three with a probability of 3/4 and no more, so each end is moved out to that of Student's
    interval where that lies further out. Of normal differences, nominal 95 % intervals hold the mean in 95 % of cases at n = 3,
    5 and 10; of log-normal ones, as skewed as they get, in 82 to 86 % (percentile intervals: in 65 to 81 %). Bootstrap-t does
    better on these, but is infinite at n = 3, and up to n = 4 at the levels that several methods ask for.
    The resamples come from a generator of their own: equal values give equal intervals.
    """
    x, n, alpha = np.asarray(values, dtype=np.float64), len(values), 1 - level
    t = stats.t.ppf(1 - alpha / 2, n - 1)
    half = t * x.std(ddof=1) / math.sqrt(n)
    means = np.random.default_rng(0).choice(x, (RESAMPLES, n)).mean(axis=1)
    tail = stats.norm.cdf(-math.sqrt(n / (n - 1)) * t)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(min(low, x.mean() - half)), float(max(high, x.mean() + half))


def joint_level(methods: int) -> float:
    """The level that each interval needs, so that with probability ``LEVEL`` all of them hold: Bonferroni over all pairs.

    The best method is the best because it was looked for: whichever pair differs most by chance is among those compared. So
    all k(k − 1)/2 pairs count, not the k − 1 that are shown. Of five equal methods on five seeds, one is called worse in 26 %
    of all sweeps without a correction, in 8 % counting the pairs shown, and in 3 % counting all. Holm's steps would be a little
    sharper but have no intervals that agree with their verdicts.
    """
    return 1 - (1 - LEVEL) / max(1, methods * (methods - 1) // 2)


def difference(method: Mapping[int, float], best: Mapping[int, float], higher_is_better: bool, level: float) -> Difference:
    """A method against the best one, values by seed, on the seeds that both have: the interval of the paired differences."""
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
    """The mean over seeds with its standard error; not finite if one of them is not."""
    x = np.asarray(values, dtype=np.float64)
    if not np.isfinite(x).all():
        return Mean(math.nan, None, len(x))
    return Mean(float(x.mean()), float(x.std(ddof=1) / math.sqrt(len(x))) if len(x) > 1 else None, len(x))


def _repeated(method: Group) -> dict[str, str]:
    """Of the finished runs of a method, those whose seed another one had before: a copy is no further evidence."""
    first: dict[int, str] = {}
    runs = [run for run in method.sweep_runs if run.problem is None]
    return {
        run.name: f"repeats seed {run.seed} of {first[run.seed]}"
        for run in runs
        if first.setdefault(run.seed, run.name) != run.name
    }


def _pools(sweep_runs: Sequence[SweepRun], results: Mapping[str, Sequence[Result]]) -> list[_Pool]:
    """The results in heaps that may be ranked together."""
    pools: list[_Pool] = []
    for run in sweep_runs:
        for result in results.get(run.name, ()):
            pool = next((pool for pool in pools if not differences(pool.provenance, result.provenance)), None)
            if pool is None:
                pools.append(pool := _Pool(result.provenance))
            pool.results.setdefault(run.name, {}).update(dict.fromkeys(result.chosen, result))
    return pools


def _ranking(methods: Sequence[Group], pool: _Pool, chosen: str, apart: tuple[str, ...]) -> Ranking | None:
    """The methods' rows over one pool, best first; None where it holds no result of the checkpoints ``chosen``."""
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
            whole = [choice for choice in choices if all(choice in run for run in runs.values())]
            means = {choice: _means([run[choice] for run in runs.values()] if choice in whole else []) for choice in choices}
            row = Row(method.settings, tuple(sorted(runs)), len({run.seed for run in method.sweep_runs}), means)
            measured.append((row, {seed: run[chosen].numbers[primary].value for seed, run in runs.items()}))
    measured.sort(key=lambda entry: _rank(entry[0].means[chosen][primary].value, higher))
    level = joint_level(sum(len(row.seeds) >= MIN_PAIRS for row, _ in measured))
    (first, best), *others = measured
    rows = (first, *(replace(row, difference=difference(values, best, higher, level)) for row, values in others))
    floors = [floor for result in examples if (floor := result.numbers[primary].floor) is not None]
    span = (min(floors), max(floors)) if floors else None
    return Ranking(primary, chosen, pool.provenance, numbers, rows, span, level, apart)


def _means(results: Sequence[Result]) -> dict[str, Mean]:
    """Every number that all of ``results`` have."""
    names = [name for name in results[0].numbers if all(name in result.numbers for result in results)] if results else []
    return {name: mean([result.numbers[name].value for result in results]) for name in names}


def _rank(value: float, higher_is_better: bool) -> float:
    if math.isnan(value):
        return math.inf
    return -value if higher_is_better else value
