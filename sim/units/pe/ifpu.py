"""iFPU PE: activations pre-aligned to the largest exponent, weights bit-serial in binary coding (iFPU, ICLR 2023).

cycles = ceil(dot_length / lanes)

RTL: sim/rtl/modules/ifpu_pe.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from sim.units.processing_element import Aligning


class IfpuPe(Aligning):
    kind = "ifpu"
    summary = "pre-aligned mantissas x binary-coded weights"
    rtl = "sim/rtl/modules/ifpu_pe.sv"
