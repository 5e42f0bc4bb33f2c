"""Columns of tables for further use: what tells runs apart, and the rankings of a sweep."""

import csv
import dataclasses
import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_cli.config.names import method_name, settings_text
from gan_cli.evaluation import by_class
from gan_cli.evaluation.sweeps import SweepRun, groups, sweep_run
from gan_cli.runs import environment

if TYPE_CHECKING:
    from gan_cli.evaluation.results import Result


def to_csv(folder: Path, results: Sequence["Result"]) -> str:
    """Return one row per number in full precision, see ``Evaluation.frame``; unknown values are empty.

    Args:
        folder: The folder that the sources of the results are relative to.
        results: The results.
    """
    rows = number_rows(folder, results)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def number_rows(folder: Path, results: Sequence["Result"]) -> list[dict[str, Any]]:
    """Return a row for each number: what tells its run apart, and its value, error, floor and provenance.

    Args:
        folder: The folder that the sources of the results are relative to.
        results: The results.
    """
    numbers = [(result, _rows_of(result)) for result in results]
    taken = {key for _, rows in numbers for row in rows for key in row}
    runs = columns_of_sources(folder, (result.source for result in results), taken)
    return [{"source": result.source, **runs.get(result.source, {}), **row} for result, rows in numbers for row in rows]


def plain_rows(results: Iterable["Result"]) -> list[dict[str, Any]]:
    """Return a row for each number without what tells runs apart."""
    return [row for result in results for row in _rows_of(result)]


def _rows_of(result: "Result") -> list[dict[str, Any]]:
    """Return a row for each number of a result, and for each number within a class, whose name holds that of the class."""
    origin, classes = result.provenance, by_class.rows_of(result.details)
    counts = {"n_real": origin.n_real, "n_fake": origin.n_fake}
    overall = {"class": None} if classes else {}
    rows = [{"name": name, **overall, **dataclasses.asdict(number), **counts} for name, number in result.numbers.items()]
    rows += [
        {
            "name": f"{name}[{row['class']}]",
            "class": row["class"],
            "value": float(row[name]),
            "error": None,
            "higher_is_better": result.numbers[name].higher_is_better if name in result.numbers else None,
            "floor": None,
            "floor_error": None,
            "n_real": row["real"],
            "n_fake": row["generated"],
        }
        for name in by_class.names_of(result.details)
        for row in classes
        if row.get(name) is not None
    ]
    return [
        {
            "step": result.step,
            "chosen": " ".join(result.chosen),
            **row,
            "split": origin.split,
            "ema": origin.ema,
            "sampling_seed": origin.seed,
            "metric": origin.metric,
            "metric_settings": json.dumps(origin.settings, sort_keys=True),
            "reference": origin.reference,
            "sampling": json.dumps(origin.sampling, sort_keys=True),
            "preprocessing": json.dumps(origin.preprocessing, sort_keys=True),
            "labels": origin.labels,
            "protocol": origin.protocol,
            "environment": environment.in_words(result.environment),
            **{f"cost_{name}": cost for name, cost in result.costs.items()},
            **dict.fromkeys(("extractor", "weights", "resizing")),
            **origin.features,
        }
        for row in rows
    ]


def columns_of(runs: Iterable[SweepRun], taken: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Return what tells each run apart, by its name: method, data set, seed of training, and the swept keys with their values.

    Runs without a config are left out. Numbers and truth values are those of the config.

    Args:
        runs: The runs.
        taken: Names of other columns. A swept key of one of these names gets ``run.`` before it.
    """
    found: dict[str, dict[str, Any]] = {}
    for group in groups(runs):
        for run in group.sweep_runs:
            leaves = run.flat_config()
            swept = {key: leaves[key] if _is_number(leaves.get(key)) else text for key, text in group.settings.items()}
            common = {"method": settings_text(group.settings) or own_method(run), "dataset": data_set(run), "seed": run.seed}
            names = {*common, *taken}
            others = {key: value for key, value in swept.items() if key not in ("method", "dataset")}
            found[run.name] = {**common, **{f"run.{key}" if key in names else key: value for key, value in others.items()}}
    return found


def columns_of_sources(folder: Path, sources: Iterable[str], taken: Collection[str] = ()) -> dict[str, dict[str, Any]]:
    """Return the columns of the runs that results come from, by the source of a result; images have none.

    Args:
        folder: The folder that the sources are relative to.
        sources: Folders of runs, or of images.
        taken: Names of other columns.
    """
    runs = {source: sweep_run(folder / source) for source in dict.fromkeys(sources)}
    named = [SweepRun(source, run.config, run.overrides, run.problem) for source, run in runs.items()]
    return columns_of(named, taken)


def own_method(run: SweepRun) -> str:
    """Return the name of a run's method where nothing was swept: its ``method``, else its loss, or its game."""
    return run.config.get("method") or method_name(_option(run, "game").lower(), _option(run, "loss"))


def data_set(run: SweepRun) -> str:
    """Return the name of a run's data set."""
    return _option(run, "dataset")


def _option(run: SweepRun, group: str) -> str:
    """Return the option that the run's command line names, else the name of what the group's node configures."""
    target = str((run.config.get(group) or {}).get("_target_", ""))
    return run.decisive_overrides().get(group) or target.rpartition(".")[2]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def ranking_rows(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the same as rows of one table: one for each ranking, method and number."""
    return [
        {
            "ranking": entry["number"],
            "checkpoint": entry["checkpoint"],
            "method": method["method"],
            **method["settings"],
            "seeds": len(method["seeds"]),
            "name": name,
            **number,
            **(_difference_columns(method["difference"], entry["reference"]) if name == entry["number"] else {}),
        }
        for entry in entries
        for method in entry["methods"]
        for name, number in (
            *method["numbers"].items(),
            *((f"{name}[{label}]", mean) for name, means in method["by_class"].items() for label, mean in means.items()),
        )
    ]


def _difference_columns(difference: Mapping[str, Any] | None, reference: bool) -> dict[str, Any]:
    if difference is None:
        return {"verdict": "reference" if reference else "best"}
    low, high = difference["interval"] or (None, None)
    return {
        "difference": difference["value"],
        "low": low,
        "high": high,
        "verdict": difference["verdict"],
        "seeds_to_decide": difference["seeds"],
    }
