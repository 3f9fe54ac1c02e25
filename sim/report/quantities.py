"""Numbers for people: four significant digits and an SI prefix."""

from __future__ import annotations

_PREFIXES = {-12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}


def si(value: float, unit: str = "", digits: int = 4) -> str:
    """`value` to `digits` significant digits, such as `4.398 G`, `12.30 GB`, `15.43 us`.

    Whole numbers below 1000 without a unit are counts and stay as they are. The micro sign is written `u`, so that
    the text survives a terminal that knows ASCII only.
    """
    if value == 0:
        return f"0 {unit}".rstrip()
    if not unit and float(value).is_integer() and abs(value) < 1000:
        return str(int(value))
    # Rounded first, so that 999.96 becomes 1.000 k and not 1000.
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = min(max(3 * (int(exponent) // 3), min(_PREFIXES)), max(_PREFIXES))
    shift = int(exponent) - power
    return f"{float(mantissa) * 10**shift:.{max(digits - 1 - shift, 0)}f} {_PREFIXES[power]}{unit}".rstrip()


def percent(share: float) -> str:
    """A share of one as `12.3 %`."""
    return f"{100 * share:.1f} %"


def ratio(value: float) -> str:
    """A factor such as `2.44x`."""
    return f"{value:.2f}x"


def picojoules(value: float) -> str:
    """An energy given in picojoules, with the prefix that suits it."""
    return si(value * 1e-12, "J")
