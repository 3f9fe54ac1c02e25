"""Cursors over programs: round > section > layer > operation > the loops of its plan, of the operations of one unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Generic, Literal, TypeVar

from sim.mapping.attention_nest import AttentionTileCursor, KeyValueCursor, QueryCursor, SoftmaxCursor
from sim.mapping.course import AttentionStage, Course, GemmStage, Stage, VectorStage
from sim.mapping.nest import Chunk, LoadCursor, TileCursor, TileOp
from sim.mapping.program import ProgramPlace
from sim.mapping.stream import Awaited, Stream
from sim.mapping.vector_blocks import BlockCursor

OUTER_LEVELS = ("rounds", "sections", "layers", "operations")
OUTER = len(OUTER_LEVELS)
LAYERS = OUTER_LEVELS.index("layers")
INNER_LEVELS = 5
"""Of attention, which has the most."""
INNER_POSITION = 7
PROGRAM_LEVELS = (*OUTER_LEVELS, *(f"loops of depth {depth + 1}" for depth in range(INNER_LEVELS)))

Inner = LoadCursor | TileCursor | AttentionTileCursor | KeyValueCursor | QueryCursor | SoftmaxCursor | BlockCursor
Now = TypeVar("Now", bound=Inner)


class ProgramCursor(Generic[Now]):
    """A position in a program, of those operations for which `make` gives a cursor."""

    __slots__ = ("_cursors", "_first", "course", "now", "place", "stage")
    levels: ClassVar = PROGRAM_LEVELS

    def __init__(self, course: Course, make: Callable[[Stage], Now | None]) -> None:
        self.course = course
        made: dict[int, Now | None] = {}
        for stages in course.sections:
            for stage in stages:
                if stage.kind not in made:
                    made[stage.kind] = make(stage)
        self._cursors: list[list[tuple[int, Now]]] = [
            [(index, cursor) for index, stage in enumerate(stages) if (cursor := made[stage.kind]) is not None]
            for stages in course.sections
        ]
        """Of each section the operations that there are cursors for."""
        # Positions count from the MXU's first operation of a section.
        self._first = [
            next(index for index, stage in enumerate(stages) if not isinstance(stage, VectorStage))
            for stages in course.sections
        ]
        self.place = ProgramPlace(0, 0, 0, -1)
        self._next_operation()

    @property
    def done(self) -> bool:
        return self.place.round == self.course.program.rounds

    def _next_operation(self) -> None:
        """To the next operation that there is a cursor for."""
        now, section, layer, operation = self.place
        rounds, sections = self.course.program.rounds, self.course.program.sections
        while now < rounds:
            for index, cursor in self._cursors[section]:
                if index > operation:
                    self.place, self.now = ProgramPlace(now, section, layer, index), cursor
                    self.stage = self.course.stage(self.place)
                    return
            operation, layer = -1, layer + 1
            if layer >= sections[section].layers or not self._cursors[section]:
                layer, section = 0, section + 1
            if section == len(sections):
                now, section = now + 1, 0
        self.place = ProgramPlace(rounds, 0, 0, 0)

    @property
    def position(self) -> tuple[int, ...]:
        now, section, layer, operation = self.place
        inner = () if self.done else self.now.position
        return (now, section, layer, operation - self._first[section], *inner, *(0,) * (INNER_POSITION - len(inner)))

    @property
    def stream(self) -> Stream:
        return self.stage.stream

    @property
    def kind(self) -> int:
        return self.stage.kind

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.kind, *self.now.shape)

    def count(self, level: int) -> int:
        """Iterations of a loop; rounds and layers are one more, since the last is like the others."""
        if level >= OUTER:
            return self.now.count(level - OUTER) if level - OUTER < len(self.now.levels) else 0
        program = self.course.program
        return (program.rounds + 1, 0, program.sections[self.place.section].layers + 1, 0)[level]

    def first(self, level: int) -> int:
        """The first iteration that is like the next: what those before it wait for lies elsewhere."""
        if level >= OUTER:
            return self.now.first(level - OUTER)
        return self.course.alike_from[self.place.section] if level == LAYERS else 1

    def runs_over(self, level: int) -> bool:
        return level < OUTER or self.now.runs_over(level - OUTER)

    def follows(self, leader: ProgramCursor[Inner], level: int) -> bool:
        """Whether it works on the row blocks of a GeMM, or loads them, as the leader finishes them."""
        here, there = self.stage, leader.stage
        if level != OUTER or not isinstance(here, VectorStage) or not isinstance(there, GemmStage):
            return False
        by_rows = here.needs is not None and here.needs.extent == "rows" and there.plan.gemm.m == here.rows
        alike = there.plan.order == "tokens_outer" and there.plan.tokens.block == here.rows_a_block
        return by_rows and alike and self.course.producer(self.place) == leader.place

    def jump(self, level: int, iterations: int) -> None:
        if level >= OUTER:
            self.now.jump(level - OUTER, iterations)
            return
        moved = list(self.place)
        moved[level] += iterations
        self.place = ProgramPlace(*moved)

    def step(self) -> None:
        self.now.step()
        if self.now.done:
            self.now.restart()
            self._next_operation()


class ProgramTiles(ProgramCursor[TileCursor | AttentionTileCursor]):
    """The MXU's tile operations.

    Parameters
    ----------
    whole
        Whether the column tiles of a row tile of an attention are one operation.
    """

    def __init__(self, course: Course, whole: Callable[[AttentionStage], bool]) -> None:
        def make(stage: Stage) -> TileCursor | AttentionTileCursor | None:
            if isinstance(stage, GemmStage):
                return TileCursor(stage.plan, stage.stream)
            return AttentionTileCursor(stage.plan, whole=whole(stage)) if isinstance(stage, AttentionStage) else None

        super().__init__(course, make)

    @property
    def opens_run(self) -> bool:
        return self.now.opens_run

    def present(self) -> TileOp:
        return self.now.present()


class ProgramLoads(ProgramCursor[LoadCursor | KeyValueCursor | QueryCursor | BlockCursor]):
    """The chunks of weights, keys and values, or of all that is read from the activation buffer."""

    __slots__ = ("side",)

    def __init__(self, course: Course, side: Literal["activations", "weights"]) -> None:
        self.side = side

        def make(stage: Stage) -> LoadCursor | KeyValueCursor | QueryCursor | BlockCursor | None:
            if isinstance(stage, GemmStage):
                return LoadCursor(stage.plan, side)
            if isinstance(stage, AttentionStage):
                return KeyValueCursor(stage.plan) if side == "weights" else QueryCursor(stage.plan)
            assert isinstance(stage, VectorStage)
            return BlockCursor(stage.cut) if side == "activations" and stage.cut.reads else None

        super().__init__(course, make)

    @property
    def opens_block(self) -> bool:
        return self.now.opens_block

    @property
    def holds_heads(self) -> bool:
        """Whether blocks are heads of keys and values."""
        return self.now.holds_heads

    def present(self) -> Chunk:
        chunk = self.now.present()
        return chunk._replace(vector=True) if isinstance(self.now, BlockCursor) else chunk

    @property
    def awaited(self) -> Awaited:
        """What must have been finished before the present chunk may be asked for."""
        if self.done or (self.side == "weights" and isinstance(self.now, LoadCursor)):
            return Awaited()
        if isinstance(self.now, LoadCursor):
            return self.course.awaited(self.place, self.now.rows_until)
        if isinstance(self.stage, VectorStage) and isinstance(self.now, BlockCursor):
            return self.course.awaited(self.place, self.stage.rows_until(self.now.index))
        return self.course.awaited(self.place, None)


class ProgramVector(ProgramCursor[SoftmaxCursor | BlockCursor]):
    """The vector unit's blocks and row tiles."""

    def __init__(self, course: Course) -> None:
        def make(stage: Stage) -> SoftmaxCursor | BlockCursor | None:
            if isinstance(stage, AttentionStage):
                return SoftmaxCursor(stage.plan)
            return BlockCursor(stage.cut) if isinstance(stage, VectorStage) else None

        super().__init__(course, make)

    @property
    def awaited(self) -> Awaited:
        """What must have been finished before the present block is begun."""
        assert isinstance(self.stage, VectorStage)
        assert isinstance(self.now, BlockCursor)
        return self.course.awaited(self.place, self.stage.rows_until(self.now.index))
