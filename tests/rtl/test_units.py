"""RTL and simulator agree in the cycle of every handshake, RTL and numeric contract in every bit."""

from __future__ import annotations

from collections import Counter

import pytest

from sim.rtl.checks import coverage
from sim.rtl.checks.complete import MEMORIES
from sim.rtl.checks.suite import COMPLETE, Check, checks

pytestmark = pytest.mark.usefixtures("compiler")

# The longest builds first, so that they do not end up alone.
CHECKS = sorted(checks(), key=lambda check: "16 x 16" not in check.variant)
ROUNDED = {coverage.OVERFLOW, coverage.SUBNORMAL, coverage.VANISHED}
SCALES = {coverage.SUBNORMAL_SCALES, coverage.ZERO_SCALES}
SMALL = {coverage.SUBNORMAL_VALUES, coverage.SMALL_GROUPS}
PES = {*ROUNDED, *SMALL, coverage.SUBNORMAL_SCALES, coverage.CANCELLED}
EXPONENTS = {coverage.NARROWER, coverage.RAGGED_EXPONENTS}
RARE = {
    "arithmetic 4,000 operands a case": ROUNDED,
    "activation dispatcher 7 rows, 512 b and 13 b": EXPONENTS,
    "BPC 7 x 4, groups of 32, 2 lanes": {coverage.PASSES, coverage.LAST_ALONE, *SMALL},
    "MXU 3 x 2, exponents through 13 b": PES | EXPONENTS,
    "MXU and BPC 6 x 4, groups of 32, 2 lanes, 1 output register": {coverage.PASSES, coverage.SUBNORMAL} | EXPONENTS,
    **{check.name: SCALES for check in CHECKS if check.unit == "weight dispatcher"},
    **{check.name: PES for check in CHECKS if check.variant == "2 x 2, groups of 64"},
}
"""What seldom occurs, and has to in the cases of these checks."""


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_no_cycle_and_no_bit_differs(check: Check) -> None:
    cases = MEMORIES if check.unit == COMPLETE else check.cases
    compared = check.compare(cases)
    assert len(compared) == cases
    assert all(case.bits for case in compared)
    assert [case.differences for case in compared if case.differences] == []
    covered = sum((case.covered for case in compared), Counter[str]())
    assert RARE.get(check.name, set()) <= covered.keys()


def test_everything_that_is_counted_has_a_check_in_which_it_must_occur() -> None:
    assert RARE.keys() <= {check.name for check in CHECKS}
    assert set().union(*RARE.values()) == set(coverage.REPORTED)


def test_every_unit_has_at_least_two_hundred_cases() -> None:
    cases = Counter[str]()
    for check in CHECKS:
        cases[check.unit] += check.cases
    # Whose cases hold 4,000 operands, or more than a thousand columns each.
    assert {unit for unit in cases if cases[unit] < 200} == {"arithmetic", "plane fill"}


def test_five_hundred_complete_gemms_are_run_on_flat_channels_alone_and_sixty_of_them_here() -> None:
    whole = [check.cases for check in CHECKS if check.unit == COMPLETE]
    assert sum(cases * (MEMORIES - 1) // MEMORIES for cases in whole) >= 500
    assert len(whole) * (MEMORIES - 1) >= 60
