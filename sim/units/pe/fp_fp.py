"""FP-FP PE: FP16 x FP16 fused into FP32, as a tensor core; INT4 weights are converted to FP16 first.

cycles = ceil(dot_length / lanes)

RTL: sim/rtl/modules/fp_fp_pe.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.units.processing_element import BitParallel

if TYPE_CHECKING:
    from sim.formats.int4 import Int4Tensor
    from sim.functional.product import Float32, Half


class FpFpPe(BitParallel):
    kind = "fp_fp"
    summary = "FP16 x FP16 multiply-accumulate, as in a tensor core; weights converted to FP16"
    multiplies_fp16 = True
    rtl = "sim/rtl/modules/fp_fp_pe.sv"

    def multiply(self, activations: Half, weights: Int4Tensor, mantissa_bits: int | None) -> Float32:
        from sim.functional.product import Sequential

        return Sequential().multiply(activations, weights)
