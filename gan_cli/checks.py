"""Checks of the fields of a component; without them a word such as ``no`` would count as true where a flag belongs.

Every check takes the name and the value of a field, and raises a FieldError for any other value than it describes.
"""

import math
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import PurePath
from typing import Any

from gan_cli.errors import FieldError, UserError


def count(name: str, value: Any, least: int = 1) -> None:
    """Check that ``value`` is a whole number, at least ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise FieldError(name, value, f"it must be a whole number, at least {least}.")


def counts(**values: Any) -> None:
    """Check that each of ``values`` is a whole number, at least 1."""
    for name, value in values.items():
        count(name, value)


def odd(name: str, value: Any) -> None:
    """Check that ``value`` is a positive odd number, such as the width of a median filter."""
    count(name, value)
    if value % 2 == 0:
        raise FieldError(name, value, "it must be odd.")


def number(name: str, value: Any, least: float = -math.inf, above: float = -math.inf) -> None:
    """Check that ``value`` is a finite number, at least ``least`` and above ``above``."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not (is_number and value >= least and value > above):
        bounds = {f", at least {least:g}": least, f" above {above:g}": above}
        bound = "".join(words for words, limit in bounds.items() if math.isfinite(limit))
        raise FieldError(name, value, f"it must be a number{bound}.")


def interval(name: str, value: Any) -> None:
    """Check that ``value`` is a list of two finite numbers, the smaller one first."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise FieldError(name, value, "it must be a list of two numbers, for instance [0,4095].")
    for index, limit in enumerate(value):
        number(f"{name}[{index}]", limit)
    if not value[0] < value[1]:
        raise FieldError(name, value, "the first number must be below the second.")


def flag(name: str, value: Any) -> None:
    """Check that ``value`` is true or false."""
    if not isinstance(value, bool):
        raise FieldError(name, value, "it must be true or false.")


def inside(name: str, value: Any) -> None:
    """Check that ``value`` is a pattern for files inside a folder, such as ``samples/*.png``."""
    path = PurePath(value) if isinstance(value, str) else PurePath("/")
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in value:
        raise FieldError(name, value, "it must be a pattern for files inside the run folder.")


def share(name: str, value: Any) -> None:
    """Check that ``value`` is a number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise FieldError(name, value, "it must be a number from 0 to 1.")


def listed(name: str, value: Any) -> None:
    """Check that ``value`` is a list; its elements have to be checked one by one."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise FieldError(name, value, "it must be a list of numbers, for instance [1,2].")


def package(name: str, extra: str, purpose: str) -> None:
    """Check that an optional package is installed.

    Args:
        name: The package as pip calls it.
        extra: The extra of gan-cli that installs it.
        purpose: The option that needs it.

    Raises:
        UserError: If it is not installed.
    """
    if not installed(name):
        raise UserError(
            f"{purpose} needs the package {name}, which is not installed.\nInstall it with: pip install 'gan-cli[{extra}]'"
        )


def installed(name: str) -> bool:
    """Return True if a package is installed, given its name as pip calls it."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
