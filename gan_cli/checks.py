"""What a field of a config must be. A word such as ``no`` where a flag belongs would otherwise count as true."""

import math
from collections.abc import Sequence
from typing import Any

from gan_cli.errors import UserError


def count(name: str, value: Any, least: int = 1) -> None:
    """UserError unless ``value`` is a whole number, at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f"{name}={value!r}: it must be a whole number, at least {least}.")


def counts(**values: Any) -> None:
    """UserError unless each of ``values`` is a whole number, at least 1."""
    for name, value in values.items():
        count(name, value)


def odd(name: str, value: Any) -> None:
    """UserError unless ``value`` is a whole odd number, as the width of a median is."""
    count(name, value)
    if value % 2 == 0:
        raise UserError(f"{name}={value}: it must be odd.")


def number(name: str, value: Any, least: float = -math.inf, above: float = -math.inf) -> None:
    """UserError unless ``value`` is a finite number, at least ``least`` and above ``above``."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not (is_number and value >= least and value > above):
        bounds = {f", at least {least:g}": least, f" above {above:g}": above}
        bound = "".join(words for words, limit in bounds.items() if math.isfinite(limit))
        raise UserError(f"{name}={value!r}: it must be a number{bound}.")


def flag(name: str, value: Any) -> None:
    """UserError unless ``value`` is true or false."""
    if not isinstance(value, bool):
        raise UserError(f"{name}={value!r}: it must be true or false.")


def share(name: str, value: Any) -> None:
    """UserError unless ``value`` is a number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise UserError(f"{name}={value!r}: it must be a number from 0 to 1.")


def listed(name: str, value: Any) -> None:
    """UserError unless ``value`` is a list of numbers, as far as its form tells; each has to be checked by itself."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UserError(f"{name}={value!r}: it must be a list of numbers, for instance [1,2].")
