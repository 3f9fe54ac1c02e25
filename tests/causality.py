"""What reads what in a program, by brute force: every output in the order in which it is finished."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from sim.machine.assembly import SimulationOptions
from sim.machine.streaming import run_program
from sim.mapping.attention_nest import KeyValueCursor, QueryCursor, SoftmaxCursor
from sim.mapping.course import AttentionStage, Course, GemmStage, Stage, VectorStage
from sim.mapping.nest import LoadCursor, TileCursor
from sim.mapping.plan import Plan
from sim.mapping.program import LayerProgram, ProgramPlace
from sim.mapping.program_nest import ProgramLoads, ProgramVector
from sim.mapping.stream import Lane
from sim.mapping.vector_blocks import BlockCursor
from sim.units.collector import OutputBlock
from sim.units.progress import Progress
from sim.units.streamed_vector import StreamedVector
from sim.units.writer import Writer


def blocks_in_order(plan: Plan) -> list[int]:
    """The first row of each output block, in the order in which the MXU finishes them."""
    cursor, rows = TileCursor(plan), []
    while not cursor.done:
        op = cursor.present()
        if op.run_columns:
            block = cursor.outer if plan.order == "tokens_outer" else cursor.inner
            rows.append(block * plan.tokens.block + cursor.row * plan.tokens.tile)
        cursor.step()
    return rows


def _outputs(stage: Stage) -> list[int]:
    """First rows of the outputs of a stage; those of attention are only waited for together."""
    if isinstance(stage, GemmStage):
        return blocks_in_order(stage.plan)
    if isinstance(stage, VectorStage):
        return [index * stage.rows_a_block for index in range(stage.cut.count)]
    assert isinstance(stage, AttentionStage)
    cursor, found = SoftmaxCursor(stage.plan), 0
    while not cursor.done:
        part = cursor.present()
        found += bool(part.columns) and not part.weights
        cursor.step()
    return [0] * found


def _rows_until(cursor: Any) -> int | None:
    """Rows up to the end of what stands in hand, worked out from its place in the loops; None of all."""
    if isinstance(cursor, LoadCursor):
        tokens = cursor.plan.tokens
        block = cursor.outer if cursor.plan.order == "tokens_outer" else cursor.inner
        return min(block * tokens.block + tokens.tile * (cursor.row + 1), (block + 1) * tokens.block, tokens.size)
    assert isinstance(cursor, KeyValueCursor | QueryCursor)
    return None


class Ledger:
    """Every operation of a program in order, and every output of it on its lane."""

    def __init__(self, program: LayerProgram) -> None:
        self.program, self.course = program, Course(program)
        self.places = [
            ProgramPlace(now, number, layer, operation)
            for now in range(program.rounds)
            for number, section in enumerate(program.sections)
            for layer in range(section.layers)
            for operation in range(len(section.operations))
        ]
        self.labels: dict[Lane, list[str]] = {lane: [] for lane in Lane}
        """Of all outputs, in the order in which they have to come."""
        self.spans: list[tuple[Lane, int, list[int]]] = []
        outputs = {stage: _outputs(stage) for section in self.course.sections for stage in section}
        so_far = dict.fromkeys(Lane, 0)
        for place in self.places:
            stage = self.course.stage(place)
            lane = stage.stream.lane
            self.spans.append((lane, so_far[lane], outputs[stage]))
            so_far[lane] += len(outputs[stage])
            self.labels[lane] += [stage.stream.label] * len(outputs[stage])
        self.finished = dict.fromkeys(Lane, 0)
        self.total = so_far
        self.reads = self.early = 0

    def read(self, place: ProgramPlace, rows: int | None) -> None:
        """Something is read: was all that it needs there?"""
        section = self.program.sections[place.section]
        operation = section.operations[place.operation]
        index = self.places.index(place)
        if operation.needs is None or index < operation.needs.back:
            return
        made_by = self.places[index - operation.needs.back]
        theirs = self.program.sections[made_by.section].operations[made_by.operation].rows
        lane, start, firsts = self.spans[index - operation.needs.back]
        by_rows = rows is not None and operation.needs.extent == "rows" and theirs == operation.rows
        wanted = [start + number for number, row in enumerate(firsts) if not by_rows or row < (rows or 0)]
        self.reads += 1
        self.early += self.finished[lane] <= max(wanted)


def early_reads(program: LayerProgram, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Reads of outputs, and those of them that came before all of these had been finished."""
    ledger = Ledger(program)
    advance, step, compute = Progress.advance, ProgramLoads.step, StreamedVector.tile_compute
    store = Writer._store

    def advanced(self: Progress, lane: Lane) -> None:
        ledger.finished[lane] += 1
        advance(self, lane)

    def stored(self: Writer, block: OutputBlock) -> None:
        stream = block.stream
        assert ledger.labels[stream.lane][ledger.finished[stream.lane]] == stream.label, "outputs in their order"
        store(self, block)

    def stepped(self: ProgramLoads) -> None:
        if isinstance(self.now, BlockCursor):
            _vector(self)
        elif self.side == "activations" or isinstance(self.now, KeyValueCursor):
            ledger.read(self.place, _rows_until(self.now))
        step(self)

    def _vector(cursor: ProgramLoads | ProgramVector) -> None:
        assert isinstance(cursor.stage, VectorStage)
        assert isinstance(cursor.now, BlockCursor)
        stage = cursor.stage
        ledger.read(cursor.place, min((cursor.now.index + 1) * stage.rows_a_block, stage.rows))

    def computed(self: StreamedVector, operations: int) -> Generator[Any, Any, None]:
        if isinstance(self.walk.now, BlockCursor):
            _vector(self.walk)
        yield from compute(self, operations)

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "advance", advanced)
        patched.setattr(Writer, "_store", stored)
        patched.setattr(ProgramLoads, "step", stepped)
        patched.setattr(StreamedVector, "tile_compute", computed)
        run_program(program, SimulationOptions(fast_forward=False))
    assert ledger.finished == ledger.total
    return ledger.reads, ledger.early
