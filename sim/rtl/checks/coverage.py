"""What is rare in random cases and has to occur all the same, counted case by case; tests hold each count above 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.formats import fp16, groups
from sim.formats.widths import EXPONENT_BITS
from sim.mapping.operands import ceil_div
from sim.rtl.checks.stimulus import Work

OVERFLOW = "outputs that rounding takes beyond FP16"
SUBNORMAL = "subnormal outputs that were rounded"
VANISHED = "outputs that rounding takes to zero"
SUBNORMAL_VALUES = "subnormal activations"
SUBNORMAL_SCALES = "subnormal weight scales"
SMALL_GROUPS = "groups of subnormal activations only"
LAST_ALONE = "groups whose last value alone has the largest exponent"
CANCELLED = "outputs below 1/4096 of the terms that they are made of"
ZERO_SCALES = "scales of zero"
PASSES = "runs of three passes of the compressor and more"
NARROWER = "operations whose exponents would take fewer beats with 4 bits"
RAGGED_EXPONENTS = "operations whose exponents do not fill their beats"
REPORTED = (
    OVERFLOW, SUBNORMAL, VANISHED, SUBNORMAL_VALUES, SUBNORMAL_SCALES, ZERO_SCALES, SMALL_GROUPS, LAST_ALONE, CANCELLED,
    PASSES, NARROWER, RAGGED_EXPONENTS,
)  # fmt: skip
LEAST_NORMAL = 2.0**-14
INFINITY = 2.0**16
"""What FP16 would reach with an exponent more: below it only rounding makes an infinity."""


def of_rounding(totals: NDArray[np.float32]) -> Counter[str]:
    """What happens where binary32 becomes FP16."""
    with np.errstate(over="ignore"):
        rounded = totals.astype(np.float16)
    size = np.abs(totals)
    return counted(
        {
            OVERFLOW: (size < INFINITY) & np.isinf(rounded),
            SUBNORMAL: (size < LEAST_NORMAL) & (rounded != 0) & (rounded != totals),
            VANISHED: (totals != 0) & (rounded == 0),
        }
    )


def of_groups(codes: NDArray[np.uint16], group_size: int) -> Counter[str]:
    """What stands in FP16 codes (..., K)."""
    subnormal = (codes & 0x7C00 == 0) & (codes & 0x3FF != 0)
    large = codes & 0x7C00 != 0
    exponents = groups.split(codes >> 10 & 31, group_size)
    alone = exponents[..., -1] > exponents[..., :-1].max(axis=-1)
    small_groups = groups.split(subnormal, group_size).any(axis=-1) & ~groups.split(large, group_size).any(axis=-1)
    return counted({SUBNORMAL_VALUES: subnormal, SMALL_GROUPS: small_groups, LAST_ALONE: alone})


def of_scales(codes: NDArray[np.uint16]) -> Counter[str]:
    """Scales that are no normal numbers."""
    exponents, fractions = codes & 0x7C00, codes & 0x3FF
    return counted({SUBNORMAL_SCALES: (exponents == 0) & (fractions != 0), ZERO_SCALES: codes & 0x7FFF == 0})


def of_passes(groups_of_runs: list[int], lanes: int) -> Counter[str]:
    """Runs that go through the compressor's lanes more than twice."""
    return counted({PASSES: np.array([ceil_div(count, lanes) > 2 for count in groups_of_runs])})


def of_exponents(rows: list[int], word_bits: int, port: int, exponent_port: int) -> Counter[str]:
    """Words whose beats depend on what stands beside them."""

    def beats(row: int, bits: int) -> int:
        return max(ceil_div(row * word_bits, port), ceil_div(row * bits, exponent_port))

    return counted(
        {
            NARROWER: np.array([beats(row, EXPONENT_BITS) != beats(row, EXPONENT_BITS - 1) for row in rows]),
            RAGGED_EXPONENTS: np.array([row * EXPONENT_BITS % exponent_port > 0 for row in rows]),
        }
    )


def of_work(work: Work) -> Counter[str]:
    """What occurs in a GeMM."""
    shape, found = work.shape, of_rounding(work.totals)
    found += of_groups(fp16.to_codes(work.values), shape.group_size)
    found += of_scales(fp16.to_codes(work.weights.scales))
    terms = np.abs(work.values.astype(np.float64)) @ np.abs(work.weights.decode()).T
    found += counted({CANCELLED: (np.abs(work.totals) < terms / 4096) & (work.totals != 0)})
    if shape.encoded:
        rows = [op.rows for op in work.operations]
        found += of_exponents(rows, shape.pe.word_bits, shape.activation_port, shape.exponent_port)
    if shape.compressor_lanes:
        found += of_passes(
            [placed.op.rows for placed in work.closing() if placed.op.run_columns], shape.compressor_lanes
        )
    return found


def counted(occurs: Mapping[str, Any]) -> Counter[str]:
    """How often each is so, without those that never are."""
    return Counter({name: int(np.count_nonzero(where)) for name, where in occurs.items() if np.any(where)})
