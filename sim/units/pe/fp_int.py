"""FP-INT PE: FP16 x INT4 multipliers, exact sum, one rounding a group.

cycles = ceil(dot_length / lanes)

RTL: sim/rtl/modules/fp_int_pe.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.units.processing_element import BitParallel

if TYPE_CHECKING:
    from sim.formats.weight import WeightTensor
    from sim.functional.product import Float32, Half


class FpIntPe(BitParallel):
    kind = "fp_int"
    summary = "FP16 x INT4 multiply-accumulate in dedicated units"
    rtl = "sim/rtl/modules/fp_int_pe.sv"

    def multiply(self, activations: Half, weights: WeightTensor, mantissa_bits: int | None) -> Float32:
        from sim.functional.product import Exact

        return Exact(self.mxu.dot_length).multiply(activations, weights)
