"""The form of ``eval.json``, which may come from somebody else."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

from gan_cli.config.form import FormError, require
from gan_cli.evaluation import by_class


class StoredNumber(TypedDict):
    """A number in ``eval.json``."""

    value: float | Literal["inf", "-inf"] | None
    error: NotRequired[float | Literal["inf", "-inf"] | None]
    higher_is_better: NotRequired[bool | None]
    floor: NotRequired[float | Literal["inf", "-inf"] | None]
    floor_error: NotRequired[float | Literal["inf", "-inf"] | None]


class StoredForm(TypedDict):
    """A result in ``eval.json``; a number that is not finite is a string or None."""

    source: str
    step: int | None
    chosen: list[str]
    provenance: dict[str, Any]
    numbers: dict[str, StoredNumber]
    details: NotRequired[dict[str, Any]]
    seconds: NotRequired[float]
    environment: NotRequired[dict[str, Any]]
    costs: NotRequired[dict[str, float]]


class StoredResults(TypedDict):
    """The content of ``eval.json``."""

    results: list[Any]


def require_result(content: Any) -> None:
    """Check that ``content`` is a result, whose provenance may be any mapping.

    Raises:
        FormError: If it is anything else.
    """
    require(content, StoredForm)
    if unknown := set(content) - set(StoredForm.__annotations__):
        raise FormError(f"{min(unknown)} is unknown")
    if not content["numbers"]:
        raise FormError("a result without numbers")
    _require_details(content.get("details", {}))


def _require_details(details: Mapping[str, Any]) -> None:
    """Check the entries of details that are shown: remarks, numbers by class, tables whose rows have the columns of the first.

    Raises:
        FormError: If one is anything else.
    """
    for name, value in details.items():
        if name == "remarks":
            require(value, list[str], name)
        elif name == "table":
            require(value, list[dict[str, Any]], name)
            if not value or any(not set(value[0]) <= set(row) for row in value):
                raise FormError("a table in details has no rows, or rows of different columns")
        elif name == by_class.KEY:
            by_class.require_rows(value)
        elif isinstance(value, Mapping):
            _require_details(value)


def plain(value: Any) -> Any:
    """Return plain data: mappings as dicts, sequences as lists, NaN as None, infinity as a string, the rest unchanged."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
