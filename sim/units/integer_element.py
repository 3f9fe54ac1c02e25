"""What integer PEs have in common: INT8 or INT4 activations, with a scale a token, x integer weights, into int32 sums.

cycles = ceil(dot_length / lanes)       a pass; weights wider than `weight_bits` in digits, a pass for each

A sum is of all values under one scale of the weights: a group of them, or all of K. It counts in that scale, sums add
up in binary32, and a tile's total counts in the token's scale. Activations lie in memory as the quantiser leaves them
(sim/units/quantiser.py); outputs leave as FP16, since a token's scale is known only when all of its values are.

RTL: sim/rtl/modules/integer_pe.sv; checks: docs/microarchitecture.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sim.arch.schema import Hardware
from sim.formats.widths import FP16_BITS
from sim.mapping.operands import Fp16Activations, Operand, TokenActivations
from sim.units.processing_element import BitParallel
from sim.workload.gemm import Gemm

if TYPE_CHECKING:
    from sim.formats.weight import WeightTensor
    from sim.functional.product import Float32, Half

LEAST_CYCLES = 3
"""Of a group: the multiplier of the weights' scales serves the token's too, two cycles after a tile's last sum."""
INT32_LARGEST = 2**31 - 1


class IntegerElement(BitParallel):
    """Integer multipliers; the kinds differ in the bits of a weight."""

    parameters = BitParallel.parameters | {"activation_bits"}
    quantised: ClassVar[bool] = True
    rtl = "sim/rtl/modules/integer_pe.sv"

    def __init__(self, arch: Hardware) -> None:
        super().__init__(arch)
        if self.cycles(None) < LEAST_CYCLES:
            problem = f"found {self.lanes}: a group of {self.mxu.dot_length} values in {self.cycles(None)} cycles"
            most = (self.mxu.dot_length - 1) // (LEAST_CYCLES - 1)
            needed = f"{LEAST_CYCLES} cycles, as one multiplier counts sums in the weights' scales and the token's"
            raise arch.refuse("mxu.lanes", problem, needed=needed, allowed=f"up to {most}")

    @property
    def bits(self) -> int:
        """Of an activation."""
        assert self.mxu.activation_bits is not None
        return self.mxu.activation_bits

    def passes(self, gemm: Gemm) -> int:
        """As for all PEs, if the sums stay within int32."""
        passes, weights = super().passes(gemm), gemm.weights
        # A code less a zero point of its own stays below 2^bits; without one it reaches -2^(bits - 1).
        product = ((1 << self.bits - 1) - 1) * ((1 << weights.factor_bits) - 1)
        values = min(gemm.k, weights.span or gemm.k)
        if values * product > INT32_LARGEST:
            raise self.hardware.refuse(
                "mxu.pe",
                "sums beyond int32",
                found=f"{values} values of {gemm.name} under one scale",
                allowed=INT32_LARGEST // product,
                needed="scales for smaller groups of weights, or wider sums",
            )
        return passes

    @property
    def word_bits(self) -> int:
        return self.lanes * self.bits

    def group_bits(self, mantissa_bits: int | None) -> int:
        return self.mxu.dot_length * self.bits

    def activation_bits(self, mantissa_bits: int | None) -> int:
        return self.bits

    def multiply(self, activations: Half, weights: WeightTensor, mantissa_bits: int | None) -> Float32:
        from sim.functional.product import Integers

        return Integers(self.bits).multiply(activations, weights)

    def activations(self, mantissa_bits: int | None) -> Operand:
        return TokenActivations(self.bits)

    def outputs(self, mantissa_bits: int | None) -> Operand:
        return Fp16Activations()

    @property
    def token_scale_bits(self) -> int:
        return FP16_BITS
