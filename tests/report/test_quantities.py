"""Numbers for people keep their value to the digits shown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.report.quantities import percent, picojoules, ratio, si

PREFIX = {"p": -12, "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "B", "0 B"),
        (7, "", "7"),
        (999, "", "999"),
        (1000, "", "1.000 k"),
        (25_375_583_160, "", "25.38 G"),
        (999_960, "B", "1.000 MB"),
        (999_940, "B", "999.9 kB"),
        (39.87363, "s", "39.87 s"),
        (0.000_015, "s", "15.00 us"),
        (285_000_000, "Hz", "285.0 MHz"),
        (1e-15, "J", "0.001000 pJ"),
        (1.5e21, "B", "1500 EB"),
    ],
)
def test_a_number_is_written_with_four_digits_and_a_prefix(value, unit, text):
    assert si(value, unit) == text


@given(st.floats(1e-12, 1e20))
def test_what_is_written_is_the_value_to_four_digits(value):
    number, prefix_and_unit = si(value, "s").split(" ")
    read = float(number) * 10.0 ** PREFIX[prefix_and_unit.removesuffix("s")]
    # Half of the fourth digit, and the rounding of the reading itself.
    assert abs(read - value) <= 0.5 * 10.0 ** (math.floor(math.log10(value)) - 3) * (1 + 1e-9)


def test_shares_factors_and_energies():
    assert percent(0.0625) == "6.2 %"
    assert ratio(16 / 7) == "2.29x"
    assert picojoules(2.5e12) == "2.500 J"
