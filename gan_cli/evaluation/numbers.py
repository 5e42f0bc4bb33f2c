"""The numbers of a metric with their errors and floors, and the details that are stored with them."""

from collections.abc import Sequence
from typing import Any

from gan_cli.evaluation.by_class import numbers_by_class
from gan_cli.evaluation.floors import Floor
from gan_cli.evaluation.measurement import left_out_lines
from gan_cli.evaluation.results import Number
from gan_cli.metrics.base import Metric
from gan_cli.metrics.features.base import Encoded


def numbers_and_details(
    metric: Metric,
    real: Encoded,
    fake: Encoded,
    floor: Floor,
    classes: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> tuple[dict[str, Number], dict[str, Any]]:
    """Return the numbers of a metric with errors and floors, and its details with those of the floor and of each class.

    Args:
        metric: The metric.
        real: Encoded real samples.
        fake: Encoded generated samples.
        floor: Floor of the numbers.
        classes: Names of the classes; empty without labels.
        remarks: Remarks on the samples, which stand before those of the metric.
    """
    numbers = {
        name: Number(value.value, value.error, value.higher_is_better, floor.values.get(name), floor.errors.get(name))
        for name, value in metric.with_errors(real, fake).items()
    }
    details = {**floor_details(floor), **metric.details(real, fake), **numbers_by_class(metric, real, fake, classes)}
    if metric.left_out:
        details["left_out"] = dict(metric.left_out)
    if said := [*remarks, *left_out_lines(metric), *details.get("remarks", ())]:
        details["remarks"] = said
    return numbers, details


def floor_details(floor: Floor) -> dict[str, Any]:
    """Return how a floor was measured, as plain data: the keys ``floor_n``, ``floor_against``, ``floor_draws`` and so on."""
    names = ("n", "against", "draws", "split", "two_times")
    return {f"floor_{name}": getattr(floor, name) for name in names}
