"""Vector unit: FP16 arithmetic on blocks of activations (norms, products of two FP16 operands beside INT4 MXUs).

    activation buffer --> FPUs --> writer

A block of n operations takes

    ceil(n / fpus)  cycles

and reads its operands while it computes.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from simpy.events import Event

from sim.arch.schema import Arch
from sim.cost.scaling import check_process, further_stages, registers
from sim.cost.terms import CostTerms
from sim.engine.activity import State
from sim.engine.fast_forward import FastForwarder
from sim.engine.waits import Waits
from sim.mapping.operands import ceil_div
from sim.mapping.vector_blocks import BlockCursor
from sim.units.buffer import Buffer, activation_memory
from sim.units.collector import OutputBlock, Sink
from sim.units.unit import Bench, Loss, Steps, Unit

CAUSES = (State.ACTIVATIONS, State.OUTPUT_SPACE)
"""What blocks wait for."""


class Vector(Unit):
    """Works through its blocks in order.

    Parameters
    ----------
    channel_busy
        Cycles before the present one in which the DRAM channel moved something.
    """

    names = ("vector",)
    flow = 70
    components = MappingProxyType({"vector": "compute"})
    losses = MappingProxyType(
        {
            "softmax": Loss(
                "softmax", "waits for the softmax of attention's scores", "vector.fpus", "more vector.fpus",
            ),
            "vector_work": Loss("vector work", "work of the vector unit", "vector.fpus", "more vector.fpus"),
            "vector_channel_busy": Loss(
                "vector work", "the vector unit's waits beside a busy channel", "dram.bandwidth_gigabytes_per_second",
                "more dram.bandwidth_gigabytes_per_second", "vector, DRAM busy",
            ),
            "vector_channel_idle": Loss(
                "vector work", "the vector unit's waits beside an idle channel", "buffers.activation.bytes",
                "more buffers.activation.bytes", "vector, DRAM idle",
            ),
        }
    )  # fmt: skip

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """FPUs as described up to their number, larger ones beyond; each with the stages that the clock needs.

        Reads of the activation buffer, and what is written there for this unit or by it, cost what they cost others.
        """
        data = activation_memory(arch)
        moved = {"vector.read_bits": data.read_picojoules_per_bit, "vector.written_bits": data.write_picojoules_per_bit}
        cost, fpus = arch.cost.vector, arch.vector.fpus
        check_process(arch, "cost.vector", cost.describes)
        stage = registers(arch, cost.stage_bits * further_stages(arch, cost.describes))
        further = max(fpus - cost.describes.fpus, 0)
        area = (fpus - further) * cost.area_square_millimetres_per_fpu
        area += further * cost.area_square_millimetres_per_further_fpu
        return (
            CostTerms(
                "vector",
                {"vector.operations": cost.energy_picojoules_per_operation + stage.picojoules},
                standing_milliwatts=fpus * (cost.power_milliwatts_per_fpu + stage.milliwatts),
                area_square_millimetres=area + fpus * stage.square_millimetres,
            ),
            CostTerms("activation_buffer", moved),
        )

    def __init__(
        self,
        bench: Bench,
        launched: Event,
        cursor: BlockCursor,
        buffer: Buffer,
        sink: Sink,
        *,
        fpus: int,
        channel_busy: Callable[[], int],
    ) -> None:
        super().__init__(bench, self.names[0])
        self.waits = Waits(bench.environment, self.activity, channel_busy, CAUSES)
        self.launched, self.cursor, self.buffer, self.sink, self.fpus = launched, cursor, buffer, sink, fpus
        self.finished = Event(bench.environment)
        self.watch: FastForwarder | None = None
        """Told of each block, so that periods can be found and skipped."""
        self.operations_left = self.operations = self.read_bits = 0
        self._compute = self.beat_compute if bench.grain == "beat" else self.tile_compute

    def end(self) -> Event:
        return self.finished

    def run(self) -> Steps:
        yield self.activity.rest(self.launched)
        while not self.cursor.done:
            if self.watch is not None:
                self.watch.boundary()
            if self.cursor.blocks.reads:
                while not self.buffer.ready.items:
                    yield self.waits.wait(self.buffer.ready.filled(), State.ACTIVATIONS)
                self.buffer.ready.pop()
            if self.cursor.block.write_bytes:
                while not self.sink.space.available:
                    yield self.waits.wait(self.sink.space.given(), State.OUTPUT_SPACE)
                self.sink.space.take()
            self.waits.close()
            yield from self._compute()
            self._finish_block()
        self.activity.enter(State.IDLE)
        self.finished.succeed()

    def _finish_block(self) -> None:
        block = self.cursor.block
        self.operations += block.operations
        self.read_bits += 8 * block.read_bytes
        if self.cursor.blocks.reads:
            self.buffer.space.give(block.read_bytes)
            self.buffer.blocks.give(self.buffer.parts(False))
        if block.write_bytes:
            self.sink.blocks.put(OutputBlock(1, block.write_bytes))
        self.cursor.step()

    def beat_compute(self) -> Steps:
        self.operations_left = self.cursor.block.operations
        while self.operations_left > 0:
            yield self.activity.work(1)
            self.operations_left -= self.fpus

    def tile_compute(self) -> Steps:
        yield self.activity.work(ceil_div(self.cursor.block.operations, self.fpus))

    def counters(self) -> dict[str, int]:
        self.waits.settle()
        return {"vector.operations": self.operations, "vector.read_bits": self.read_bits, **self.waits.counters}
