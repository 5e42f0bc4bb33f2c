"""Comparison at equal tuning: the best metric that a method is expected to reach after k trials of a random search."""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Group
from rich.text import Text

from gan_cli.config.names import method_name
from gan_cli.errors import UserError
from gan_cli.evaluation.layout import blank_table, numeric_column, titled_table
from gan_cli.evaluation.number_format import format_interval, with_direction
from gan_cli.evaluation.sweeps import SweepRun
from gan_cli.runs.folder import StoredMetric, read_result

RESAMPLES = 10_000
"""Number of bootstrap resamples."""
LEVEL = 0.95
"""Confidence level of the intervals."""


@dataclass(frozen=True)
class Tuned:
    """A method after its search.

    Attributes:
        method: Its name.
        metric: Name of the metric.
        higher_is_better: True if larger values are better.
        values: The metric of each trial, measured at the end of its training.
        missing: Number of trials that have ended without a metric; they count as the worst one.
        k: Number of trials that are compared.
        chosen: The best trial.
        fresh: The runs of its settings with other seeds.
    """

    method: str
    metric: str
    higher_is_better: bool
    values: Sequence[float]
    missing: int
    k: int
    chosen: SweepRun
    fresh: Sequence[SweepRun]

    @property
    def measured(self) -> Sequence[SweepRun]:
        """The runs on which the chosen settings are measured: those with fresh seeds, or the best trial if there are none."""
        return self.fresh or [self.chosen]


def expected_best(values: Sequence[float], k: int, higher_is_better: bool) -> tuple[float, tuple[float, float]]:
    """Return the expected best of k trials, and its bootstrap interval, from n >= k trials of a random search.

    With the values sorted from the best x_1 to the worst x_n, the expectation over all subsets of k trials is

        sum_i x_i C(n - i, k - 1) / C(n, k),

    since C(n - i, k - 1) of the C(n, k) subsets have x_i as their best. It is an unbiased estimate of the expected best of k
    independent trials (Tang et al. 2020, "Showing Your Work Doesn't Always Work"). Dodge et al. 2019, "Show Your Work: Improved
    Reporting of Experimental Results", draw with replacement, which is biased. Lucic et al. 2018, "Are GANs Created Equal?",
    compare GANs in this way. The interval holds the middle 95 % of the estimates from resampled trials.

    Args:
        values: The metric of each trial; the trials are independent draws of the settings.
        k: Number of trials, at most ``len(values)``.
        higher_is_better: True if larger values are better.
    """
    sign, n = (-1 if higher_is_better else 1), len(values)
    weights = np.array([math.comb(n - i, k - 1) / math.comb(n, k) for i in range(1, n + 1)])
    x = sign * np.asarray(values, dtype=np.float64)
    resampled = np.sort(np.random.default_rng(0).choice(x, (RESAMPLES, n)), axis=1) @ weights
    low, high = sorted((sign * np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])).tolist())
    return float(sign * (np.sort(x) @ weights)), (low, high)


def tuned_methods(folder: Path, runs: Sequence[SweepRun], k: int) -> list[Tuned]:
    """Return each method of a search with its trials.

    Runs that differ in their seed alone are one trial, the one with the lowest seed; the others are fresh seeds.

    Args:
        folder: The runs lie in it by their names.
        runs: The runs.
        k: Number of trials that are compared.

    Raises:
        UserError: If a method has fewer than k trials, none of its trials has a metric, or their metrics differ.
    """
    settings: dict[str, dict[str, list[SweepRun]]] = {}
    for run in sorted((run for run in runs if run.config), key=lambda run: run.seed):
        settings.setdefault(_method(run), {}).setdefault(repr(sorted(run.flat_config().items())), []).append(run)
    found = [_tuned(folder, method, list(trials.values()), k) for method, trials in settings.items()]
    if len({one.metric for one in found}) > 1:
        raise UserError(f"best_of={k}: the trials have several metrics: {', '.join(sorted({one.metric for one in found}))}.")
    return sorted(found, key=lambda one: expected_best(one.values, k, one.higher_is_better)[0] * _sign(one))


def best_of_table(methods: Sequence[Tuned]) -> Group:
    """Return the table of the methods, best first."""
    first = methods[0]
    table = blank_table()
    table.add_column("method")
    numeric_column(table, "trials")
    numeric_column(table, f"best of {first.k}")
    numeric_column(table, "interval")
    numeric_column(table, "best trial")
    for one in methods:
        value, ends = expected_best(one.values, one.k, one.higher_is_better)
        centre, low, high = (text.removeprefix("+") for text in format_interval(value, *ends))
        best = max(one.values) if one.higher_is_better else min(one.values)
        table.add_row(Text(one.method), str(len(one.values)), centre, f"[{low}, {high}]", f"{best:.4g}")
    missing = sum(one.missing for one in methods)
    notes = [
        f"Expected best {first.metric} of {first.k} trials, measured at the end of training, with its {LEVEL:.0%} interval.",
        *([f"Trials without a metric, which count as the worst of their method: {missing}."] if missing else []),
        "Below: the chosen settings on the held-out split.",
        *(_advice(one) for one in methods if not one.fresh),
    ]
    return titled_table(f"{with_direction(first.metric, first.higher_is_better)}, equal tuning", table, *notes)


def _tuned(folder: Path, method: str, trials: Sequence[Sequence[SweepRun]], k: int) -> Tuned:
    measured = [(runs, _metric(folder, runs[0])) for runs in trials]
    values = [(runs, metric, float(metric["final"] or 0.0)) for runs, metric in measured if metric is not None]
    if not values:
        raise UserError(f"best_of={k}: no trial of {method} has a metric.")
    if len(trials) < k:
        raise UserError(f"best_of={k}: {method} has {len(trials)} trials. Name at most as many, or run more.")
    _, metric, _ = values[0]
    sign = -1 if metric.get("higher_is_better") else 1
    runs, _, _ = min(values, key=lambda trial: sign * trial[2])
    numbers = [value for *_, value in values]
    missing = len(trials) - len(values)
    worst = max(numbers, key=lambda value: sign * value)
    fresh = [run for run in runs[1:] if run.problem is None]
    return Tuned(method, metric["name"], sign < 0, [*numbers, *[worst] * missing], missing, k, runs[0], fresh)


def _metric(folder: Path, run: SweepRun) -> StoredMetric | None:
    """Return the metric of a finished trial; None if it has none that is finite."""
    metric = (read_result(folder / run.name) or {}).get("metric") if run.problem is None else None
    final = metric.get("final") if metric else None
    return metric if final is not None and math.isfinite(final) else None


def _method(run: SweepRun) -> str:
    return str(run.config.get("method") or method_name(run.options.get("game", "gan"), run.options.get("loss", "unknown")))


def _sign(one: Tuned) -> int:
    return -1 if one.higher_is_better else 1


def _advice(one: Tuned) -> str:
    words: Mapping[str, str] = one.chosen.decisive_overrides()
    command = shlex.join(["gan-train", "-m", *(f"{key}={value}" for key, value in words.items()), "seed=101,102,103"])
    return f"{one.method} has no run of the best trial's settings with a fresh seed: {command}"
