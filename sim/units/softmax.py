"""Vector unit in fused attention: online softmax of row tiles of scores, and the outputs so far.

    collector --> row tiles --> FPUs --> [compressor] --> weights for the MXU, or outputs for the writer

It takes row tiles in the order in which the collector hands them on, each in parts (sim/mapping/attention_nest.py): of
scores one pass for the maximum, then the softmax's weights group by group; of partial outputs the sum with those so
far. A part of n operations takes

    ceil(n / fpus)  cycles

and its outputs leave when it is done.
"""

from __future__ import annotations

from typing import Any

from sim.engine.activity import State
from sim.engine.channel import Channel
from sim.mapping.attention_nest import SoftmaxCursor, SoftmaxStep
from sim.mapping.operands import ceil_div
from sim.mapping.stream import Stream
from sim.units.bpc import Bpc
from sim.units.collector import OutputBlock
from sim.units.mxu import MadeActivations
from sim.units.unit import Bench, Steps, Unit
from sim.units.writer import Writer


class Softmax(Unit):
    """The FPUs of the vector unit, led by the order of row tiles.

    Parameters
    ----------
    made
        Takes the softmax's weights, and has the places of scores and partial outputs.
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
        writer: Writer,
        compressor: Bpc | None,
        *,
        fpus: int,
    ) -> None:
        super().__init__(bench, "vector")
        self.cursor, self.made, self.writer, self.compressor = cursor, made, writer, compressor
        self.fpus = fpus
        self.space = None
        self.blocks: Channel[OutputBlock] = Channel(bench.environment)
        self.part: SoftmaxStep | None = None
        self.operations_left = self.operations = self.read_bits = self.written_bits = 0
        self._compute = self.beat_compute if bench.grain == "beat" else self.tile_compute

    def run(self) -> Steps:
        while not self.cursor.done:
            self.part = self.cursor.present()
            if self.part.takes:
                while not self.blocks.items:
                    yield self.activity.rest(self.blocks.filled())
                self.blocks.pop()
            if self.part.opens_weights:
                while not self.made.space.available:
                    yield self.activity.wait(self.made.space.given(), State.OUTPUT_SPACE)
                self.made.space.take()
            yield from self._compute()
            self.operations += self.part.operations
            self.read_bits += self.part.read_bits
            self.written_bits += self.part.written_bits
            if self.part.columns:
                yield from self._hand_on()
            if self.part.gives:
                self.made.places.give()
            self.cursor.step()
        self.activity.enter(State.IDLE)

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
        streams = self.cursor.plan.streams
        return streams.weights if self.part.weights else streams.outputs

    def beat_compute(self) -> Steps:
        assert self.part is not None
        self.operations_left = self.part.operations
        while self.operations_left > 0:
            yield self.activity.work(1)
            self.operations_left -= self.fpus

    def tile_compute(self) -> Steps:
        assert self.part is not None
        if self.part.operations:
            yield self.activity.work(ceil_div(self.part.operations, self.fpus))

    def in_hand(self) -> tuple[Any, ...]:
        return (self.part, tuple(self.blocks.items))

    def counters(self) -> dict[str, int]:
        return {
            "vector.operations": self.operations,
            "vector.read_bits": self.read_bits,
            "vector.written_bits": self.written_bits,
        }
