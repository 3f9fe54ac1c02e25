"""FP-FP PE: FP16 x FP16 fused into FP32, as a tensor core; other weights are converted to FP16 first.

cycles = ceil(dot_length / lanes)

RTL: sim/rtl/modules/fp_fp_pe.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.units.processing_element import BitParallel
from sim.workload.gemm import Gemm

if TYPE_CHECKING:
    from sim.formats.weight import WeightTensor
    from sim.functional.product import Float32, Half


class FpFpPe(BitParallel):
    kind = "fp_fp"
    summary = "FP16 x FP16 multiply-accumulate, as in a tensor core; weights converted to FP16"
    multiplies_fp16 = True
    rtl = "sim/rtl/modules/fp_fp_pe.sv"

    def passes(self, gemm: Gemm) -> int:
        """One: whatever is FP16 once it is converted, in groups of any size."""
        if not gemm.weights.half:
            raise self.refuse(gemm, "a conversion to FP16 before they are stored")
        return 1

    def multiply(self, activations: Half, weights: WeightTensor, mantissa_bits: int | None) -> Float32:
        from sim.functional.product import Sequential

        return Sequential().multiply(activations, weights)
