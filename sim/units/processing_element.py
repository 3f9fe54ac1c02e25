"""What a kind of processing element tells the machine, and the kinds there are.

A new kind is one file in sim/units/pe with one subclass; `kinds()` finds it.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from functools import cache
from typing import ClassVar

from sim.arch.schema import Hardware
from sim.errors import nearest_name
from sim.mapping.operands import AndaActivations, Fp16Activations, Operand

FP16_BITS = 16


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
    encoded
        Whether activations stand in memory in the Anda format, else in FP16.
    multiplies_fp16
        Whether both operands may be FP16, as attention needs.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[frozenset[str]] = frozenset()
    encoded: ClassVar[bool] = False
    multiplies_fp16: ClassVar[bool] = False

    def __init__(self, arch: Hardware) -> None:
        self.mxu = arch.mxu
        for key in ("lanes", "mantissa_bits"):
            given = getattr(arch.mxu, key) is not None
            if given and key not in self.parameters:
                raise arch.refuse(f"mxu.{key}", f"a PE of kind {self.kind} has no {key}; remove the key")
            if not given and key in self.parameters:
                raise arch.refuse(f"mxu.{key}", f"missing; a PE of kind {self.kind} needs it")

    @abstractmethod
    def cycles(self, mantissa_bits: int | None) -> int:
        """Cycles of one group of `dot_length` values, each taking one activation word a row."""

    @property
    @abstractmethod
    def word_bits(self) -> int:
        """Bits of the activation word that a row takes a cycle."""

    @property
    def multipliers(self) -> int:
        """Multipliers of one PE: here one for each value of a group, as every value is at work in every cycle."""
        return self.mxu.dot_length

    def multiplier_cycles(self, mantissa_bits: int | None) -> int:
        """Cycles that a multiply-accumulate keeps one of them: here all of its group's, one for each word."""
        return self.cycles(mantissa_bits)

    def activation_bits(self, mantissa_bits: int | None) -> int:
        """Bits of an activation that a multiplication takes, for counting bit operations; 16 for FP16."""
        if self.encoded:
            return mantissa_bits or FP16_BITS
        return self.mxu.mantissa_bits or FP16_BITS

    def activations(self, mantissa_bits: int | None) -> Operand:
        """How activations of this machine lie in memory."""
        if self.encoded and mantissa_bits is not None:
            return AndaActivations(mantissa_bits, self.mxu.dot_length)
        return Fp16Activations()


class BitParallel(ProcessingElement):
    """Takes `lanes` FP16 values of K a cycle:  cycles = ceil(dot_length / lanes)."""

    parameters = frozenset({"lanes"})

    def cycles(self, mantissa_bits: int | None) -> int:
        assert self.mxu.lanes is not None
        return -(-self.mxu.dot_length // self.mxu.lanes)

    @property
    def word_bits(self) -> int:
        assert self.mxu.lanes is not None
        return self.mxu.lanes * FP16_BITS

    @property
    def multipliers(self) -> int:
        assert self.mxu.lanes is not None
        return self.mxu.lanes

    def multiplier_cycles(self, mantissa_bits: int | None) -> int:
        """A value enters with one word and is done with it."""
        return 1


@cache
def kinds() -> dict[str, type[ProcessingElement]]:
    """All kinds, by name."""
    package = importlib.import_module("sim.units.pe")
    found: dict[str, type[ProcessingElement]] = {}
    for module in pkgutil.iter_modules(package.__path__, "sim.units.pe."):
        for item in vars(importlib.import_module(module.name)).values():
            if isinstance(item, type) and issubclass(item, ProcessingElement) and item.__module__ == module.name:
                found[item.kind] = item
    return dict(sorted(found.items()))


def make(arch: Hardware) -> ProcessingElement:
    """The PE that a machine names.

    Raises
    ------
    InputError
        For an unknown kind, or keys that its kind does not have or lacks.
    """
    kind = kinds().get(arch.mxu.pe)
    if kind is None:
        nearest = nearest_name(arch.mxu.pe, kinds())
        raise arch.refuse("mxu.pe", f"no PE of kind {arch.mxu.pe!r}", nearest=nearest, allowed=", ".join(kinds()))
    return kind(arch)
