"""Vector unit in fused attention: online softmax of row tiles of scores, and the outputs so far.

    collector --> row tiles --> FPUs --> [compressor] --> weights for the MXU, or outputs for the writer

It takes row tiles in the order in which the collector hands them on, each in parts (sim/mapping/attention_nest.py): of
scores one pass for the maximum, then the softmax's weights group by group; of partial outputs the sum with those so
far. A part of n operations takes

    ceil(n / fpus)  cycles

and its outputs leave when it is done. With the last of an attention goes what was held of the buffer for it.
"""

from __future__ import annotations

from typing import Any

from sim.engine.activity import State
from sim.engine.channel import Channel
from sim.mapping.attention_nest import SoftmaxCursor, SoftmaxStep
from sim.mapping.operands import ceil_div
from sim.mapping.stream import Stream
from sim.units.buffer import Buffer
from sim.units.collector import OutputBlock, Sink
from sim.units.mxu import MadeActivations
from sim.units.unit import Bench, Steps, Unit


class Softmax(Unit):
    """The FPUs of the vector unit, led by the order of row tiles.

    Parameters
    ----------
    made
        Takes the softmax's weights, and has the places of scores and partial outputs.
    buffer
        That holds all of these.
    compressor
        Encodes them, and outputs, where activations are not FP16.
    """

    names = ("vector",)
    flow = 71

    def __init__(
        self,
        bench: Bench,
        cursor: SoftmaxCursor,
        made: MadeActivations,
        buffer: Buffer,
        writer: Sink,
        compressor: Sink | None,
        *,
        fpus: int,
    ) -> None:
        super().__init__(bench, "vector")
        self.cursor, self.made, self.buffer, self.writer, self.compressor = cursor, made, buffer, writer, compressor
        self.fpus = fpus
        self.space = None
        self.blocks: Channel[OutputBlock] = Channel(bench.environment)
        self.part: SoftmaxStep | None = None
        self.operations_left = self.operations = self.read_bits = self.written_bits = 0
        self._compute = self.beat_compute if bench.grain == "beat" else self.tile_compute

    def run(self) -> Steps:
        while not self.cursor.done:
            yield from self._step()
            self.cursor.step()
        self.activity.enter(State.IDLE)

    def _attention(self) -> SoftmaxCursor:
        """Where the present attention stands."""
        return self.cursor

    def _step(self) -> Steps:
        """The present part."""
        if self._attention().begins:
            self.made.make_room(self._attention().plan.weight_tiles)
        self.part = self._attention().present()
        if self.part.takes:
            while not self.blocks.items:
                yield self.activity.rest(self.blocks.filled())
            self.blocks.pop()
        if self.part.opens_weights:
            while not self.made.space.available:
                yield self.activity.wait(self.made.space.given(), State.OUTPUT_SPACE)
            self.made.space.take()
        yield from self._compute(self.part.operations)
        self.operations += self.part.operations
        self.read_bits += self.part.read_bits
        self.written_bits += self.part.written_bits
        if self.part.columns:
            yield from self._hand_on()
        if self.part.gives:
            self.made.places.give()
        if self._attention().ends:
            self.buffer.space.give(self._attention().plan.held_bytes[0])

    def _hand_on(self) -> Steps:
        assert self.part is not None
        if self.compressor is not None and self._stream.compressed_rows:
            while not self.compressor.space.available:
                yield self.activity.wait(self.compressor.space.given(), State.OUTPUT_SPACE)
            self.compressor.space.take()
            self.compressor.blocks.put(self._block())
        elif self.part.weights:
            self.made.store(closes=self.part.gives)
        else:
            while not self.writer.space.available:
                yield self.activity.wait(self.writer.space.given(), State.OUTPUT_SPACE)
            self.writer.space.take()
            self.writer.blocks.put(self._block())

    def _block(self) -> OutputBlock:
        assert self.part is not None
        part = self.part
        return OutputBlock(part.rows, part.columns, self._stream, made=part.weights, closes=part.gives)

    @property
    def _stream(self) -> Stream:
        assert self.part is not None
        streams = self._attention().plan.streams
        return streams.weights if self.part.weights else streams.outputs

    def beat_compute(self, operations: int) -> Steps:
        self.operations_left = operations
        while self.operations_left > 0:
            yield self.activity.work(1)
            self.operations_left -= self.fpus

    def tile_compute(self, operations: int) -> Steps:
        if operations:
            yield self.activity.work(ceil_div(operations, self.fpus))

    def in_hand(self) -> tuple[Any, ...]:
        return (self.part, tuple(self.blocks.items))

    def counters(self) -> dict[str, int]:
        return {
            "vector.operations": self.operations,
            "vector.read_bits": self.read_bits,
            "vector.written_bits": self.written_bits,
        }
