"""A program: operations that follow one another through units that do not drain.

    for round                       a pass through the model, as often as passes are alike
      for section                   layers that are alike, or what stands before and after them
        for layer
          for operation             a GeMM, fused attention, or work of the vector unit

Weights depend on nothing, so their loads run ahead. What reads outputs of another operation waits until these have
been finished, row by row or all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from sim.arch.schema import Hardware
from sim.errors import InputError
from sim.mapping.piece import Piece
from sim.workload.gemm import FusedAttention, Gemm, Item


class Needs(NamedTuple):
    """What an operation waits for.

    `back` operations before it, over the borders of layers, sections and rounds; nothing where that is before the
    program. With `rows` it waits for the rows that it works on, with `all` for the whole output.
    """

    back: int
    extent: Literal["rows", "all"] = "rows"


class ProgramStep(NamedTuple):
    """Work as a program asks for it: what it waits for, and of vector work the rows that it works on."""

    item: Item
    needs: Needs | None = None
    rows: int = 1


@dataclass(frozen=True)
class Operation:
    """An operation of a program.

    Parameters
    ----------
    piece
        On the hardware that all operations share.
    label
        Under which its time is counted; operations may share one.
    rows
        That it works on, one after the other; 0 of attention, which works on all of them at once.
    rows_a_block
        Of vector work: rows that are worked on at a time, at most.
    """

    piece: Piece
    label: str
    needs: Needs | None = None
    rows: int = 0
    rows_a_block: int = 0

    @property
    def on_mxu(self) -> bool:
        return isinstance(self.piece.work, Gemm | FusedAttention)


@dataclass(frozen=True)
class LayerStack:
    """Operations in order, so many times in a row: a section of a program."""

    operations: tuple[Operation, ...]
    layers: int = 1


class ProgramPlace(NamedTuple):
    """Of an operation, in the order in which a program does them."""

    round: int
    section: int
    layer: int
    operation: int


@dataclass(frozen=True)
class LayerProgram:
    """Sections in order, `rounds` times.

    Parameters
    ----------
    name
        What people call it; not part of the key.

    Raises
    ------
    InputError
        Where an operation waits for itself or a later one, or for rows that its producer does not have, and where a
        section has no work for the MXU.
    """

    sections: tuple[LayerStack, ...]
    rounds: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        if not self.sections or self.rounds < 1 or any(one.layers < 1 or not one.operations for one in self.sections):
            raise InputError("a program needs an operation and a layer")
        for number, section in enumerate(self.sections):
            if not any(one.on_mxu for one in section.operations):
                raise InputError("a program needs a GeMM or attention in every section")
            for index, operation in enumerate(section.operations):
                self._check(number, index, operation)

    def _check(self, section: int, index: int, operation: Operation) -> None:
        needs, own = operation.needs, self.sections[section]
        if needs is None:
            return
        if needs.back < 1:
            facts = {"found": f"{needs.back} operations back", "allowed": "1 or more: operations before it"}
            raise InputError(f"{operation.label}: it would wait for itself or for a later operation", facts=facts)
        if needs.back > index and not (own.layers > 1 and needs.back <= index + len(own.operations)):
            return  # of another section: what has other rows is waited for as a whole
        producer = own.operations[(index - needs.back) % len(own.operations)]
        if needs.extent == "rows" and operation.rows != producer.rows:
            facts = {"needed": f"{operation.rows} rows", "available": f"{producer.rows} rows of {producer.label}"}
            raise InputError(f"{operation.label}: it waits for rows that its producer does not have", facts=facts)

    @property
    def hardware(self) -> Hardware:
        return self.sections[0].operations[0].piece.hardware

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that the timing depends on."""
        seen = [
            (
                [(one.piece.key, one.label, one.needs, one.rows, one.rows_a_block) for one in section.operations],
                section.layers,
            )
            for section in self.sections
        ]
        return hashlib.sha256(repr(("program", seen, self.rounds)).encode()).hexdigest()

    @property
    def size(self) -> int:
        """As of a piece: the larger, the longer it is likely to take."""
        return sum(one.piece.size for section in self.sections for one in section.operations)

    def times(self) -> Iterator[tuple[Operation, int]]:
        """Operations, and how often each is done."""
        for section in self.sections:
            for operation in section.operations:
                yield operation, self.rounds * section.layers

    def before(self, place: ProgramPlace, back: int) -> ProgramPlace | None:
        """The place so many operations before another; None where that is before the program."""
        now, section, layer, operation = place
        operation -= back
        while operation < 0:
            if layer:
                layer -= 1
            elif section or now:
                now, section = (now, section - 1) if section else (now - 1, len(self.sections) - 1)
                layer = self.sections[section].layers - 1
            else:
                return None
            operation += len(self.sections[section].operations)
        return ProgramPlace(now, section, layer, operation)
