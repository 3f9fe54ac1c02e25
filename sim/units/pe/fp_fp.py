"""FP-FP PE: FP16 x FP16 fused into FP32, as a tensor core; INT4 weights are converted to FP16 first.

cycles = ceil(dot_length / lanes)

RTL: sim/rtl/modules/fp_fp_pe.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from sim.units.processing_element import BitParallel


class FpFpPe(BitParallel):
    kind = "fp_fp"
    summary = "FP16 x FP16 multiply-accumulate, as in a tensor core; weights converted to FP16"
    multiplies_fp16 = True
