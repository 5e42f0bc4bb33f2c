"""Numbers as text: as many digits as their errors bear out."""

import math

ROUNDING = 1e-9
"""An error that is a smaller part of its value is none."""


def format_value(value: float, error: float | None = None) -> str:
    """``value ± error`` as far as the error bears it out: two significant digits of the error, the value to the same place.

    Without an error, or with one that is mere rounding, four significant digits at least, of a whole number what it is.
    ``not finite`` for NaN and Inf.
    """
    if not math.isfinite(value):
        return "not finite"
    if not significant(value, error):
        return fixed(value, 0 if value == round(value) else max(0, place(value, 4)))
    assert error is not None
    decimals = place(error, 2)
    return f"{fixed(value, decimals)} ± {fixed(error, decimals)}"


def significant(value: float, error: float | None) -> bool:
    """Whether there is an error that is more than rounding."""
    return error is not None and math.isfinite(error) and error > ROUNDING * abs(value)


def place(value: float, digits: int) -> int:
    """The decimal place of the last of ``digits`` significant digits, after rounding to them: 0.0996 to two is 0.10."""
    return digits - 1 - int(f"{value:.{digits - 1}e}".partition("e")[2])


def fixed(value: float, decimals: int) -> str:
    """``value`` rounded to ``decimals`` places, or powers of ten where it is negative; with an exponent where it gets long."""
    rounded = round(value, decimals) + 0.0  # no -0
    if decimals > 7 or abs(rounded) >= 1e7:
        digits = decimals + int(f"{rounded:e}".partition("e")[2]) if rounded else 0
        return f"{rounded:.{max(0, digits)}e}"
    return f"{rounded:.{max(0, decimals)}f}"


def signed(value: float, decimals: int | None = None) -> str:
    """``value`` with its sign, rounded to ``decimals`` places."""
    text = format_value(value) if decimals is None else fixed(value, decimals)
    return text if text.startswith("-") else f"+{text}"
