"""Weights of 8 bits on the RTL of the Anda PE, in two digits of 4: every handshake and every bit as the simulator's."""

from __future__ import annotations

import pytest

from sim.rtl.checks import matrix
from sim.rtl.checks.shape import Shape

pytestmark = pytest.mark.usefixtures("compiler")

CASES = 200
APU = Shape(
    "anda-hpca25", 1, 2, 128, 5, weight_port=64, activation_port=128, exponent_port=5, collector_port=64
)  # zero points: a digit of 0..15 less one of 0..15


def test_no_cycle_and_no_bit_differs() -> None:
    compared = matrix.check(APU, APU.design(), range(CASES), tokens=3, outputs=5, weight_bits=8)
    assert len(compared) == CASES
    assert all(case.bits for case in compared)
    assert [case.differences for case in compared if case.differences] == []
