"""Results of gan-eval as tables and bar charts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_cli.config.names import settings_text
from gan_cli.evaluation.by_class import COUNTED, ENOUGH_IN_WORDS, names_of, rows_of
from gan_cli.evaluation.comparison import Mean, Ranking, compare, mean
from gan_cli.evaluation.costs import NOTE, TITLE, cost_rows
from gan_cli.evaluation.design import design_of
from gan_cli.evaluation.design_tables import NOTE as NOTE_OF_DESIGNS
from gan_cli.evaluation.design_tables import effect_rows, level_rows
from gan_cli.evaluation.floor_words import REAL, floor_in_words, floor_label, floor_note, result_label
from gan_cli.evaluation.number_format import format_value, with_direction
from gan_cli.evaluation.remarks import remarks
from gan_cli.evaluation.results import Provenance, Result, differences, named
from gan_cli.evaluation.tables import caption
from gan_cli.evaluation.verdict_words import base_in_words, difference_text, legend, row_name, seeds_text, verdict_text
from gan_cli.report.figures import style
from gan_cli.report.figures.designs import heat_map
from gan_cli.report.figures.rows import group_rows
from gan_cli.report.figures.style import WIDTH, RenderedFigure
from gan_cli.report.figures.sweeps import bars
from gan_cli.report.records.data_sets import by_data_set
from gan_cli.report.records.runs import RunRecord
from gan_cli.runs import costs


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        title: Text above the table.
        head: Column headings.
        rows: Cells; the first one of each row is its heading.
        notes: Remarks below the table: everything that the numbers depend on.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]


def tables(runs: Sequence[RunRecord]) -> list[Table]:
    """Return the evaluation results as tables.

    Returns:
        The checkpoints of a single run, or the methods of a sweep over seeds. If gan-eval has not been run: the metric that was
        measured during training.
    """
    if not any(run.results for run in runs):
        return [*_training_tables(runs), *_cost_tables(runs)]
    if len(runs) == 1:
        alike = _group_by_provenance(runs[0].results)
        return [table for results in alike for table in (_run_table(results), *_class_tables_of_run(results))]
    comparison = compare([run.sweep_run for run in runs], {run.sweep_run.name: run.results for run in runs})
    left_out = [f"left out: {name} ({reason})" for name, reason in comparison.left_out.items()]
    ranked = [
        table
        for ranking in comparison.rankings
        for table in (
            _sweep_table(ranking, [*_remarks(ranking, runs), *left_out]),
            *_design_tables(ranking),
            *_class_tables(ranking),
        )
    ]
    return [*ranked, *_cost_tables(runs)]


def ranking_figures(runs: Sequence[RunRecord]) -> list[RenderedFigure]:
    """Return a bar chart of the primary number of every ranking, and a heat map if its methods are a full grid of two keys.

    Empty unless there are several methods.
    """
    if len({run.method for run in runs}) < 2:
        return []
    comparison = compare([run.sweep_run for run in runs], {run.sweep_run.name: run.results for run in runs})
    return [
        figure
        for index, ranking in enumerate(comparison.rankings)
        if len(ranking.rows) > 1
        for figure in (_bars(ranking, runs, index), *heat_map(ranking, index))
    ]


def _bars(ranking: Ranking, runs: Sequence[RunRecord], index: int) -> RenderedFigure:
    groups: dict[str, list[float]] = {}
    for row in ranking.rows:
        same = [run for run in runs if run.settings == row.settings and run.sweep_run.seed in row.seeds]
        results = [_find_result(run, ranking.provenance, ranking.chosen) for run in same]
        values = [result.numbers[ranking.primary].value for result in results if result is not None]
        groups[row_name(ranking, row)] = [value for value in values if math.isfinite(value)]
    measured = [result for run in runs if (result := _find_result(run, ranking.provenance, ranking.chosen)) is not None]
    floor = (ranking.floor[1], result_label(*measured)) if ranking.floor else None
    height = 0.42 * len(groups) + 1.3
    drawing = style.render(
        (WIDTH, height), lambda figure: bars(figure.subplots(), groups, style.label(ranking.primary), floor=floor)
    )
    better = "right" if ranking.numbers[ranking.primary].higher_is_better else "left"
    text = f"Mean over seeds with its standard error, and a dot for each seed; further {better} is better."
    title = f"{ranking.primary} by method{_shared(ranking)}"
    return RenderedFigure(f"numbers_{index}", title, text, drawing, f"{title}. {text}", group_rows(groups, ranking.primary))


def _find_result(run: RunRecord, provenance: Provenance, chosen: str) -> Result | None:
    results = [result for result in run.results if chosen in result.chosen and not differences(provenance, result.provenance)]
    return results[-1] if results else None


def _run_table(results: Sequence[Result]) -> Table:
    head = ["", *(f"{', '.join(result.chosen)} (step {result.step})" for result in results), REAL]
    rows = [
        [
            named(name, results[0].numbers),
            *(format_value(result.numbers[name].value, result.numbers[name].error) for result in results),
            "" if number.floor is None else format_value(number.floor, number.floor_error),
        ]
        for name, number in results[0].numbers.items()
        if all(name in result.numbers for result in results)
    ]
    notes = [*remarks(results), *floor_note(results[0]), *caption(results[0].provenance).splitlines()]
    return Table(results[0].primary, head, rows, notes)


def _class_tables_of_run(results: Sequence[Result]) -> list[Table]:
    """Return a table of the numbers within each class for each of the results that have them: a row for each class."""
    found = []
    for result in results:
        names = names_of(result.details)
        if names and result.chosen:
            title = f"{result.primary} within classes, {', '.join(result.chosen)} (step {result.step})"
            head = ["", *COUNTED[1:], *(named(name, result.numbers) for name in names)]
            rows = [
                [*(str(row[key]) for key in COUNTED), *(_value_text(row.get(name)) for name in names)]
                for row in rows_of(result.details)
            ]
            found.append(Table(title, head, rows, [ENOUGH_IN_WORDS]))
    return found


def _design_tables(ranking: Ranking) -> list[Table]:
    """Return the main effects and interactions, and the means of the values, if the methods are a full grid."""
    design = design_of(ranking)
    if design is None:
        return []
    title = f"{ranking.primary}, the grid as a design{_shared(ranking)}"
    return [
        Table(title, ["", "F", "p", "verdict"], effect_rows(design), [NOTE_OF_DESIGNS]),
        Table("means of its values", ["", named(ranking.primary, ranking.numbers)], level_rows(design), []),
    ]


def _class_tables(ranking: Ranking) -> list[Table]:
    """Return a table of each number within each class: a row for each class, a column for each method."""
    names = dict.fromkeys(name for row in ranking.rows for name in row.by_class)
    return [_class_table(ranking, name, [row.by_class.get(name, {}) for row in ranking.rows]) for name in names]


def _class_table(ranking: Ranking, name: str, means: Sequence[Mapping[str, Mean]]) -> Table:
    head = ["", *(row_name(ranking, row) for row in ranking.rows)]
    classes = dict.fromkeys(label for found in means for label in found)
    rows = [[label, *(_mean_text(found.get(label)) for found in means)] for label in classes]
    means_of = f"{ranking.chosen} checkpoints; mean over seeds ± standard error"
    title = f"{named(name, ranking.numbers)} within classes{_shared(ranking)}"
    return Table(title, head, rows, [means_of, ENOUGH_IN_WORDS])


def _remarks(ranking: Ranking, runs: Sequence[RunRecord]) -> list[str]:
    """Return the remarks of the metrics on the numbers of a ranking, by run."""
    results = {run.name: _find_result(run, ranking.provenance, ranking.chosen) for run in runs}
    return [f"{name}: {remark}" for name, result in results.items() if result is not None for remark in remarks([result])]


def _sweep_table(ranking: Ranking, remarks: Sequence[str]) -> Table:
    numbers = [named(name, ranking.numbers) for name in ranking.numbers]
    compared = [f"{ranking.primary}, to the {base_in_words(ranking)}", "verdict", "seeds to decide"]
    head = ["", "seeds", *numbers, *(compared if len(ranking.rows) > 1 else [])]
    rows = [
        [
            row_name(ranking, row),
            f"{len(row.seeds)} of {row.n_seeds}",
            *(_mean_text(row.means[ranking.chosen].get(name)) for name in ranking.numbers),
            *([difference_text(row), verdict_text(ranking, row), seeds_text(row)] if len(ranking.rows) > 1 else []),
        ]
        for row in ranking.rows
    ]
    floor = [f"{REAL}: {floor_in_words(ranking)}"] if ranking.floor else []
    means = f"{ranking.chosen} checkpoints; mean over seeds ± standard error"
    notes = [means, *legend(ranking), *floor, *caption(ranking.provenance, seed=False).splitlines(), *remarks]
    return Table(f"{ranking.primary}, ranked{_shared(ranking)}", head, rows, notes)


def _shared(ranking: Ranking) -> str:
    """Return what all methods of a ranking have in common, for its title."""
    return f" ({settings_text(ranking.shared)})" if ranking.shared else ""


def _training_tables(runs: Sequence[RunRecord]) -> list[Table]:
    """Return a table for each data set and metric measured during training: means over the seeds of each method, best first."""
    measured: dict[tuple[str, str], dict[str, list[Mapping[str, Any]]]] = {}
    for data_set, group in by_data_set(runs).items():
        for run in group:
            if (metric := run.result.get("metric")) and run.result["status"] != "pruned":
                method = run.method or ("all runs" if len(runs) > 1 else run.name)
                measured.setdefault((metric["name"], data_set), {}).setdefault(method, []).append(metric)
    return [_training_table(name, data_set, methods) for (name, data_set), methods in measured.items()]


def _training_table(name: str, data_set: str, methods: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    better = next(iter(methods.values()))[0].get("higher_is_better")  # None: not recorded
    order = list(methods)
    if better is not None:
        order.sort(key=lambda method: _sort_key(_over_seeds(methods[method], "final"), better))
    rows = [
        [
            method,
            str(len(methods[method])),
            *(_mean_text(_over_seeds(methods[method], key)) for key in ("initial", "final", "floor")),
        ]
        for method in order
    ]
    notes = ["measured during training; mean over seeds ± standard error; run gan-eval to measure with more samples"]
    title = with_direction(name, better) + (f" ({data_set})" if data_set else "")
    floor = floor_label(*(metric for metrics in methods.values() for metric in metrics))
    return Table(title, ["", "seeds", "step 0", "last step", floor], rows, notes)


def _cost_tables(runs: Sequence[RunRecord]) -> list[Table]:
    """Return a table of the costs of the methods up to their last steps; none if they cost the same."""
    methods: dict[str, list[Mapping[str, float]]] = {}
    for run in runs:
        if found := costs.of_rows(run.rows):
            methods.setdefault(run.method, []).append(found)
    heads, rows = cost_rows(methods)
    return [Table(TITLE, ["", *heads], rows, [NOTE])] if rows else []


def _over_seeds(metrics: Sequence[Mapping[str, Any]], key: str) -> Mean | None:
    values = [metric[key] for metric in metrics if metric.get(key) is not None]
    return mean(values) if values else None


def _sort_key(mean: Mean | None, higher_is_better: bool) -> float:
    """Sort the best first and missing numbers last."""
    if mean is None or not math.isfinite(mean.value):
        return math.inf
    return -mean.value if higher_is_better else mean.value


def _group_by_provenance(results: Iterable[Result]) -> list[list[Result]]:
    """Group results that may be compared."""
    groups: list[list[Result]] = []
    for result in results:
        group = next((group for group in groups if not differences(group[0].provenance, result.provenance)), None)
        if group is None:
            groups.append([result])
        else:
            group.append(result)
    return groups


def _mean_text(value: Mean | None) -> str:
    return "" if value is None else format_value(value.value, value.error)


def _value_text(value: float | str | None) -> str:
    return "" if value is None else format_value(float(value))
