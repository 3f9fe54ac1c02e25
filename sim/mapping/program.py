"""A program: GeMMs that follow one another through units that do not drain, the list `layers` times.

    for layer
      for operation
        the loops of its plan

Weights depend on nothing, so their loads run ahead. A row tile of activations waits until the output blocks that hold
its rows have been stored; since blocks leave in the order of the loops, that is one number to compare with the blocks
stored so far.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import ClassVar, Generic, Literal, NamedTuple, TypeVar

from sim.arch.schema import Hardware
from sim.errors import InputError
from sim.mapping.nest import LEVELS, Chunk, LoadCursor, TileCursor, TileOp
from sim.mapping.operands import ceil_div
from sim.mapping.pace import Pace
from sim.mapping.piece import Piece
from sim.mapping.plan import Plan
from sim.mapping.stream import Stream
from sim.workload.gemm import Gemm

PROGRAM_LEVELS = ("layers", "operations", *LEVELS)
FIRST = (1, 0, 0, 1, 1, 1)
"""The first iteration of each loop that is like the next: layer 0 has no producers, a first block takes operands."""


class Needs(NamedTuple):
    """What the activations of an operation wait for.

    `back` operations before it, over the borders of layers; nothing where that is before the program. With `rows` a row
    tile waits for its own rows, with `all` for the whole output.
    """

    back: int
    extent: Literal["rows", "all"] = "rows"


@dataclass(frozen=True)
class Operation:
    """A GeMM of a program.

    Parameters
    ----------
    piece
        On the hardware that all operations share.
    label
        Under which its time is counted; operations may share one.
    """

    piece: Piece
    label: str
    needs: Needs | None = None


@dataclass(frozen=True)
class GemmProgram:
    """Operations in order, `layers` times.

    Raises
    ------
    InputError
        Where an operation waits for itself or a later one, or for rows that its producer does not have.
    """

    operations: tuple[Operation, ...]
    layers: int = 1

    def __post_init__(self) -> None:
        if not self.operations or self.layers < 1:
            raise InputError("a program needs an operation and a layer")
        for index, operation in enumerate(self.operations):
            self._check(index, operation)

    def _check(self, index: int, operation: Operation) -> None:
        needs = operation.needs
        if needs is None:
            return
        if needs.back < 1:
            facts = {"found": f"{needs.back} operations back", "allowed": "1 or more: operations before it"}
            raise InputError(f"{operation.label}: it would wait for itself or for a later operation", facts=facts)
        producer = self.operations[(index - needs.back) % len(self.operations)]
        exists = self.layers > 1 or needs.back <= index
        rows, made = _gemm(operation).m, _gemm(producer).m
        if exists and needs.extent == "rows" and rows != made:
            facts = {"needed": f"{rows} rows", "available": f"{made} rows of {producer.label}"}
            raise InputError(f"{operation.label}: it waits for rows that its producer does not have", facts=facts)

    @property
    def hardware(self) -> Hardware:
        return self.operations[0].piece.hardware

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that the timing depends on."""
        seen = [(one.piece.key, one.label, one.needs) for one in self.operations]
        return hashlib.sha256(repr((seen, self.layers)).encode()).hexdigest()


def _gemm(operation: Operation) -> Gemm:
    work = operation.piece.work
    assert isinstance(work, Gemm)
    return work


@dataclass(frozen=True)
class Stage:
    """An operation cut for a machine; `kind` is equal for operations that no unit can tell apart."""

    plan: Plan
    pace: Pace
    stream: Stream
    needs: Needs | None
    kind: int

    @cached_property
    def _runs(self) -> tuple[int, int]:
        """Output blocks of a row tile in all blocks of outputs but the last, and in the last."""
        outputs, run = self.plan.outputs, self.plan.run_tiles
        whole, last = (ceil_div(outputs.tiles(outputs.block_size(i)), run) for i in (0, outputs.blocks - 1))
        return whole * (outputs.blocks - 1), last

    @cached_property
    def blocks(self) -> int:
        """Output blocks of the operation."""
        return self._tiles_before(self.plan.gemm.m) * sum(self._runs)

    def _tiles_before(self, rows: int) -> int:
        """Row tiles that hold the first rows."""
        tokens = self.plan.tokens
        whole, rest = divmod(rows, tokens.block)
        return whole * tokens.tiles(tokens.block) + tokens.tiles(rest)

    def blocks_until(self, rows: int) -> int:
        """Output blocks to be stored before the first `rows` rows are complete."""
        before, last = self._runs
        tiles, tokens = self._tiles_before(rows), self.plan.tokens
        if self.plan.order == "outputs_outer":
            return self._tiles_before(tokens.size) * before + tiles * last
        block = (rows - 1) // tokens.block
        done = block * tokens.tiles(tokens.block)
        here = tokens.tiles(tokens.block_size(block))
        return done * (before + last) + here * before + (tiles - done) * last


