"""Bounds of a number, at least and at most."""

from gan_cli import checks
from gan_cli.errors import UserError


def check_bounds(at_least: float | None, at_most: float | None, names: tuple[str, str] = ("at_least", "at_most")) -> None:
    """Check that a claim has at least one numeric bound.

    Raises:
        UserError: If both bounds are None, or one of them is not a number.
    """
    if at_least is None and at_most is None:
        raise UserError(f"a claim needs {names[0]} or {names[1]}: otherwise nothing could contradict it.")
    for name, value in zip(names, (at_least, at_most), strict=True):
        if value is not None:
            checks.number(name, value)


def inside(value: float, at_least: float | None, at_most: float | None) -> bool:
    """Return whether ``value`` lies within the given bounds."""
    return (at_least is None or value >= at_least) and (at_most is None or value <= at_most)


def describe_bounds(at_least: float | None, at_most: float | None) -> str:
    """Return the bounds as text."""
    if at_least is not None and at_least == at_most:
        return f"{at_least:g}"
    parts = [f"at least {at_least:g}" if at_least is not None else "", f"at most {at_most:g}" if at_most is not None else ""]
    return " and ".join(filter(None, parts))
