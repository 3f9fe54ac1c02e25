"""INT8 x INT4 PE: integer activations with a scale a token x INT4 weights, int32 sums; wider weights in two digits.

cycles = ceil(dot_length / lanes)       a pass; passes = ceil(weight bits / 4)

RTL: sim/rtl/modules/integer_pe.sv; checks: docs/microarchitecture.md
"""

from __future__ import annotations

from sim.units.integer_element import IntegerElement


class Int8Int4Pe(IntegerElement):
    kind = "int8_int4"
    summary = "INT8 (or INT4) activations, a scale a token, x INT4 weights; int32 sums"
