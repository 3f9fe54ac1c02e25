"""RTL and simulator agree in the cycle of every handshake, RTL and numeric contract in every bit."""

from __future__ import annotations

from collections import Counter

import pytest

from sim.rtl.checks.suite import Check, checks

pytestmark = pytest.mark.usefixtures("compiler")

# The longest builds first, so that they do not end up alone.
CHECKS = sorted(checks(), key=lambda check: "16 x 16" not in check.variant)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_no_cycle_and_no_bit_differs(check: Check) -> None:
    compared = check.compare()
    assert len(compared) == check.cases
    assert all(case.bits for case in compared)
    assert [case.differences for case in compared if case.differences] == []


def test_every_unit_has_at_least_two_hundred_cases() -> None:
    cases = Counter[str]()
    for check in CHECKS:
        cases[check.unit] += check.cases
    assert {unit for unit in cases if cases[unit] < 200} == {"arithmetic"}  # whose cases hold 4,000 operands each
