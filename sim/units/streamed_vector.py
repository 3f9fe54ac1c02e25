"""Vector unit in programs: blocks of vector work and row tiles of attention, in the order of the program.

    activation buffer, or what GeMMs have stored --> FPUs --> writer

A block waits for its operands: for a chunk of its own, or, where it moves no bytes, until the rows that it works on
have been finished. It takes as long as in sim/units/vector.py; attention is done as in sim/units/softmax.py.
"""

from __future__ import annotations

from typing import Any

from simpy.events import Event

from sim.engine.activity import State
from sim.mapping.attention_nest import SoftmaxCursor
from sim.mapping.program_nest import ProgramVector
from sim.mapping.stream import Lane
from sim.mapping.vector_blocks import BlockCursor, VectorBlock
from sim.units.buffer import Buffer
from sim.units.collector import OutputBlock, Sink
from sim.units.mxu import MadeActivations
from sim.units.progress import Progress
from sim.units.softmax import Softmax
from sim.units.unit import Bench, Steps


class StreamedVector(Softmax):
    """The FPUs of the vector unit, led by the operations of a program.

    Parameters
    ----------
    progress
        Of what it waits for, and of its own work that moves no bytes.
    """

    flow = 72

    def __init__(
        self,
        bench: Bench,
        cursor: ProgramVector,
        made: MadeActivations,
        buffer: Buffer,
        writer: Sink,
        compressor: Sink | None,
        progress: Progress,
        *,
        fpus: int,
    ) -> None:
        super().__init__(bench, cursor.now, made, buffer, writer, compressor, fpus=fpus)  # type: ignore[arg-type]
        self.walk, self.progress = cursor, progress
        self.block = VectorBlock(0, 0, 0)
        self.finished = Event(bench.environment)

    def end(self) -> Event:
        return self.finished

    def run(self) -> Steps:
        while not self.walk.done:
            if isinstance(self.walk.now, SoftmaxCursor):
                yield from self._step()
            else:
                yield from self._work_on_block()
            self.walk.step()
        self.activity.enter(State.IDLE)
        self.finished.succeed()

    def _attention(self) -> SoftmaxCursor:
        assert isinstance(self.walk.now, SoftmaxCursor)
        return self.walk.now

    def _work_on_block(self) -> Steps:
        self.block = self._next_block()
        if self.block.read_bytes:
            while not self.buffer.for_vector.items:
                yield self.activity.wait(self.buffer.for_vector.filled(), State.ACTIVATIONS)
            self.buffer.for_vector.pop()
        else:
            while not self.progress.met(self.walk):
                yield self.activity.wait(self.progress.reached(self.walk), State.DEPENDENCY)
        if self.walk.stream.lane is Lane.VECTOR:
            while not self.writer.space.available:
                yield self.activity.wait(self.writer.space.given(), State.OUTPUT_SPACE)
            self.writer.space.take()
        yield from self._compute(self.block.operations)
        self.operations += self.block.operations
        self.read_bits += 8 * self.block.read_bytes
        if self.block.read_bytes:
            self.buffer.space.give(self.block.read_bytes)
            self.buffer.blocks.give(self.buffer.parts(False))
        if self.walk.stream.lane is Lane.VECTOR:
            self.writer.blocks.put(OutputBlock(1, self.block.write_bytes, self.walk.stream))
        else:
            self.progress.advance(self.walk.stream.lane)

    def _next_block(self) -> VectorBlock:
        assert isinstance(self.walk.now, BlockCursor)
        return self.walk.now.block

    def in_hand(self) -> tuple[Any, ...]:
        return (*super().in_hand(), self.block)
