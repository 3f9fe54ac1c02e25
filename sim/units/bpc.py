"""Bit-plane compressor: runs of FP16 outputs in, Anda rows out (Anda, Sec. IV-C, Fig. 12).

    collector --> gather registers --> lanes --> align --> writer

The gather registers hold one run; they hand it to the lanes in one cycle once the lanes are empty and the writer has
room, and gather on while the lanes emit a sign row and M planes, MSB first, one a cycle. A run of g groups takes

    1 + ceil(g / lanes) * (M + 1)  cycles

RTL: sim/rtl/modules/bpc.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from simpy.events import Event

from sim.arch.schema import Arch
from sim.cost.scaling import check_process, further_stages, registers
from sim.cost.terms import CostTerms
from sim.engine.activity import State
from sim.engine.channel import Channel, Credits
from sim.engine.sharing import CreditPort, SharedCredits
from sim.mapping.operands import ceil_div
from sim.units.collector import OutputBlock, Sink
from sim.units.mxu import MadeActivations
from sim.units.unit import Bench, Steps, Unit

GATHER_SETS = 1


class Bpc(Unit):
    """The compressors of all MXUs, in step.

    Parameters
    ----------
    lanes
        Of all compressors together.
    own_lanes
        Of one of them; none: all of them take every run.
    made
        Where blocks go that the MXU takes again.
    shared
        Whether collector and vector unit both bring runs, each through an inlet of its own.
    """

    names = ("bpc",)
    flow = 80
    label = "BPC"
    components = MappingProxyType({"bpc": "compute"})

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """Lanes as wide as their group, with the stages that the clock needs; each MXU has its own."""
        cost = arch.cost.bpc
        if (arch.bpc is None) != (cost is None):
            raise arch.refuse("cost.bpc", "stands with `bpc`, and only with it")
        if arch.bpc is None or cost is None:
            return (CostTerms("bpc"),)
        check_process(arch, "cost.bpc", cost.describes)
        lanes, width = arch.bpc.lanes * arch.mxu.count, arch.bpc.group_size / cost.describes.group_size
        stage = registers(arch, cost.stage_bits * further_stages(arch, cost.describes))
        return (
            CostTerms(
                "bpc",
                {"bpc.groups": width * (cost.energy_picojoules_per_group + stage.picojoules)},
                standing_milliwatts=lanes * width * (cost.power_milliwatts_per_lane + stage.milliwatts),
                area_square_millimetres=lanes
                * width
                * (cost.area_square_millimetres_per_lane + stage.square_millimetres),
            ),
        )

    def __init__(
        self,
        bench: Bench,
        writer: Sink,
        *,
        lanes: int,
        group_size: int,
        own_lanes: int = 0,
        made: MadeActivations | None = None,
        shared: bool = False,
    ) -> None:
        super().__init__(bench, "bpc")
        self.made = made
        self.writer, self.lanes, self.own_lanes, self.group_size = writer, lanes, own_lanes, group_size
        self.emitting = False
        self._emptied: Event | None = None
        self.space = (SharedCredits if shared else Credits)(bench.environment, GATHER_SETS)
        self.blocks: Channel[OutputBlock] = Channel(bench.environment)
        self.block = OutputBlock(0, 0)
        self.groups_left = self.rows_left = 0
        self.rows = self.groups = 0
        self._emit = self.beat_emit if bench.grain == "beat" else self.tile_emit

    def run(self) -> Steps:
        while True:
            while not self.blocks.items:
                yield self.activity.rest(self.blocks.filled())
            self.block = self.blocks.pop()
            self.emitting = True
            if not self.block.made:
                while not self.writer.space.available:
                    yield self.activity.wait(self.writer.space.given(), State.OUTPUT_SPACE)
                self.writer.space.take()
            yield self.activity.work(1)
            self.space.give()
            yield from self._emit()
            self.groups += self._groups(self.block)
            if self.block.made:
                assert self.made is not None
                self.made.store(closes=self.block.closes)
            else:
                self.writer.blocks.put(self.block)
            self.emitting = False
            if self.empty and self._emptied is not None:
                event, self._emptied = self._emptied, None
                event.succeed()

    def inlet(self, number: int) -> CompressorInlet:
        """The way in of one of several units."""
        assert isinstance(self.space, SharedCredits)
        return CompressorInlet(self, self.space.port(number))

    @property
    def empty(self) -> bool:
        """Whether no run is gathered, being gathered, or on its way to the writer."""
        return self.space.available == GATHER_SETS and not self.emitting

    def emptied(self) -> Event:
        """The event of the last run inside being handed on."""
        self._emptied = Event(self.bench.environment)
        return self._emptied

    def _groups(self, block: OutputBlock) -> int:
        return block.rows * ceil_div(block.columns, self.group_size)

    def _lanes(self, block: OutputBlock) -> int:
        """Of the MXUs that the block leaves from."""
        return self.own_lanes * block.stream.roots or self.lanes

    def beat_emit(self) -> Steps:
        self.groups_left = self._groups(self.block)
        while self.groups_left > 0:
            self.rows_left = self.block.stream.compressed_rows
            while self.rows_left:
                yield self.activity.work(1)
                self.rows_left -= 1
                self.rows += 1
            self.groups_left -= self._lanes(self.block)

    def emit_cycles(self, block: OutputBlock) -> int:
        """The equation above without the hand-over."""
        return ceil_div(self._groups(block), self._lanes(block)) * block.stream.compressed_rows

    def tile_emit(self) -> Steps:
        self.rows += self.emit_cycles(self.block)
        yield self.activity.work(self.emit_cycles(self.block))

    def in_hand(self) -> tuple[Any, ...]:
        return (self.block, tuple(self.blocks.items), *self.space.relative_state())

    def counters(self) -> dict[str, int]:
        return {"bpc.rows": self.rows, "bpc.groups": self.groups}


@dataclass(frozen=True)
class CompressorInlet:
    """One unit's way into the compressors; there is one set of gather registers, so that runs never meet."""

    bpc: Bpc
    space: CreditPort

    @property
    def blocks(self) -> Channel[OutputBlock]:
        return self.bpc.blocks

    @property
    def empty(self) -> bool:
        """As of the compressors."""
        return self.bpc.empty

    def emptied(self) -> Event:
        """As of the compressors."""
        return self.bpc.emptied()
