"""Floors in words: their sample counts, and their scatter over draws."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gan_cli.evaluation.number_format import format_value
from gan_cli.evaluation.results import Result

if TYPE_CHECKING:  # it imports scipy
    from gan_cli.evaluation.comparison import Ranking

REAL = "real against real"
"""Label of a floor."""


def other_counts(details: Mapping[str, Any], n_real: int | None, n_fake: int | None) -> str:
    """Return the counts of a floor, as ``1000 against 1000 samples``; empty if they are those of the numbers.

    Args:
        details: The floor's own entries, see ``numbers.floor_details``.
        n_real: Number of real samples of the numbers. None: not recorded.
        n_fake: Number of generated samples of the numbers. None: not recorded.
    """
    n = details.get("floor_n", n_real)
    against = details.get("floor_against", n_fake)
    return "" if None in (n_real, n_fake) or (n, against) == (n_real, n_fake) else f"{n} against {against} samples"


def floor_label(*metrics: Mapping[str, Any]) -> str:
    """Return the label of a floor in a figure, marked if it has other counts than the numbers.

    Args:
        metrics: Metrics in ``result.json``, with the counts of the numbers and of the floor.
    """
    counts = dict.fromkeys(other_counts(metric, metric.get("n_real"), metric.get("n_fake")) for metric in metrics)
    return ", ".join([REAL, *filter(None, counts)])


def result_label(*results: Result) -> str:
    """Return the same label for results of gan-eval."""
    return floor_label(*(_counts(result) for result in results))


def floor_note(result: Result) -> list[str]:
    """Return how the floors of a result were measured; empty if it has none."""
    numbers, details, origin = result.numbers.values(), result.details, result.provenance
    if all(number.floor is None for number in numbers):
        return []
    n = details.get("floor_n", origin.n_real)
    against = details.get("floor_against", n)
    others = "as many" if against == n else str(against)
    marked = ", at other counts than the numbers" if other_counts(details, origin.n_real, origin.n_fake) else ""
    split = f" of the {details['floor_split']} split" if details.get("floor_split") else ""
    time = " of another time" if details.get("floor_two_times") else ""
    note = f"Floor{marked}: the same numbers between {n} real samples and {others} other real ones{split}{time}"
    if (draws := details.get("floor_draws", 1)) == 1:
        return [f"{note}; one draw, whose error is not known."]
    alone = any(number.floor is not None and number.floor_error is None for number in numbers)
    return [
        f"{note}; mean ± standard deviation over {draws} random splits of these{', without ±: one split' if alone else ''}."
    ]


def floor_in_words(ranking: "Ranking") -> str:
    """Return the floor of a ranking's primary number with its scatter and its counts; empty if it was not measured."""
    if ranking.floor is None:
        return ""
    low, high = (format_value(bound, ranking.floor_error) for bound in ranking.floor)
    draws = ranking.floor_details.get("floor_draws", 1)
    origin = ranking.provenance
    about = [
        other_counts(ranking.floor_details, origin.n_real, origin.n_fake),
        "one draw" if ranking.floor_error is None else f"± standard deviation over {draws} random splits",
    ]
    return f"{low}{'' if high == low else f' to {high}'} ({', '.join(filter(None, about))})"


def _counts(result: Result) -> dict[str, Any]:
    return {**result.details, "n_real": result.provenance.n_real, "n_fake": result.provenance.n_fake}
