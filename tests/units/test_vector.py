"""The vector unit takes ceil(n / fpus) cycles a block, its operands there and a place for its results."""

from __future__ import annotations

import pytest
from simpy.events import Event

from sim.arch.schema import BufferConfig
from sim.engine.activity import State
from sim.mapping.nest import Chunk
from sim.mapping.vector_blocks import BlockCursor, Blocks, VectorBlock
from sim.units.buffer import Buffer
from sim.units.collector import OutputBlock
from sim.units.vector import Vector
from tests.units.rig import Rig, Sink, busy, stalls

LAUNCH = 4


class Vectoring:
    """A vector unit whose operands arrive when the test says."""

    def __init__(self, rig: Rig, block: VectorBlock, count: int, *, fpus: int = 64, places: int = 100) -> None:
        self.buffer = Buffer(rig.bench, "activation_buffer", BufferConfig(bytes=10**6, fill_port_bits=8))
        self.sink = Sink(rig, places)
        launched = Event(rig.environment)
        rig.at(LAUNCH, launched.succeed)
        self.rig, self.block = rig, block
        cursor = BlockCursor(Blocks(count, block, block))
        self.unit = Vector(rig.bench, launched, cursor, self.buffer, self.sink, fpus=fpus, channel_busy=lambda: 0)

    def operands(self, cycle: int) -> None:
        self.buffer.space.take(self.block.read_bytes)
        self.buffer.blocks.take()
        self.rig.at(cycle, lambda: self.buffer.ready.put(Chunk(self.block.read_bytes, 0)))


@pytest.mark.parametrize("fpus", [1, 32, 64])
@pytest.mark.parametrize("operations", [1, 63, 64, 65, 1000])
def test_blocks_take_the_beats_of_their_operations(rig: Rig, fpus: int, operations: int) -> None:
    vectoring = Vectoring(rig, VectorBlock(operations, 0, 10), count=3, fpus=fpus)
    rig.run(vectoring.unit)
    beats = -(-operations // fpus)
    assert vectoring.sink.arrived == [(LAUNCH + beats * (i + 1), OutputBlock(1, 10)) for i in range(3)]
    assert busy(vectoring.unit) == 3 * beats
    assert vectoring.unit.operations == 3 * operations
    assert vectoring.unit.finished.processed
    assert rig.now == LAUNCH + 3 * beats


def test_operands_are_waited_for_and_freed_afterwards(rig: Rig) -> None:
    vectoring = Vectoring(rig, VectorBlock(640, 100, 10), count=2)
    for cycle in (20, 90):
        vectoring.operands(cycle)
    rig.run(vectoring.unit, until=20 + 10)
    assert vectoring.sink.arrived == [(20 + 10, OutputBlock(1, 10))]
    assert vectoring.buffer.space.available == 10**6 - 100
    assert vectoring.buffer.blocks.available == 1
    rig.environment.run()
    vectoring.unit.activity.settle()
    assert [cycle for cycle, _ in vectoring.sink.arrived] == [30, 90 + 10]
    assert stalls(vectoring.unit) == {State.ACTIVATIONS: (20 - LAUNCH) + (90 - 30)}
    assert vectoring.buffer.space.available == 10**6


def test_a_full_writer_is_charged_to_output_space(rig: Rig) -> None:
    vectoring = Vectoring(rig, VectorBlock(64, 0, 10), count=2, places=1)
    rig.at(50, vectoring.sink.space.give)
    rig.run(vectoring.unit)
    assert [cycle for cycle, _ in vectoring.sink.arrived] == [LAUNCH + 1, 50 + 1]
    assert stalls(vectoring.unit) == {State.OUTPUT_SPACE: 50 - LAUNCH - 1}


def test_work_that_writes_nothing_takes_no_place(rig: Rig) -> None:
    vectoring = Vectoring(rig, VectorBlock(64, 0, 0), count=3, places=1)
    rig.run(vectoring.unit)
    assert vectoring.sink.arrived == []
    assert vectoring.sink.space.available == 1
    assert rig.now == LAUNCH + 3
