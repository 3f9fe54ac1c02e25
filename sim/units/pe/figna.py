"""FIGNA PE: activations pre-aligned to the largest exponent, mantissa x INT4 in integer units (FIGNA, HPCA 2024).

cycles = ceil(dot_length / lanes)

RTL: sim/rtl/modules/figna_pe.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from sim.units.processing_element import Aligning


class FignaPe(Aligning):
    kind = "figna"
    summary = "pre-aligned mantissas of 13 (11, 8) bits x INT4, bit-parallel; FP16 in memory"
    rtl = "sim/rtl/modules/figna_pe.sv"
