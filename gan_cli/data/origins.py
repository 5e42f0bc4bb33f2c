"""Facts about samples before they were transformed, in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Origins = Mapping[str, Any]
"""Plain data, see :meth:`gan_cli.data.base.Dataset.origins`."""
IMAGES = {"images", "width", "height", "modes", "changes", "passed_over"}
TABLE = {"table", "rows", "columns", "left_out", "window"}
"""Keys of the facts about images and about tables, which have a line of their own."""


def described(parts: Mapping[str, Origins], units: str) -> str:
    """Return the facts about the parts of a data set in one line, empty if there are none.

    Args:
        parts: The facts about all samples, or about the training and the held-out part.
        units: Ranges of the features of sequences.
    """
    first = next(iter(parts.values()), {})
    if all(part.keys() >= IMAGES for part in parts.values()) and parts:
        return f"originals: {_images(_merged(list(parts.values())))}"
    if first.keys() >= TABLE:
        return f"table: {_table(first)}; {units}"
    words = [f"{key} {value}" for key, value in first.items() if isinstance(value, str | int | float)]
    return "; ".join([*([f"originals: {', '.join(words)}"] if words else []), *([f"features: {units}"] if units else [])])


def _merged(parts: Sequence[Origins]) -> Origins:
    """Return the counts of all parts together, with ranges that cover them."""
    sums: dict[str, Counter[str]] = {key: Counter() for key in ("modes", "changes", "passed_over")}
    for part in parts:
        for key, total in sums.items():
            total.update(part[key])
    ranges = {key: [min(part[key][0] for part in parts), max(part[key][1] for part in parts)] for key in ("width", "height")}
    totals = {key: sum(part.get(key, 0) for part in parts) for key in ("images", "looked_at")}
    return {**sums, **ranges, **totals}


def _images(origins: Origins) -> str:
    looked_at = f" ({origins['looked_at']} looked at)" if origins["looked_at"] else ""
    size = f"{_range(origins['width'])} by {_range(origins['height'])}"
    parts = [f"{origins['images']} images{looked_at} of {size} pixels, {_counts(origins['modes'])}"]
    if origins["changes"]:
        parts.append(_counts(origins["changes"]))
    if origins["passed_over"]:
        parts.append(f"passed over: {_counts(origins['passed_over'])}")
    return "; ".join(parts)


def _table(origins: Origins) -> str:
    text = f"{origins['rows']} rows of {origins['table']}, {len(origins['columns'])} columns"
    if origins["left_out"]:
        text += f" (left out: {', '.join(origins['left_out'])})"
    return f"{text}, windows of {origins['window']}"


def _range(limits: tuple[int, int]) -> str:
    low, high = limits
    return f"{low}" if low == high else f"{low} to {high}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
