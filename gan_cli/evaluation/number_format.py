"""Formatting of numbers with as many digits as their errors justify."""

import math

ROUNDING = 1e-9
"""An error below this fraction of its value is treated as a rounding error."""


def format_value(value: float, error: float | None = None) -> str:
    """Format ``value ± error`` with two significant digits of the error, and the value to the same decimal place.

    Without an error, or if the error is mere rounding, the value has at least four significant digits; whole numbers are
    printed in full. NaN and infinity are ``not finite``.
    """
    if not math.isfinite(value):
        return "not finite"
    if not is_significant(value, error):
        return format_fixed(value, 0 if value == round(value) else max(0, decimal_place(value, 4)))
    assert error is not None
    decimals = decimal_place(error, 2)
    return f"{format_fixed(value, decimals)} ± {format_fixed(error, decimals)}"


def is_significant(value: float, error: float | None) -> bool:
    """Return True if there is an error that is larger than rounding."""
    return error is not None and math.isfinite(error) and error > ROUNDING * abs(value)


def decimal_place(value: float, digits: int) -> int:
    """Return the decimal place of the last of ``digits`` significant digits, after rounding to them: 0.0996 to two is 0.10."""
    return digits - 1 - int(f"{value:.{digits - 1}e}".partition("e")[2])


def format_fixed(value: float, decimals: int) -> str:
    """Format ``value`` rounded to ``decimals`` places (negative: powers of ten), with an exponent if it would be long."""
    rounded = round(value, decimals) + 0.0  # no -0
    if decimals > 7 or abs(rounded) >= 1e7:
        digits = decimals + int(f"{rounded:e}".partition("e")[2]) if rounded else 0
        return f"{rounded:.{max(0, digits)}e}"
    return f"{rounded:.{max(0, decimals)}f}"


def format_interval(value: float, low: float, high: float) -> tuple[str, str, str]:
    """Format a value and its interval, with signs: two significant digits of half the width.

    An end that would be rounded to 0 has two significant digits of its own, so that an interval without 0 shows it.
    """
    decimals = decimal_place((high - low) / 2, 2) if high > low else decimal_place(value, 4)
    first, last = (decimals if round(end, decimals) or not end else decimal_place(end, 2) for end in (low, high))
    return format_signed(value, decimals), format_signed(low, first), format_signed(high, last)


def format_signed(value: float, decimals: int | None = None) -> str:
    """Format ``value`` with its sign, rounded to ``decimals`` places."""
    text = format_value(value) if decimals is None else format_fixed(value, decimals)
    return text if text.startswith("-") else f"+{text}"


def with_direction(name: str, higher_is_better: bool | None) -> str:
    """Return a number's name with an arrow in the direction of improvement, if it has one."""
    return name if higher_is_better is None else f"{name} {'↑' if higher_is_better else '↓'}"
