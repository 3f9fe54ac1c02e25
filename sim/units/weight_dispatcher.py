"""Weight dispatcher: reads blocks of weights from the buffer into the shadow registers of the PEs.

    weight buffer --> dispatcher --> shadow --> (swap at the start of a group) --> PE

The dispatcher leads: it walks the tile operations and hands them to the MXU with the first block of each. A block of
c columns takes

    B = ceil(c * dot_length * weight_bits / port_bits)  cycles

and loads while the MXU computes the block before, so a group costs the MXU max(P, B) where P is its own time. Scales
and zero points come with the first beat through a side port. Where only some planes of weights are read, the others are
filled up behind the port, column by column and without a cycle.

RTL: sim/rtl/modules/weight_dispatcher.sv, plane_fill.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from sim.arch.schema import Arch
from sim.cost.scaling import SQUARE_MILLIMETRES, check_process, further_stages, port, registers
from sim.cost.terms import CostTerms
from sim.engine.activity import State
from sim.engine.channel import Channel
from sim.engine.fast_forward import FastForwarder
from sim.mapping.attention_nest import AttentionTileCursor
from sim.mapping.nest import TileCursor, TileOp
from sim.mapping.operands import ceil_div
from sim.mapping.program_nest import ProgramTiles
from sim.units.buffer import Buffer, weight_memory
from sim.units.unit import Bench, Loss, Steps, Unit


class WeightDispatcher(Unit):
    """Leads the MXU through the plan; one port into each of the MXUs that split the outputs."""

    names = ("weight_dispatcher",)
    flow = 40
    losses = MappingProxyType(
        {
            "weight_port": Loss(
                "weight port", "weights that take their port longer than a group computes",
                "weight_dispatcher.port_bits", "more weight_dispatcher.port_bits",
            )
        }
    )  # fmt: skip

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """Reads of the buffer, registers of its port and plane fills; a bit costs the MXU the same through any port."""
        read = weight_memory(arch).read_picojoules_per_bit
        added = port(arch, arch.weight_dispatcher.port_bits, arch.cost.pe.describes.weight_port_bits)
        return (
            CostTerms("weight_buffer", {"weight_dispatcher.read_bits": read}),
            CostTerms("mxu", {}, added.milliwatts, added.square_millimetres),
            *_plane_fill(arch),
        )

    def __init__(
        self,
        bench: Bench,
        cursor: TileCursor | ProgramTiles | AttentionTileCursor,
        buffer: Buffer,
        *,
        port_bits: int,
        mxu_columns: int,
        mxu_group_cycles: Callable[[TileOp], int],
        fills_planes: bool = False,
    ) -> None:
        super().__init__(bench, "weight_dispatcher")
        self.cursor, self.buffer = cursor, buffer
        self.port_bits, self.mxu_columns = port_bits, mxu_columns
        self.mxu_group_cycles = mxu_group_cycles
        self.shadow: Channel[TileOp | None] = Channel(bench.environment, capacity=1)
        """Full while a block waits for the MXU to take it; None after the last."""
        self.op: TileOp | None = None
        self.watch: FastForwarder | None = None
        """Told of each run of column tiles, so that periods of the loops can be found and skipped."""
        self.groups_left = self.bits_left = 0
        self.beats = self.read_bits = self.filled_weights = 0
        self.fills_planes = fills_planes
        self._load_first, self._load_rest = (
            (self.beat_first, self.beat_rest) if bench.grain == "beat" else (self.tile_load, self.tile_rest)
        )

    def run(self) -> Steps:
        while not self.cursor.done:
            yield from self._wait_for_shadow()
            self._release()
            if self.watch is not None and self.cursor.opens_run:
                self.watch.boundary()
            self.op = self.cursor.present()
            if self.op.takes_weights:
                while not self.buffer.ready.items:
                    yield self.activity.wait(self.buffer.ready.filled(), State.WEIGHTS)
                self.buffer.ready.pop()
            yield from self._load_first()
            self.shadow.put(self.op)
            yield from self._load_rest()
            self.cursor.step()
        yield from self._wait_for_shadow()
        self._release()
        self.shadow.put(None)
        self.activity.enter(State.IDLE)

    def _wait_for_shadow(self) -> Steps:
        while not self.shadow.has_space:
            yield self.activity.wait(self.shadow.freed(), State.OUTPUT_SPACE)

    def _release(self) -> None:
        """Free the chunk whose last block the PEs have just taken."""
        if self.op is not None and self.op.frees_weights:
            self.buffer.space.give(self.op.frees_weights)
            if self.op.closes_weights:
                self.buffer.blocks.give(self.buffer.parts(self.op.stream.attention))

    def beat_first(self) -> Steps:
        assert self.op is not None
        self.groups_left = self.op.groups
        yield from self.beat_load()

    def beat_load(self) -> Steps:
        assert self.op is not None
        stream = self.op.stream
        self.bits_left = min(self.op.columns, self.mxu_columns) * stream.step_bits
        parts = self.op.parts_at(self.op.groups - self.groups_left)
        self.read_bits += parts * self.op.columns * (stream.step_bits + stream.side_bits)
        self.filled_weights += parts * self.op.columns * stream.filled
        while self.bits_left > 0:
            yield self.activity.work(1)
            self.bits_left -= self.port_bits
            self.beats += 1

    def beat_rest(self) -> Steps:
        assert self.op is not None
        self.groups_left -= 1
        while self.groups_left:
            yield from self._wait_for_shadow()
            yield from self.beat_load()
            self.shadow.put(self.op)
            self.groups_left -= 1

    def beats_ahead(self) -> int:
        """Beats of the next operation's first block, whether its weights are there or not."""
        assert self.op is not None
        return len(range(0, min(self.op.columns, self.mxu_columns) * self.op.stream.step_bits, self.port_bits))

    def block_cycles(self, op: TileOp) -> int:
        """B of the equation above."""
        return ceil_div(min(op.columns, self.mxu_columns) * op.stream.step_bits, self.port_bits)

    def _beats(self, op: TileOp, block: int) -> int:
        """Of all groups of all its tiles, whose blocks take `block` beats; the last tile may be narrower."""
        if op.tiles == 1:
            return op.groups * block
        # The last tile may be narrower, those before are of all MXUs.
        width = min(op.columns - (op.tiles - 1) * op.tile_columns, self.mxu_columns)
        return op.groups * ((op.tiles - 1) * block + ceil_div(width * op.stream.step_bits, self.port_bits))

    def tile_load(self) -> Steps:
        assert self.op is not None
        block, blocks, stream = self.block_cycles(self.op), self.op.work * self.op.columns, self.op.stream
        self.beats += self._beats(self.op, block)
        self.read_bits += blocks * (stream.step_bits + stream.side_bits)
        self.filled_weights += blocks * stream.filled
        yield self.activity.work(block)

    def tile_rest(self) -> Steps:
        """The blocks after the first load while the MXU computes, each from the cycle the one before is taken."""
        assert self.op is not None
        yield from self._wait_for_shadow()
        block, rest = self.block_cycles(self.op), self.op.groups * self.op.tiles - 1
        if rest:
            busy = self._beats(self.op, block) - block
            waiting = rest * max(self.mxu_group_cycles(self.op), block) - busy
            yield self.activity.spend((State.BUSY, busy), (State.OUTPUT_SPACE, waiting))

    def in_hand(self) -> tuple[Any, ...]:
        return (self.op, tuple(self.shadow.items))

    def counters(self) -> dict[str, int]:
        counters = {"weight_dispatcher.beats": self.beats, "weight_dispatcher.read_bits": self.read_bits}
        return counters | ({"weight_dispatcher.filled_weights": self.filled_weights} if self.fills_planes else {})


def _plane_fill(arch: Arch) -> tuple[CostTerms, ...]:
    """Of a machine that fills up planes: at every column of every MXU, with the stages that the clock needs."""
    cost, mxu = arch.cost.plane_fill, arch.mxu
    if cost is not None:
        check_process(arch, "cost.plane_fill", cost.describes)
    if not arch.weight_dispatcher.fills_planes:
        return ()
    if cost is None:
        raise arch.refuse("cost.plane_fill", "missing; a machine with weight_dispatcher.fills_planes needs it")
    stage = registers(arch, cost.stage_bits_per_weight * further_stages(arch, cost.describes))
    columns = mxu.columns * mxu.count
    a_weight = cost.square_micrometres_per_weight * SQUARE_MILLIMETRES + stage.square_millimetres
    return (
        CostTerms(
            "mxu",
            {"weight_dispatcher.filled_weights": cost.energy_picojoules_per_weight + stage.picojoules},
            columns * mxu.dot_length * stage.milliwatts,
            columns * (cost.square_micrometres_per_column * SQUARE_MILLIMETRES + mxu.dot_length * a_weight),
        ),
    )
