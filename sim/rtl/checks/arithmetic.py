"""The steps of floating-point arithmetic against NumPy: random operands, close ones, ties, extremes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.formats import fp16
from sim.rtl.checks import bench
from sim.rtl.checks.bench import Offer, RtlCase, Want, pack, to_bits
from sim.rtl.checks.build import Design, StreamPort
from sim.rtl.checks.comparison import Comparison
from sim.rtl.checks.coverage import of_rounding

INTEGER_BITS = 51
OPERANDS = 4000
"""A case."""
ENDS = np.array(
    [
        *(65504 + step for step in (0, 15.9375, 16, 16.0625, 31.9375, 32)),
        *(2.0**-24 * factor for factor in (0.25, 0.5, 0.5 + 2**-20, 0.75, 1, 1.5, 1.5 + 2**-20, 2.5)),
        *(2.0**-14 * (1 - 2.0**-step) for step in (10, 11, 12, 20)),
    ]
)
"""Where FP16 overflows, becomes subnormal and vanishes, and just beside."""


def design() -> Design:
    """All steps side by side."""
    widths = {"integer_i": INTEGER_BITS, "a_i": 32, "b_i": 32, "scale_i": 16, "half_i": 16, "unit_i": 8}
    results = {"converted_o": 32, "sum_o": 32, "term_o": 32, "product_o": 32, "rounded_o": 16}
    return Design(
        "arithmetic",
        {"IntegerBits": INTEGER_BITS},
        (StreamPort("operands", widths),),
        (StreamPort("results", results, probe=True),),
    )


def check(design: Design, seeds: Sequence[int]) -> list[Comparison]:
    """OPERANDS sets of operands a seed; the differences of each."""
    sides = [_case(design, np.random.default_rng(seed)) for seed in seeds]
    results = bench.run(design, [case for case, _, _ in sides])
    found = []
    for (_, wanted, rounded), seen in zip(sides, results, strict=True):
        comparison = Comparison(covered=of_rounding(rounded))
        for signal, values in wanted.items():
            comparison.payload(
                signal, to_bits(values.astype(np.int64)[:, np.newaxis], values.itemsize * 8), seen["results"]
            )
        found.append(comparison)
    return found


def _case(design: Design, rng: np.random.Generator) -> tuple[RtlCase, dict[str, NDArray[Any]], NDArray[np.float32]]:
    integers = rng.integers(-(1 << 50), 1 << 50, OPERANDS) >> rng.integers(0, 50, OPERANDS)
    a, b = _operands(rng)
    halves = rng.integers(0, 1 << 16, (2, OPERANDS), dtype=np.uint16)
    halves = np.where((halves >> 10 & 31) == 31, halves & np.uint16(0x83FF), halves)
    units = rng.integers(-40, 16, OPERANDS)
    scale, half = fp16.from_codes(halves).astype(np.float32)
    with np.errstate(over="ignore"):
        wanted = {
            "converted_o": integers.astype(np.float32).view(np.uint32),
            "sum_o": (a + b).view(np.uint32),
            "term_o": (a * (scale * np.exp2(units).astype(np.float32))).view(np.uint32),
            "product_o": (scale * half).view(np.uint32),
            "rounded_o": a.astype(np.float16).view(np.uint16),
        }
    signals = {
        "integer_i": to_bits(integers[:, np.newaxis], INTEGER_BITS),
        "a_i": to_bits(a.view(np.uint32)[:, np.newaxis], 32),
        "b_i": to_bits(b.view(np.uint32)[:, np.newaxis], 32),
        "scale_i": to_bits(halves[0][:, np.newaxis], 16),
        "half_i": to_bits(halves[1][:, np.newaxis], 16),
        "unit_i": to_bits(units[:, np.newaxis], 8),
    }
    none = np.zeros(OPERANDS)
    case = RtlCase({"operands": Offer(pack(design.sources[0], signals), none, none)}, {"results": Want(OPERANDS)})
    return case, wanted, a


def _operands(rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Normal numbers or 0, about FP16's range: unrelated, nearly cancelling, on FP16's ties, and at its ends."""

    def numbers(significant: int) -> NDArray[np.float32]:
        fractions = rng.integers(0, 1 << significant, OPERANDS) << (23 - significant)
        codes = rng.integers(0, 2, OPERANDS) << 31 | rng.integers(127 - 30, 127 + 18, OPERANDS) << 23 | fractions
        return codes.astype(np.uint32).view(np.float32)

    a = np.where(rng.random(OPERANDS) < 0.5, numbers(23), numbers(12))
    a = np.where(rng.random(OPERANDS) < 0.05, rng.choice(ENDS, OPERANDS) * rng.choice([-1, 1], OPERANDS), a)
    a = a.astype(np.float32)
    steps = rng.integers(-3, 4, OPERANDS).astype(np.int32)
    near = ((a.view(np.int32) ^ np.int32(-(1 << 31))) + steps).view(np.float32)
    b = np.where(rng.random(OPERANDS) < 0.3, near, numbers(23))
    return np.where(rng.random(OPERANDS) < 0.02, np.float32(0), a), b
