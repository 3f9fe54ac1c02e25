"""FP-INT PE: FP16 x INT4 multipliers, exact sum, one rounding a group.

cycles = ceil(dot_length / lanes)

RTL: sim/rtl/modules/fp_int_pe.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from sim.units.processing_element import BitParallel


class FpIntPe(BitParallel):
    kind = "fp_int"
    summary = "FP16 x INT4 multiply-accumulate in dedicated units"
