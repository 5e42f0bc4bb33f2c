"""What gan-eval measured, as tables for the page and as bars."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_cli.evaluation.comparison import LEVEL, Mean, Ranking, Row, compare, mean
from gan_cli.evaluation.number_format import format_value, signed
from gan_cli.evaluation.results import Provenance, Result, differences, remarks
from gan_cli.evaluation.tables import caption
from gan_cli.report.figures import style
from gan_cli.report.figures.style import WIDTH, Drawn
from gan_cli.report.figures.sweeps import bars
from gan_cli.report.records.runs import RunRecord


@dataclass(frozen=True)
class Table:
    """``head``: names of the columns; ``rows``: cells, the first names the row; ``notes``: all that decides the numbers."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]


def tables(runs: Sequence[RunRecord]) -> list[Table]:
    """Of a run alone its checkpoints, of a sweep its methods over seeds; where nothing was evaluated, the runs' own metric."""
    if not any(run.results for run in runs):
        return _own(runs)
    if len(runs) == 1:
        return [_of_run(results) for results in _alike(runs[0].results)]
    comparison = compare([run.sweep_run for run in runs], {run.sweep_run.name: run.results for run in runs})
    left_out = [f"left out: {name} ({why})" for name, why in comparison.left_out.items()]
    return [_of_sweep(ranking, [*_remarks(ranking, runs), *left_out]) for ranking in comparison.rankings]


def pictures(runs: Sequence[RunRecord]) -> list[Drawn]:
    """Of a sweep of several methods, the chief number of every ranking as bars with their standard errors."""
    if len({run.method for run in runs}) < 2:
        return []
    comparison = compare([run.sweep_run for run in runs], {run.sweep_run.name: run.results for run in runs})
    return [_bars(ranking, runs, index) for index, ranking in enumerate(comparison.rankings)]


def _bars(ranking: Ranking, runs: Sequence[RunRecord], index: int) -> Drawn:
    groups: dict[str, list[float]] = {}
    for row in ranking.rows:
        same = [run for run in runs if run.settings == row.settings and run.sweep_run.seed in row.seeds]
        results = [_result(run, ranking.provenance, ranking.chosen) for run in same]
        values = [result.numbers[ranking.primary].value for result in results if result is not None]
        groups[same[0].method] = [value for value in values if math.isfinite(value)]
    floor = ranking.floor[1] if ranking.floor else None
    height = 0.42 * len(groups) + 1.3
    png = style.draw((WIDTH, height), lambda figure: bars(figure.subplots(), groups, style.name(ranking.primary), floor=floor))
    better = "right" if ranking.numbers[ranking.primary].higher_is_better else "left"
    said = f"Mean over seeds with its standard error; a dot for each seed; further {better} is better."
    return Drawn(f"numbers_{index}", f"{ranking.primary} by method", said, png, f"{ranking.primary} by method. {said}")


def _result(run: RunRecord, provenance: Provenance, chosen: str) -> Result | None:
    found = [one for one in run.results if chosen in one.chosen and not differences(provenance, one.provenance)]
    return found[-1] if found else None


def _of_run(results: Sequence[Result]) -> Table:
    head = ["", *(f"{', '.join(result.chosen)} (step {result.step})" for result in results), "real against real"]
    rows = [
        [
            _directed(name, number.higher_is_better),
            *(format_value(result.numbers[name].value, result.numbers[name].error) for result in results),
            "" if number.floor is None else format_value(number.floor),
        ]
        for name, number in results[0].numbers.items()
        if all(name in result.numbers for result in results)
    ]
    return Table(results[0].primary, head, rows, [*remarks(results), *caption(results[0].provenance).splitlines()])


def _remarks(ranking: Ranking, runs: Sequence[RunRecord]) -> list[str]:
    """What metrics say of the numbers in a ranking, by run."""
    found = {run.name: _result(run, ranking.provenance, ranking.chosen) for run in runs}
    return [f"{name}: {remark}" for name, result in found.items() if result is not None for remark in remarks([result])]


def _of_sweep(ranking: Ranking, further: Sequence[str]) -> Table:
    numbers = [_directed(name, number.higher_is_better) for name, number in ranking.numbers.items()]
    head = ["", "seeds", *numbers, f"{ranking.primary}, difference to the first"]
    rows = [
        [
            ", ".join(f"{key}={value}" for key, value in row.settings.items()) or "all runs",
            f"{len(row.seeds)} of {row.asked}",
            *(_mean(row.means[ranking.chosen].get(name)) for name in ranking.numbers),
            _difference(row),
        ]
        for row in ranking.rows
    ]
    floor = [f"real against real: {format_value(ranking.floor[1])}"] if ranking.floor else []
    said = f"{ranking.chosen} checkpoints; mean over seeds ± standard error; paired differences with {LEVEL:.0%} intervals"
    notes = [said, *floor, *caption(ranking.provenance, seed=False).splitlines(), *further]
    return Table(f"{ranking.primary}, ranked", head, rows, notes)


def _own(runs: Sequence[RunRecord]) -> list[Table]:
    """What training itself measured, a table for each metric: of each method the means over its seeds, the best one first."""
    measured: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for run in runs:
        if metric := run.result.get("metric"):
            method = run.method or ("all runs" if len(runs) > 1 else run.name)
            measured.setdefault(metric["name"], {}).setdefault(method, []).append(metric)
    return [_own_table(name, methods) for name, methods in measured.items()]


def _own_table(name: str, methods: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    better = next(iter(methods.values()))[0].get("higher_is_better")  # None: nobody said
    order = list(methods)
    if better is not None:
        order.sort(key=lambda method: _rank(_over_seeds(methods[method], "final"), better))
    rows = [
        [
            method,
            str(len(methods[method])),
            *(_mean(_over_seeds(methods[method], key)) for key in ("initial", "final", "floor")),
        ]
        for method in order
    ]
    notes = ["measured while training; mean over seeds ± standard error; gan-eval measures again, with more samples if asked"]
    return Table(_directed(name, better), ["", "seeds", "step 0", "last step", "real against real"], rows, notes)


def _over_seeds(metrics: Sequence[Mapping[str, Any]], key: str) -> Mean | None:
    values = [metric[key] for metric in metrics if metric[key] is not None]
    return mean(values) if values else None


def _rank(found: Mean | None, higher_is_better: bool) -> float:
    """Sorts the best first and what has no number last."""
    if found is None or not math.isfinite(found.value):
        return math.inf
    return -found.value if higher_is_better else found.value


def _alike(results: Iterable[Result]) -> list[list[Result]]:
    """Results of equal provenance together."""
    found: list[list[Result]] = []
    for result in results:
        same = next((group for group in found if not differences(group[0].provenance, result.provenance)), None)
        if same is None:
            found.append([result])
        else:
            same.append(result)
    return found


def _difference(row: Row) -> str:
    if row.difference is None:
        return ""
    if row.difference.interval is None:
        return row.difference.verdict
    low, high = row.difference.interval
    return f"{signed(row.difference.value)} [{signed(low)}, {signed(high)}]: {row.difference.verdict}"


def _mean(value: Mean | None) -> str:
    return "" if value is None else format_value(value.value, value.error)


def _directed(name: str, higher_is_better: bool | None) -> str:
    return name if higher_is_better is None else f"{name} {'↑' if higher_is_better else '↓'}"
