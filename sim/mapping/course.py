"""A program cut for its machine: stages, how many outputs each has, and what of them a row waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

from sim.mapping.attention import AttentionPlan
from sim.mapping.operands import ceil_div
from sim.mapping.pace import Pace
from sim.mapping.plan import Plan
from sim.mapping.program import LayerProgram, Needs, Operation, ProgramPlace
from sim.mapping.stream import Awaited, Lane, Stream
from sim.mapping.vector_blocks import Blocks, cut_rows
from sim.workload.gemm import FusedAttention, Gemm, VectorWork


@dataclass(frozen=True)
class Stage:
    """An operation cut for a machine; `kind` is equal for operations that no unit can tell apart."""

    needs: Needs | None
    kind: int
    stream: Stream

    @property
    def blocks(self) -> int:
        """Outputs, on the lane of the stream."""
        raise NotImplementedError

    def blocks_until(self, rows: int) -> int:
        """Outputs to be finished before the first `rows` rows are complete."""
        return self.blocks


@dataclass(frozen=True)
class GemmStage(Stage):
    """Of a GeMM."""

    plan: Plan
    pace: Pace

    @cached_property
    def _runs(self) -> tuple[int, int]:
        """Output blocks of a row tile in all blocks of outputs but the last, and in the last."""
        outputs, run = self.plan.outputs, self.plan.run_tiles
        whole, last = (ceil_div(outputs.tiles(outputs.block_size(i)), run) for i in (0, outputs.blocks - 1))
        return whole * (outputs.blocks - 1), last

    @cached_property
    def blocks(self) -> int:
        return self._tiles_before(self.plan.gemm.m) * sum(self._runs)

    def _tiles_before(self, rows: int) -> int:
        """Row tiles that hold the first rows."""
        tokens = self.plan.tokens
        whole, rest = divmod(rows, tokens.block)
        return whole * tokens.tiles(tokens.block) + tokens.tiles(rest)

    def blocks_until(self, rows: int) -> int:
        before, last = self._runs
        tiles, tokens = self._tiles_before(rows), self.plan.tokens
        if self.plan.order == "outputs_outer":
            return self._tiles_before(tokens.size) * before + tiles * last
        block = (rows - 1) // tokens.block
        done = block * tokens.tiles(tokens.block)
        here = tokens.tiles(tokens.block_size(block))
        return done * (before + last) + here * before + (tiles - done) * last


@dataclass(frozen=True)
class AttentionStage(Stage):
    """Of a fused attention: rows are complete only with the last head."""

    plan: AttentionPlan

    @cached_property
    def blocks(self) -> int:
        work, groups = self.plan.work, ceil_div(self.plan.work.value_size, self.plan.group)
        tiles = sum(one.count * ceil_div(one.rows, self.plan.tile_rows) for one in self.plan.segments)
        return work.heads * tiles * groups


@dataclass(frozen=True)
class VectorStage(Stage):
    """Of vector work, in blocks of rows."""

    cut: Blocks
    rows: int
    rows_a_block: int

    @property
    def blocks(self) -> int:
        return self.cut.count

    def blocks_until(self, rows: int) -> int:
        return ceil_div(rows, self.rows_a_block)

    def rows_until(self, block: int) -> int:
        """Rows up to the end of a block."""
        return min((block + 1) * self.rows_a_block, self.rows)


class Course:
    """All operations of a program, cut."""

    def __init__(self, program: LayerProgram) -> None:
        self.program = program
        self._made: dict[tuple[object, ...], tuple[Stream, tuple[object, ...]]] = {}
        self._streams: dict[tuple[object, ...], Stream] = {}
        self._kinds: dict[object, int] = {}
        self.sections = tuple(tuple(self._stage(one) for one in section.operations) for section in program.sections)
        self._starts: list[list[list[int]]] = []
        """Outputs of a layer of each section before each operation, and of the whole layer, by lane."""
        self._before: list[list[int]] = []
        """Outputs of a round before each section, by lane."""
        so_far = [0] * len(Lane)
        for section, stages in zip(program.sections, self.sections, strict=True):
            starts = [[0] * len(Lane)]
            for stage in stages:
                after = list(starts[-1])
                after[stage.stream.lane] += stage.blocks
                starts.append(after)
            self._starts.append(starts)
            self._before.append(so_far)
            so_far = [one + section.layers * more for one, more in zip(so_far, starts[-1], strict=True)]
        self.round_outputs: Sequence[int] = so_far
        """Outputs of a round, by lane."""

    @cached_property
    def alike_from(self) -> tuple[int, ...]:
        """The first layer of each section whose operands come from layers of the same section."""
        sections = self.program.sections
        return tuple(
            max(
                [1]
                + [
                    ceil_div(one.needs.back - index, len(section.operations))
                    for index, one in enumerate(section.operations)
                    if one.needs is not None
                ]
            )
            for section in sections
        )

    @property
    def stored_blocks(self) -> int:
        """Outputs of the whole program that go to DRAM."""
        return self.program.rounds * (sum(self.round_outputs) - self.round_outputs[Lane.IN_PLACE])

    def _stage(self, operation: Operation) -> Stage:
        key = (operation.piece.key, operation.label, operation.rows, operation.rows_a_block)
        if key not in self._made:
            self._made[key] = self._cut(operation)
        stream, parts = self._made[key]
        # Operations that no unit can tell apart share a stream, and with it what was learnt of them.
        kind = self._kinds.setdefault((stream, *parts), len(self._kinds))
        if isinstance(parts[0], Plan):
            assert isinstance(parts[1], Pace)
            return GemmStage(operation.needs, kind, stream, parts[0], parts[1])
        if isinstance(parts[0], AttentionPlan):
            return AttentionStage(operation.needs, kind, stream, parts[0])
        assert isinstance(parts[0], Blocks)
        assert isinstance(parts[1], int)
        return VectorStage(operation.needs, kind, stream, parts[0], operation.rows, parts[1])

    def _cut(self, operation: Operation) -> tuple[Stream, tuple[object, ...]]:
        """The stream of an operation, and what is handed to its stage."""
        piece, work = operation.piece, operation.piece.work
        if isinstance(work, Gemm):
            plan = piece.plan()
            assert isinstance(piece.pace, Pace)
            return self._shared(replace(Stream.of(plan, piece.pace), label=operation.label)), (plan, piece.pace)
        if isinstance(work, FusedAttention):
            attention = piece.attention_plan()
            return attention.streams.outputs, (attention,)
        assert isinstance(work, VectorWork)
        lane = Lane.VECTOR if work.write_bytes else Lane.IN_PLACE
        return self._shared(Stream(label=operation.label, lane=lane)), row_blocks(operation)

    def _shared(self, made: Stream) -> Stream:
        """Streams are compared by identity: equal ones become one."""
        return self._streams.setdefault(tuple(getattr(made, field.name) for field in fields(made)), made)

    def stage(self, place: ProgramPlace) -> Stage:
        return self.sections[place.section][place.operation]

    def start(self, place: ProgramPlace, lane: Lane) -> int:
        """Outputs of the program on a lane before an operation."""
        starts = self._starts[place.section]
        layers = place.layer * starts[-1][lane] + starts[place.operation][lane]
        return place.round * self.round_outputs[lane] + self._before[place.section][lane] + layers

    def producer(self, place: ProgramPlace) -> ProgramPlace | None:
        """Where an operation's operands come from, as far as they are waited for."""
        needs = self.stage(place).needs
        return None if needs is None else self.program.before(place, needs.back)

    def awaited(self, place: ProgramPlace, rows: int | None) -> Awaited:
        """What an operation waits for before it reads its first rows, or all of them."""
        made_by = self.producer(place)
        if made_by is None:
            return Awaited()
        needs, stage = self.stage(place).needs, self.stage(made_by)
        assert needs is not None
        own, theirs = (self.program.sections[at.section].operations[at.operation].rows for at in (place, made_by))
        by_rows = rows is not None and needs.extent == "rows" and own == theirs
        lane = stage.stream.lane
        outputs = stage.blocks_until(rows) if by_rows and rows is not None else stage.blocks
        return Awaited(lane, self.start(made_by, lane) + outputs)


def row_blocks(operation: Operation) -> tuple[Blocks, int]:
    """Vector work in blocks, and the rows of each."""
    work, room = operation.piece.work, operation.piece.hardware.buffers.activation.bytes
    assert isinstance(work, VectorWork)
    return cut_rows(work, operation.rows, operation.rows_a_block, room)
