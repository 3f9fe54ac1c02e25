"""INT8 PE: integer activations with a scale a token x INT8 weights, int32 sums.

cycles = ceil(dot_length / lanes)

RTL: sim/rtl/modules/integer_pe.sv; checks: docs/microarchitecture.md
"""

from __future__ import annotations

from sim.units.integer_element import IntegerElement


class Int8Pe(IntegerElement):
    kind = "int8"
    summary = "INT8 (or INT4) activations, a scale a token, x INT8 weights; int32 sums"
    weight_bits = 8