class Course:
    """All operations of a program, cut."""

    def __init__(self, program: GemmProgram) -> None:
        self.layers = program.layers
        streams: dict[tuple[object, ...], Stream] = {}
        kinds: dict[object, int] = {}
        stages = []
        for operation in program.operations:
            plan, pace = operation.piece.plan(), operation.piece.pace
            assert isinstance(pace, Pace)
            made = replace(Stream.of(plan, pace), label=operation.label)
            # Streams are compared by identity: operations that no unit can tell apart share one, and what was learnt.
            stream = streams.setdefault(tuple(getattr(made, field.name) for field in fields(made)), made)
            kind = kinds.setdefault((plan, stream), len(kinds))
            stages.append(Stage(plan, pace, stream, operation.needs, kind))
        self.stages = tuple(stages)
        self.starts = [0]
        """Output blocks of a layer before each operation, and of the whole layer."""
        for stage in stages:
            self.starts.append(self.starts[-1] + stage.blocks)

    @property
    def layer_blocks(self) -> int:
        return self.starts[-1]

    def producer(self, layer: int, operation: int) -> tuple[int, int] | None:
        """Layer and operation that the activations of an operation come from, as far as they are waited for."""
        needs = self.stages[operation].needs
        if needs is None:
            return None
        layer, operation = divmod(layer * len(self.stages) + operation - needs.back, len(self.stages))
        return (layer, operation) if layer >= 0 else None

    def start(self, layer: int, operation: int) -> int:
        """Output blocks of the program before an operation."""
        return layer * self.layer_blocks + self.starts[operation]


Inner = TypeVar("Inner", LoadCursor, TileCursor)


class ProgramCursor(Generic[Inner]):
    """A position in layer > operation > the loops of its plan."""

    __slots__ = ("_cursors", "course", "layer", "now", "operation")
    levels: ClassVar = PROGRAM_LEVELS

    def __init__(self, course: Course, make: Callable[[Stage], Inner]) -> None:
        self.course = course
        self._cursors: Sequence[Inner] = [make(stage) for stage in course.stages]
        self.layer = self.operation = 0
        self.now: Inner = self._cursors[0]

    @property
    def done(self) -> bool:
        return self.layer == self.course.layers

    @property
    def position(self) -> tuple[int, ...]:
        return (self.layer, self.operation, *self.now.position)

    @property
    def kind(self) -> int:
        return self.course.stages[self.operation].kind

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.kind, *self.now.shape)

    def count(self, level: int) -> int:
        """Iterations of a loop; layers are one more, since the last is like the others, and operations never skip."""
        return (self.course.layers + 1, 0)[level] if level < 2 else self.now.count(level - 2)

    def first(self, level: int) -> int:
        """The first iteration of a level that is like the next."""
        return FIRST[level]

    def runs_over(self, level: int) -> bool:
        return level < 2 or self.now.runs_over(level - 2)

    def jump(self, level: int, iterations: int) -> None:
        if level == 0:
            self.layer += iterations
        else:
            self.now.jump(level - 2, iterations)

    def step(self) -> None:
        self.now.step()
        if self.now.done:
            self.now.restart()
            self.operation += 1
            if self.operation == len(self._cursors):
                self.operation = 0
                self.layer += 1
            self.now = self._cursors[self.operation]


class ProgramTiles(ProgramCursor[TileCursor]):
    """The tile operations of all GeMMs."""

    def __init__(self, course: Course) -> None:
        super().__init__(course, lambda stage: TileCursor(stage.plan, stage.stream))

    @property
    def opens_run(self) -> bool:
        return self.now.opens_run

    def present(self) -> TileOp:
        return self.now.present()


class ProgramLoads(ProgramCursor[LoadCursor]):
    """The chunks of one operand of all GeMMs."""

    __slots__ = ("side",)

    def __init__(self, course: Course, side: Literal["activations", "weights"]) -> None:
        super().__init__(course, lambda stage: LoadCursor(stage.plan, side))
        self.side = side

    @property
    def opens_block(self) -> bool:
        return self.now.opens_block

    def present(self) -> Chunk:
        return self.now.present()

    @property
    def needed(self) -> int:
        """Output blocks that must have been stored before the present chunk may be asked for."""
        made_by = self._producer()
        if made_by is None:
            return 0
        needs, stage = self.course.stages[self.operation].needs, self.course.stages[made_by[1]]
        assert needs is not None
        return self.course.start(*made_by) + (
            stage.blocks if needs.extent == "all" else stage.blocks_until(self.now.rows_until)
        )

    def _producer(self) -> tuple[int, int] | None:
        if self.side == "weights" or self.done:
            return None
        return self.course.producer(self.layer, self.operation)
