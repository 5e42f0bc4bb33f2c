"""The numbers that figures show, as rows of tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_cli.evaluation.comparison import mean
from gan_cli.report.records.runs import RunRecord
from gan_cli.report.records.series import over_seeds


def curve_rows(runs: Sequence[RunRecord], tags: Sequence[str], median: int | None) -> list[dict[str, Any]]:
    """Return the logged and the smoothed values of each run by step, then means over seeds with their standard errors.

    Args:
        runs: The runs.
        tags: The logged numbers.
        median: Width of the median filter in points, odd. None: chosen by the length of each curve.
    """
    rows: list[dict[str, Any]] = []
    for run in runs:
        for tag in tags:
            raw, smooth = run.series(tag).finite(), run.series(tag).smooth(median)
            about = {"method": run.method, "seed": run.sweep_run.seed, "tag": tag}
            numbers = zip(raw.steps.tolist(), raw.values.tolist(), smooth.values.tolist(), strict=True)
            rows += [{**about, "step": step, "value": value, "smoothed": middle} for step, value, middle in numbers]
    for method in dict.fromkeys(run.method for run in runs):
        for tag in tags:
            curves = [run.series(tag).smooth(median) for run in runs if run.method == method]
            if (band := over_seeds([curve for curve in curves if curve])) is not None:
                about = {"method": method, "seed": "mean", "tag": tag}
                numbers = zip(*(part.tolist() for part in band), strict=True)
                rows += [{**about, "step": step, "smoothed": middle, "error": error} for step, middle, error in numbers]
    return rows


def group_rows(groups: Mapping[str, Sequence[float]], number: str) -> list[dict[str, Any]]:
    """Return the values of each method, its mean and its standard error as rows of a table."""
    return [
        {"method": name, "number": number, "mean": mean(values).value, "error": mean(values).error, "value": value}
        for name, values in groups.items()
        for value in values
    ]
