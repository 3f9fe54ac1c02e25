"""What a kind of processing element says of itself: the machine, the values, the RTL and the costs ask it.

A kind is one subclass in a file of sim/units/pe, or of a plug-in (sim/plugins.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from sim.arch.schema import Hardware
from sim.errors import InputError, nearest_name
from sim.formats.widths import FP16_BITS
from sim.mapping.operands import Fp16Activations, Operand, ceil_div
from sim.plugins import Seam
from sim.workload.gemm import Gemm

if TYPE_CHECKING:
    from sim.formats.weight import WeightTensor
    from sim.functional.product import Float32, Half


PARAMETERS = ("lanes", "mantissa_bits", "activation_bits")
"""Keys of `mxu` that some kinds have."""


class ProcessingElement(ABC):
    """One kind of PE in one machine.

    Attributes
    ----------
    kind
        Its name in `mxu.pe`.
    summary
        One line for `sim.py list`.
    parameters
        Optional keys of `mxu` that this kind needs; the others it refuses.
    conversions
        What it can round a group's sum to, of `mxu.conversion`.
    encoded
        Whether activations stand in memory in the Anda format, else in FP16.
    quantised
        Whether activations stand in memory as integers with a scale a token, else in FP16.
    multiplies_fp16
        Whether both operands may be FP16, as attention needs.
    weight_bits
        Bits of a weight that it multiplies at once; wider integers come digit by digit, a pass over the group for each.
    rtl
        Its SystemVerilog, from the root of the tree; None where there is none.
    """

    plugs_into: ClassVar[str] = "pe"
    kind: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[frozenset[str]] = frozenset()
    conversions: ClassVar[tuple[str, ...]] = ("fp32",)
    encoded: ClassVar[bool] = False
    quantised: ClassVar[bool] = False
    multiplies_fp16: ClassVar[bool] = False
    weight_bits: ClassVar[int] = 4
    rtl: ClassVar[str | None] = None

    def __init__(self, arch: Hardware) -> None:
        self.hardware, self.mxu = arch, arch.mxu
        for key in PARAMETERS:
            given = getattr(arch.mxu, key) is not None
            if given and key not in self.parameters:
                raise arch.refuse(f"mxu.{key}", f"a PE of kind {self.kind} has no {key}; remove the key")
            if not given and key in self.parameters:
                raise arch.refuse(f"mxu.{key}", f"missing; a PE of kind {self.kind} needs it")

        if arch.mxu.conversion not in self.conversions:
            problem = (
                f"found {arch.mxu.conversion}: a PE of kind {self.kind} forms no integer sums of groups to convert"
            )
            raise arch.refuse("mxu.conversion", problem, allowed=", ".join(self.conversions))

    @abstractmethod
    def cycles(self, mantissa_bits: int | None) -> int:
        """Cycles of a pass over a group of `dot_length` values, each taking one activation word a row."""

    def passes(self, gemm: Gemm) -> int:
        """How often a group's activations go through for the weights of a GeMM: here once for each digit.

        The sum of a group is of integers, so all of them stand under one scale, and nothing else is added.

        Raises
        ------
        InputError
            For weights that this kind does not multiply; names the format, and what it would need.
        """
        weights, group = gemm.weights, self.mxu.dot_length
        if not weights.integers:
            raise self.refuse(gemm, "weights that are integers under a scale")
        if weights.minimum:
            raise self.refuse(gemm, "the sum of a group's activations beside the product, to add the minimum")
        if weights.span is not None and weights.span % group:
            facts = {"allowed": f"divisors of {weights.span}"}
            problem = f"found {group}: {gemm.name} has weights in groups of {weights.span}, a dot product one scale"
            raise self.hardware.refuse("mxu.dot_length", problem, **facts)
        return ceil_div(weights.factor_bits, self.weight_bits)

    def refuse(self, gemm: Gemm, needed: str) -> InputError:
        """An error for weights that this kind does not multiply."""
        problem = f"PEs of kind {self.kind} do not multiply the weights of {gemm.name or 'this GeMM'}"
        return self.hardware.refuse("mxu.pe", problem, found=str(gemm.weights), needed=needed)

    @property
    @abstractmethod
    def word_bits(self) -> int:
        """Bits of the activation word that a row takes a cycle."""

    @abstractmethod
    def group_bits(self, mantissa_bits: int | None) -> int:
        """Bits of a group's activations that a row has to take before the product can be known."""

    def padding_bits(self, mantissa_bits: int | None) -> int:
        """Bits of a group's words that carry nothing: the rest of the last word, unless a kind says otherwise.

        Held by a law (sim/laws/words.py): cycles x word_bits = group_bits + padding_bits.
        """
        return -self.group_bits(mantissa_bits) % self.word_bits

    def multiply(self, activations: Half, weights: WeightTensor, mantissa_bits: int | None) -> Float32:
        """Accumulators (tokens, columns) of FP16 activations (tokens, K) and weights (columns, K), bit for bit.

        A kind that does not define it runs for timing only; `require_values` says so before time is spent.
        """
        raise NotImplementedError(f"a PE of kind {self.kind} without values was asked for them")

    def require_values(self) -> None:
        """Refuse a kind that does not say what it computes.

        Raises
        ------
        InputError
            For a kind without `multiply`.
        """
        if type(self).multiply is ProcessingElement.multiply:
            facts = {"mend": f"define `multiply` in the file of kind {self.kind}, or leave the values out"}
            raise InputError(f"PEs of kind {self.kind} run for timing only: no values", field="mxu.pe", facts=facts)

    @property
    def multipliers(self) -> int:
        """Multipliers of one PE: here one for each value of a group, as every value is at work in every cycle."""
        return self.mxu.dot_length

    def multiplier_cycles(self, mantissa_bits: int | None) -> int:
        """Cycles that a multiply-accumulate keeps one of them: here all of its group's, one for each word."""
        return self.cycles(mantissa_bits)

    def activation_bits(self, mantissa_bits: int | None) -> int:
        """Bits of an activation that a multiplication takes, for counting bit operations."""
        return self.mxu.mantissa_bits or FP16_BITS

    def activations(self, mantissa_bits: int | None) -> Operand:
        """How activations of this machine lie in memory."""
        return Fp16Activations()

    def outputs(self, mantissa_bits: int | None) -> Operand:
        """How outputs of a GeMM leave: as the activations that they become, unless a unit in between makes those."""
        return self.activations(mantissa_bits)

    @property
    def token_scale_bits(self) -> int:
        """Bits of a token's scale, which comes beside the first word of a tile; 0: there is none."""
        return 0


