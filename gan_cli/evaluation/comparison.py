"""Comparison of the methods of a sweep: means over seeds, a ranking, and intervals of their differences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from gan_cli.evaluation.by_class import values_within_classes
from gan_cli.evaluation.results import Number, Provenance, Result, differences
from gan_cli.evaluation.sweeps import Group, SweepRun, groups, shared_settings
from gan_cli.evaluation.verdicts import TOGETHER, Difference, all_pairs, differences_to


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


@dataclass(frozen=True)
class Row:
    """One method of a ranking.

    Attributes:
        settings: The swept keys and their values.
        seeds: The seeds that were measured.
        n_seeds: Number of seeds of this method in the sweep.
        means: Means by choice of checkpoint (``last``, ``best``) and name of the number.
        difference: Difference to the best method, or to the reference; None for that method itself.
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
        comparisons: Number of intervals that hold jointly: all pairs of methods, or those with the reference.
        reference: True if the methods are compared with one that was named, not with the best one.
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
    comparisons: int
    reference: bool = False
    differs_in: tuple[str, ...] = ()

    @property
    def base(self) -> Row:
        """The method that all others are compared with."""
        return next(row for row in self.rows if row.difference is None)

    @property
    def undecided(self) -> Sequence[Row]:
        """The methods that are not told apart from that one."""
        return [row for row in self.rows if row.difference is not None and row.difference.verdict == TOGETHER]

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


def compare(
    sweep_runs: Sequence[SweepRun],
    results: Mapping[str, Sequence[Result]],
    chosen: str = "last",
    reference: Mapping[str, str] | None = None,
) -> Comparison:
    """Rank the methods of a sweep.

    Args:
        sweep_runs: All runs of the sweep. Runs that have not finished, have no result, or repeat a seed of their method are
            left out.
        results: Results by the name of the run. If several could represent a run in a ranking, the last one counts.
        chosen: The checkpoints that are compared: ``last``, ``best`` or ``step``.
        reference: Settings of the method that the others are compared with. None: the best one, also in a ranking that does not
            have this method.
    """
    left_out = {run.name: run.problem for run in sweep_runs if run.problem is not None}
    methods = groups(sweep_runs)
    for method in methods:
        left_out |= _repeated_seeds(method)
    pools = _group_comparable([run for run in sweep_runs if run.name not in left_out], results)
    rankings: list[Ranking] = []
    for pool in pools:
        differs_in = tuple(differences(rankings[0].provenance, pool.provenance)) if rankings else ()
        if ranking := _ranking(methods, pool, chosen, reference, differs_in):
            rankings.append(ranking)
    ranked = {name for pool in pools for name, choices in pool.results.items() if chosen in choices}
    for run in sweep_runs:
        if run.name not in ranked:
            left_out.setdefault(run.name, f"no result of its {chosen} checkpoint" if results.get(run.name) else "not evaluated")
    return Comparison(tuple(rankings), left_out)


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


def _ranking(
    methods: Sequence[Group],
    pool: _Comparable,
    chosen: str,
    reference: Mapping[str, str] | None,
    differs_in: tuple[str, ...],
) -> Ranking | None:
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
    base = next((i for i, (row, _) in enumerate(measured) if row.settings == reference), None)
    values = [by_seed for _, by_seed in measured]
    comparisons = all_pairs(values) if base is None else len(values) - 1
    compared = differences_to(base or 0, values, higher, comparisons)
    rows = tuple(replace(row, difference=found) for (row, _), found in zip(measured, compared, strict=True))
    floors = [floor for result in examples if (floor := result.numbers[primary].floor) is not None]
    span = (min(floors), max(floors)) if floors else None
    scatter = max((error for result in examples if (error := result.numbers[primary].floor_error) is not None), default=None)
    measured_as = {key: value for key, value in examples[0].details.items() if key.startswith("floor_")}
    return Ranking(
        primary,
        chosen,
        pool.provenance,
        numbers,
        rows,
        span,
        scatter,
        measured_as,
        comparisons,
        base is not None,
        differs_in,
    )


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
