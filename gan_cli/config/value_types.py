"""Types of single values of a config, and the words by which an error names them."""

import re
from typing import Any

from omegaconf import BooleanNode, FloatNode, IntegerNode
from omegaconf.errors import ValidationError

from gan_cli.config.scalars import MISSING, Scalar

KINDS = {
    bool: (BooleanNode, "true or false"),
    int: (IntegerNode, "an integer"),
    float: (FloatNode, "a number"),
}

ONE, LIST = "one value", "a list, as in [a,b]"
"""Words for the two forms of a value."""


def typed(scalar: Scalar, value: Any) -> str | None:
    """Return what a scalar of the schema must be, or None if ``value`` is that."""
    if value is None:
        return None if scalar.optional else KINDS[scalar.kind][1] if scalar.kind in KINDS else "given"
    if scalar.kind is list:
        return None if isinstance(value, list) else LIST
    if isinstance(value, (dict, list)):
        return ONE
    wanted = _of_kind(scalar.kind, value)
    return f"{wanted} or null" if wanted and value is False and scalar.optional else wanted


def like(default: Any, value: Any) -> str | None:
    """Return what a component's argument must be, judged by its default, or None if ``value`` is that."""
    if value is None or default is None or default == MISSING or is_interpolation(value) or is_interpolation(default):
        return None
    if isinstance(value, dict) and "_target_" in value and isinstance(default, int | float):
        return None  # a law, which the component checks
    if isinstance(default, dict):
        return None if isinstance(value, dict) else f"set by its keys ({', '.join(map(str, default))})"
    if isinstance(default, list):
        if not isinstance(value, list):
            return LIST
        # whole numbers may stand for numbers, or for names that have numbers, too; the component checks them
        kept = default and type(default[0]) is not int
        wanted = [like(default[0], element) for element in value] if kept else []
        return next((f"a list whose elements are each {want}" for want in wanted if want), None)
    if isinstance(value, (dict, list)):
        return ONE
    return _of_kind(type(default), value)


def _of_kind(kind: type, value: Any) -> str | None:
    if kind not in KINDS or is_interpolation(value):
        return None
    node, words = KINDS[kind]
    try:
        node(value)
    except ValidationError:
        return words
    return None


def is_interpolation(value: Any) -> bool:
    """Return True if ``value`` refers to another key or to the environment."""
    return isinstance(value, str) and re.search(r"\$\{.*\}", value) is not None


def shown(value: Any) -> str:
    """Return a value as errors show it."""
    return "null" if value is None else repr(value)
