"""Output collector: drains finished tiles from the output registers, as FP16, towards the compressor or the writer.

    pipeline --> drain --> gather registers of the sink, compressor or writer

Every MXU has one; they run in step. A tile of r rows on an MXU with c columns takes

    ceil(r * c * 16 / port_bits)  cycles       32 instead of 16 bits where MXUs split K, whose FP32 sums a tree adds

after its pipeline latency, the tree's included. The first tile of a run waits for the sink's gather registers; the last
hands the run over.

RTL: sim/rtl/modules/collector.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from simpy.events import Event

from sim.arch.schema import Arch
from sim.cost.scaling import fp32_adder, port
from sim.cost.terms import CostTerms
from sim.engine.activity import State
from sim.engine.channel import Channel, Credits
from sim.formats.widths import FP16_BITS, FP32_BITS
from sim.mapping.operands import ceil_div
from sim.mapping.stream import RAW, Stream
from sim.units.mxu import FinishedTile
from sim.units.unit import Bench, Loss, Steps, Unit


class OutputBlock(NamedTuple):
    """A run of column tiles for the same rows, gathered."""

    rows: int
    columns: int
    stream: Stream = RAW
    made: bool = False
    """Goes back to the MXU as activations (sim/units/mxu.py, `MadeActivations`), not to DRAM."""
    closes: bool = True
    """Is the last part of its row tile."""


class Inbox(Protocol):
    """Takes gathered outputs."""

    def put(self, item: OutputBlock, /) -> None: ...


class Gathering(Protocol):
    """Where gathered outputs go."""

    @property
    def space(self) -> Credits | None:
        """Gather registers, each for one run; None where room was taken before the run began."""
        ...

    @property
    def blocks(self) -> Inbox: ...


class Sink(Protocol):
    """Where outputs go that ask for room."""

    @property
    def space(self) -> Credits:
        """Gather registers, each for one run."""
        ...

    @property
    def blocks(self) -> Inbox: ...


class Compressor(Sink, Protocol):
    """A sink that outputs which need no compression go round."""

    @property
    def empty(self) -> bool: ...

    def emptied(self) -> Event:
        """The event of the last run inside being handed on."""
        ...


class Collector(Unit):
    """Drains tiles one after the other: of GeMMs to the compressor where outputs are encoded, else to the writer.

    Parameters
    ----------
    softmax
        Takes row tiles of scores and of partial outputs.
    """

    names = ("collector",)
    flow = 60
    components = MappingProxyType({"reduction": "compute"})
    losses = MappingProxyType(
        {
            "output_space_channel_idle": Loss(
                "output space", "waits for outputs to leave beside an idle channel", "collector.port_bits",
                "more collector.port_bits, bpc.lanes or mxu.output_registers", "outputs, DRAM idle",
            )
        }
    )  # fmt: skip

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """Registers of its port, in the MXU's figures; an output costs the same through any port."""
        added = port(arch, arch.collector.port_bits, arch.cost.pe.describes.collector_port_bits)
        return (CostTerms("mxu", {}, added.milliwatts, added.square_millimetres), *_tree(arch))

    def __init__(
        self,
        bench: Bench,
        pipeline: Channel[FinishedTile],
        registers: Credits,
        sink: Sink,
        compressor: Compressor | None = None,
        softmax: Gathering | None = None,
        *,
        port_bits: int,
        mxu_columns: int,
        reduces: bool = False,
    ) -> None:
        super().__init__(bench, "collector")
        self.pipeline, self.registers, self.sink, self.compressor = pipeline, registers, sink, compressor
        self.softmax = softmax
        self.target: Gathering = sink
        self.port_bits, self.mxu_columns = port_bits, mxu_columns
        self.reduces = reduces
        self.tile = FinishedTile(0, 0, run_opens=False, run_columns=0)
        self.bits_left = 0
        self.beats = self.additions = 0
        self._drain = self.beat_drain if bench.grain == "beat" else self.tile_drain

    def run(self) -> Steps:
        while True:
            while not self.pipeline.items:
                yield self.activity.rest(self.pipeline.filled())
            self.tile = self.pipeline.pop()
            self._drained(self.tile)
            if self.tile.ready_at > self.bench.now:
                yield self.activity.sleep(self.tile.ready_at - self.bench.now, State.DEPENDENCY)
            if self.tile.run_opens:
                yield from self._turn()
                if self.target.space is not None:
                    while not self.target.space.available:
                        yield self.activity.wait(self.target.space.given(), State.OUTPUT_SPACE)
                    self.target.space.take()
            yield from self._drain()
            self.registers.give()
            if self.tile.run_columns:
                self.additions += self.tile.rows * self.tile.run_columns * (self.tile.stream.parts - 1)
                self.target.blocks.put(OutputBlock(self.tile.rows, self.tile.run_columns, self.tile.stream))

    def _turn(self) -> Steps:
        """Towards the sink of the next run; what goes round the compressor overtakes nothing that is inside."""
        if self.tile.stream.attention and self.softmax is not None:
            self.target = self.softmax
            return
        self.target = self.sink
        if self.compressor is None:
            return
        if self.tile.stream.compressed_rows:
            self.target = self.compressor
            return
        while not self.compressor.empty:
            yield self.activity.wait(self.compressor.emptied(), State.OUTPUT_SPACE)

    def _drained(self, tile: FinishedTile) -> None:
        """Book the tiles before the last of several, each drained while the MXU did the next."""
        others = tile.tiles - 1
        if others:
            drain = self.drain_cycles(tile)
            self.activity.move(State.IDLE, State.DEPENDENCY, others * (tile.ready_at - self.bench.now))
            self.activity.move(State.IDLE, State.BUSY, others * drain)
            self.beats += others * drain

    def beat_drain(self) -> Steps:
        self.bits_left = self._bits(self.tile)
        while self.bits_left > 0:
            yield self.activity.work(1)
            self.bits_left -= self.port_bits
            self.beats += 1

    def _bits(self, tile: FinishedTile) -> int:
        """Of the fullest MXU."""
        width = FP16_BITS if tile.stream.parts == 1 else FP32_BITS
        return tile.stream.fullest(tile.rows) * self.mxu_columns * width

    def drain_cycles(self, tile: FinishedTile) -> int:
        """The equation above."""
        return ceil_div(self._bits(tile), self.port_bits)

    def tile_drain(self) -> Steps:
        cycles = self.drain_cycles(self.tile)
        self.beats += cycles
        yield self.activity.work(cycles)

    def in_hand(self) -> tuple[Any, ...]:
        return (self.tile.relative_to(self.bench.now),)

    def counters(self) -> dict[str, int]:
        added = {"collector.additions": self.additions} if self.reduces else {}
        return {"collector.beats": self.beats, **added}


def _tree(arch: Arch) -> tuple[CostTerms, ...]:
    """The tree that adds FP32 sums: a node between each MXU and the next, as wide as a port, so that any neighbours may
    split K (the augmented reduction tree of MAERI: Kwon et al., ASPLOS 2018). A level is as fast as its stages."""
    if arch.collector.reduction_cycles is None:
        return ()
    sum_of_two = fp32_adder(arch, arch.collector.reduction_cycles)
    adders = (arch.mxu.count - 1) * ceil_div(arch.collector.port_bits, FP32_BITS)
    return (
        CostTerms(
            "reduction",
            {"collector.additions": sum_of_two.picojoules},
            adders * sum_of_two.milliwatts,
            adders * sum_of_two.square_millimetres,
        ),
    )
