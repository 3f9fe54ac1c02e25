"""Anda PE (APU): bit-serial over mantissa planes, 64 INT4 weights in parallel (Anda, Sec. IV-B).

sign row, then M planes, one a cycle:  cycles = M + 1
acc = (acc << 1) + sum of the signed weights that the plane gates

RTL: sim/rtl/modules/anda_apu.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from sim.units.processing_element import ProcessingElement


class AndaPe(ProcessingElement):
    kind = "anda"
    summary = "bit-serial mantissa planes x INT4, M + 1 cycles a group, activations in the Anda format"
    encoded = True

    def cycles(self, mantissa_bits: int | None) -> int:
        if mantissa_bits is None:
            raise ValueError("an Anda PE takes encoded activations only")
        return mantissa_bits + 1

    @property
    def word_bits(self) -> int:
        return self.mxu.dot_length