class BitParallel(ProcessingElement):
    """Takes `lanes` FP16 values of K a cycle:  cycles = ceil(dot_length / lanes)."""

    parameters = frozenset({"lanes"})

    @property
    def lanes(self) -> int:
        assert self.mxu.lanes is not None
        return self.mxu.lanes

    def cycles(self, mantissa_bits: int | None) -> int:
        return ceil_div(self.mxu.dot_length, self.lanes)

    @property
    def word_bits(self) -> int:
        return self.lanes * FP16_BITS

    def group_bits(self, mantissa_bits: int | None) -> int:
        return self.mxu.dot_length * FP16_BITS

    @property
    def multipliers(self) -> int:
        return self.lanes

    def multiplier_cycles(self, mantissa_bits: int | None) -> int:
        """A value enters with one word and is done with it."""
        return 1


class Aligning(BitParallel):
    """Bit-parallel, on activations aligned to `mantissa_bits` before they come: as integers, group by group."""

    parameters = BitParallel.parameters | {"mantissa_bits"}
    conversions = ("fp32", "fp16")

    def multiply(self, activations: Half, weights: WeightTensor, mantissa_bits: int | None) -> Float32:
        from sim.functional.product import Aligned

        assert self.mxu.mantissa_bits is not None
        return Aligned(self.mxu.mantissa_bits, self.mxu.dot_length, self.mxu.conversion).multiply(activations, weights)


KINDS: Seam[type[ProcessingElement]] = Seam("pe", "PE kind", "sim.units.pe", key="kind")


def make(arch: Hardware) -> ProcessingElement:
    """The PE that a machine names.

    Raises
    ------
    InputError
        For an unknown kind, or keys that its kind does not have or lacks.
    """
    kind = KINDS.find(arch.mxu.pe)
    if kind is None:
        known = KINDS.names()
        nearest = nearest_name(arch.mxu.pe, known)
        raise arch.refuse("mxu.pe", f"no PE of kind {arch.mxu.pe!r}", nearest=nearest, allowed=", ".join(known))
    return kind(arch)
