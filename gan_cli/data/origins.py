"""Facts about samples before they were transformed, in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from gan_cli.config.form import FormError, require

MODES: Mapping[str, str] = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "I;16": "grey of 16 bits",
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "P": "colour by a palette",
}
"""PIL's names of common pixel formats, in words."""

Origins = Mapping[str, Any]
"""Plain data, see :meth:`gan_cli.data.base.Dataset.origins`."""


class ImageOrigins(TypedDict):
    """Facts about images, see :class:`gan_cli.data.images.originals.Counts`; further entries are free."""

    images: int
    looked_at: NotRequired[int]
    width: tuple[int, int]
    height: tuple[int, int]
    modes: dict[str, int]
    changes: dict[str, int]
    passed_over: dict[str, int]


class TableOrigins(TypedDict):
    """Facts about a table; further entries are free."""

    table: str
    rows: int
    columns: list[str]
    left_out: list[str]
    window: int


def described(parts: Mapping[str, Origins], units: str) -> str:
    """Return the facts about the parts of a data set in one line, empty if there are none.

    Args:
        parts: The facts about all samples, or about the training and the held-out part.
        units: Ranges of the features of sequences.
    """
    first = next(iter(parts.values()), {})
    if parts and all(_has(part, ImageOrigins) for part in parts.values()):
        return f"originals: {_images(_merged(list(parts.values())))}"
    if _has(first, TableOrigins):
        return f"table: {_table(first)}; {units}"
    words = [f"{key} {value}" for key, value in first.items() if isinstance(value, str | int | float)]
    return "; ".join([*([f"originals: {', '.join(words)}"] if words else []), *([f"features: {units}"] if units else [])])


def _has(part: Origins, form: Any) -> bool:
    try:
        require(part, form)
    except FormError:
        return False
    return True


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
    total = origins["looked_at"] or origins["images"]
    modes = {MODES.get(mode, mode): count for mode, count in origins["modes"].items()}
    parts = [f"{origins['images']} images{looked_at} of {size} pixels, {_shares(modes, total)}"]
    if origins["changes"]:
        parts.append(_shares(origins["changes"], total))
    if origins["passed_over"]:
        parts.append(f"passed over: {', '.join(f'{name} {count}' for name, count in origins['passed_over'].items())}")
    return "; ".join(parts)


def _table(origins: Origins) -> str:
    text = f"{origins['rows']} rows of {origins['table']}, {len(origins['columns'])} columns"
    if origins["left_out"]:
        text += f" (left out: {', '.join(origins['left_out'])})"
    return f"{text}, windows of {origins['window']}"


def _range(limits: tuple[int, int]) -> str:
    low, high = limits
    return f"{low}" if low == high else f"{low} to {high}"


def _shares(counts: Mapping[str, int], total: int) -> str:
    return ", ".join(f"{'all' if count == total else count} {name}" for name, count in counts.items())
