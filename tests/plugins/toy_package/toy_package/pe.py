"""A PE for FP8 activations, without values: it runs for timing only."""

from __future__ import annotations

from dataclasses import dataclass

from sim.mapping.operands import Operand
from sim.units.processing_element import BitParallel


@dataclass(frozen=True)
class Bytes:
    """A byte a value."""

    def data_bytes(self, lanes: int, groups: int, values: int) -> int:
        return lanes * values

    def side_bytes(self, lanes: int, groups: int, values: int) -> int:
        return 0


class ToyFp8(BitParallel):
    kind = "toy_fp8"
    summary = "E4M3 x INT4, a toy"

    @property
    def word_bits(self) -> int:
        return self.lanes * 8

    def group_bits(self, mantissa_bits: int | None) -> int:
        return self.mxu.dot_length * 8

    def activations(self, mantissa_bits: int | None) -> Operand:
        return Bytes()
