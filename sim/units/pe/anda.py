"""Anda PE (APU): bit-serial over mantissa planes, 64 INT4 weights in parallel (Anda, Sec. IV-B).

sign row, then M planes, one a cycle:  cycles = M + 1
acc = (acc << 1) + sum of the signed weights that the plane gates

RTL: sim/rtl/modules/anda_apu.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.errors import InputError
from sim.formats.widths import FP16_BITS
from sim.mapping.operands import AndaActivations, Operand
from sim.units.processing_element import ProcessingElement

if TYPE_CHECKING:
    from sim.formats.weight import WeightTensor
    from sim.functional.product import Float32, Half


class AndaPe(ProcessingElement):
    kind = "anda"
    summary = "bit-serial mantissa planes x INT4, M + 1 cycles a group, activations in the Anda format"
    encoded = True
    conversions = ("fp32", "fp16")
    rtl = "sim/rtl/modules/anda_apu.sv"

    def cycles(self, mantissa_bits: int | None) -> int:
        return _length(mantissa_bits) + 1

    @property
    def word_bits(self) -> int:
        return self.mxu.dot_length

    def group_bits(self, mantissa_bits: int | None) -> int:
        return (_length(mantissa_bits) + 1) * self.mxu.dot_length

    def multiply(self, activations: Half, weights: WeightTensor, mantissa_bits: int | None) -> Float32:
        from sim.functional.product import Aligned

        return Aligned(_length(mantissa_bits), self.mxu.dot_length, self.mxu.conversion).multiply(activations, weights)

    def activation_bits(self, mantissa_bits: int | None) -> int:
        return mantissa_bits or FP16_BITS

    def activations(self, mantissa_bits: int | None) -> Operand:
        if mantissa_bits is None:
            return super().activations(None)
        return AndaActivations(mantissa_bits, self.mxu.dot_length)


def _length(mantissa_bits: int | None) -> int:
    if mantissa_bits is None:
        raise InputError("PEs of kind anda need a mantissa length", field="precision")
    return mantissa_bits
