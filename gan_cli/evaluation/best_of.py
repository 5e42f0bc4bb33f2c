"""Comparison at equal tuning: the best metric that a method is expected to reach after k trials of a random search."""

import math
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from rich.console import Group
from rich.text import Text

from gan_cli import files
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
HINT = ", which they were trained on: metric.split=heldout judges them on held-out ones"
"""Remark on trials that were judged on training samples."""
Measured: TypeAlias = tuple[Sequence[SweepRun], StoredMetric, float]
"""A trial: its runs, of which the first one is the trial itself; the metric of that run, and its value."""


@dataclass(frozen=True)
class Tuned:
    """A method after its search.

    Attributes:
        method: Its name.
        metric: Name of the metric.
        higher_is_better: True if larger values are better.
        judged_on: The split whose samples the trials were measured on.
        values: The metric of each trial, measured at the end of its training.
        missing: Number of trials that have ended without a metric; they count as the worst one.
        k: Number of trials that are compared.
        chosen: The best trial.
        fresh: The runs of its settings with other seeds.
    """

    method: str
    metric: str
    higher_is_better: bool
    judged_on: str
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
    found = [_tuned(folder, method, trials, k) for method, trials in _trials(runs).items()]
    if len({one.metric for one in found}) > 1:
        raise UserError(f"best_of={k}: the trials have several metrics: {', '.join(sorted({one.metric for one in found}))}.")
    return sorted(found, key=lambda one: expected_best(one.values, k, one.higher_is_better)[0] * _sign(one))


def best_trials(folder: Path, runs: Sequence[SweepRun]) -> list[SweepRun]:
    """Return the best trial of each method of a search; methods without a trial that has a metric are left out."""
    measured = [_measured(folder, trials) for trials in _trials(runs).values()]
    return [_best(trials)[0][0] for trials in measured if trials]


def best_of_table(folder: Path, methods: Sequence[Tuned]) -> Group:
    """Return the table of the methods, best first, whose runs lie in ``folder`` by their names."""
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
        f"Expected best {first.metric} of {first.k} trials, with its {LEVEL:.0%} interval. Trials are judged at the end of "
        f"training, on samples of the {first.judged_on} split{HINT if first.judged_on == 'train' else ''}.",
        *([f"Trials without a metric, which count as the worst of their method: {missing}."] if missing else []),
        "Below: the chosen settings on samples of the held-out split that are kept for reporting.",
        *(_advice(folder, one) for one in methods if not one.fresh),
    ]
    return titled_table(f"{with_direction(first.metric, first.higher_is_better)}, equal tuning", table, *notes)


def _trials(runs: Sequence[SweepRun]) -> dict[str, list[list[SweepRun]]]:
    """Return the trials of each method; runs that differ in their seed alone are one trial, the lowest seed first."""
    settings: dict[str, dict[str, list[SweepRun]]] = {}
    for run in sorted((run for run in runs if run.config), key=lambda run: run.seed):
        settings.setdefault(_method(run), {}).setdefault(repr(sorted(run.flat_config().items())), []).append(run)
    return {method: list(trials.values()) for method, trials in settings.items()}


def _measured(folder: Path, trials: Sequence[Sequence[SweepRun]]) -> list[Measured]:
    """Return the trials that have a metric."""
    measured = [(runs, _metric(folder, runs[0])) for runs in trials]
    return [(runs, metric, float(metric["final"] or 0.0)) for runs, metric in measured if metric is not None]


def _best(measured: Sequence[Measured]) -> Measured:
    sign = -1 if measured[0][1].get("higher_is_better") else 1
    return min(measured, key=lambda trial: sign * trial[2])


def _tuned(folder: Path, method: str, trials: Sequence[Sequence[SweepRun]], k: int) -> Tuned:
    measured = _measured(folder, trials)
    if not measured:
        raise UserError(f"best_of={k}: no trial of {method} has a metric.")
    if len(trials) < k:
        raise UserError(f"best_of={k}: {method} has {len(trials)} trials. Name at most as many, or run more.")
    runs, metric, _ = _best(measured)
    numbers, missing = [value for *_, value in measured], len(trials) - len(measured)
    higher = bool(metric.get("higher_is_better"))
    worst = min(numbers) if higher else max(numbers)
    fresh = [run for run in runs[1:] if run.problem is None]
    split = metric.get("split", "train")
    return Tuned(method, metric["name"], higher, split, [*numbers, *[worst] * missing], missing, k, runs[0], fresh)


def _metric(folder: Path, run: SweepRun) -> StoredMetric | None:
    """Return the metric of a finished trial; None if it has none that is finite."""
    metric = (read_result(folder / run.name) or {}).get("metric") if run.problem is None else None
    final = metric.get("final") if metric else None
    return metric if final is not None and math.isfinite(final) else None


def _method(run: SweepRun) -> str:
    return str(run.config.get("method") or method_name(run.options.get("game", "gan"), run.options.get("loss", "unknown")))


def _sign(one: Tuned) -> int:
    return -1 if one.higher_is_better else 1


def _advice(folder: Path, one: Tuned) -> str:
    """Return how runs of the chosen settings with fresh seeds are made."""
    lacking = f"{one.method} has no run of the best trial's settings with a fresh seed"
    sweep = (folder / one.chosen.name).parent
    with suppress(OSError, UserError):
        if "search" in files.read_json(sweep / "sweep.json"):
            again = shlex.quote(f"hydra.sweep.dir={sweep}")
            return f"{lacking}: start the search again with hydra.sweeper.fresh=3 {again}; its trials are kept."
    words: Mapping[str, str] = one.chosen.decisive_overrides()
    command = shlex.join(["gan-train", "-m", *(f"{key}={value}" for key, value in words.items()), "seed=101,102,103"])
    return f"{lacking}: {command}"
