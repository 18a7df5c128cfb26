"""Numbers as they are printed in figures and reports: to the digits that their error allows."""

from __future__ import annotations

import math

__all__ = ["MINUS", "measured", "power_of_ten", "signed"]

MINUS = "\N{MINUS SIGN}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def signed(number: float, decimals: int) -> str:
    """A number with its sign, always.

    Examples:
        >>> signed(-0.0123, 3)
        '−0.012'
    """
    text = f"{number:+.{decimals}f}"
    return text.replace("-", MINUS)


def power_of_ten(exponent: int) -> str:
    """Such as ``10⁻³``."""
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def measured(value: float, low: float | None = None, high: float | None = None, *, plus: bool = False) -> str:
    """A value and the distances to both ends of its interval, to two digits of the smaller one.

    Arguments:
        value: finite.
        low, high: the ends; none for a number without an interval, which gets three digits.
        plus: write the sign of positive values too.

    Examples:
        >>> measured(0.00041, -0.0011, 0.0019, plus=True)
        '(+0.4 ± 1.5) × 10⁻³'
        >>> measured(1.034, 0.97, 1.12)
        '1.034 −0.064/+0.086'
    """
    if value == 0 and low == high:
        return "0"
    if low is None or high is None or low == high:
        number = f"{value:{'+' if plus else ''}.3g}"
        mantissa, _, exponent = number.replace("-", MINUS, 1 if value < 0 else 0).partition("e")
        return mantissa + (f" × {power_of_ten(int(exponent))}" if exponent else "")
    below, above = value - low, high - value
    power = math.floor(math.log10(max(abs(value), below, above)))
    power = 0 if -3 < power < 5 else power
    scale = 10.0**power
    least = min(e for e in (below, above, high - low) if e > 0) / scale
    digits = max(0, 1 - math.floor(math.log10(least)))
    number = f"{value / scale:{'+' if plus else ''}.{digits}f}".replace("-", MINUS)
    if float(f"{value / scale:.{digits}f}") == 0:
        number = number.lstrip(f"+{MINUS}")
    minus, more = f"{below / scale:.{digits}f}", f"{above / scale:.{digits}f}"
    text = f"{number} ± {more}" if minus == more else f"{number} {MINUS}{minus}/+{more}"
    return f"({text}) × {power_of_ten(power)}" if power else text
