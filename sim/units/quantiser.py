"""Quantiser: FP16 tokens from the activation buffer in, integers under an FP16 scale a token out.

    activation buffer --> largest magnitude --> divider          first pass
    activation buffer --> lanes --> codes --> writer             second pass

A token of K values is read twice, `lanes` values a cycle; in between the divider finds its scale and the reciprocal of
that, a bit a cycle. A block of n tokens takes

    n * (2 * ceil(K / lanes) + 40)  cycles

Tokens come from DRAM as the GeMM or the vector unit left them, whole, and go back as sim/formats/token_integer.py says.
Keys and values wait in the activation buffer until a head of a token is whole, and leave as outputs of their GeMM do.

RTL: sim/rtl/modules/quantiser.sv; checks: docs/microarchitecture.md
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Literal

from simpy.events import Event

from sim.arch.schema import Arch
from sim.cost.scaling import check_process, further_stages, registers
from sim.cost.terms import CostTerms
from sim.formats.widths import FP16_BITS
from sim.mapping.vector_blocks import BlockCursor, token_cycles
from sim.units.buffer import Buffer, activation_memory
from sim.units.collector import Sink
from sim.units.unit import Bench, Loss, Steps
from sim.units.vector import Vector
from sim.workload.gemm import Quantisation

DIVISION_STEPS = 18 + 1 + 21
"""Bits of the largest magnitude over L, the scale put together, bits of the reciprocal."""


class Quantiser(Vector):
    """Works through its blocks in order, as the vector unit does; an operation is a cycle of a token.

    Parameters
    ----------
    work
        Whose tokens these are.
    lanes
        FP16 values a cycle.
    """

    names = ("quantiser",)
    flow = 110
    label = "quantiser"
    components = MappingProxyType({"quantiser": "compute"})
    losses = MappingProxyType(
        {
            "quantiser_work": Loss(
                "quantising", "tokens that are quantised", "quantiser.lanes", "more quantiser.lanes",
            ),
            "quantiser_channel_busy": Loss(
                "quantising", "the quantiser's waits beside a busy channel", "dram.bandwidth_gigabytes_per_second",
                "more dram.bandwidth_gigabytes_per_second", "quantiser, DRAM busy",
            ),
            "quantiser_channel_idle": Loss(
                "quantising", "the quantiser's waits beside an idle channel", "buffers.activation.bytes",
                "more buffers.activation.bytes", "quantiser, DRAM idle",
            ),
        }
    )  # fmt: skip

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """Lanes and a divider, with the stages that the clock needs; the buffer is read twice."""
        cost = arch.cost.quantiser
        if (arch.quantiser is None) != (cost is None):
            raise arch.refuse("cost.quantiser", "stands with `quantiser`, and only with it")
        if arch.quantiser is None or cost is None:
            return ()
        check_process(arch, "cost.quantiser", cost.describes)
        data = activation_memory(arch)
        moved = {
            "quantiser.read_bits": data.read_picojoules_per_bit,
            "quantiser.written_bits": data.write_picojoules_per_bit,
        }
        lanes, stage = arch.quantiser.lanes, registers(arch, cost.stage_bits * further_stages(arch, cost.describes))
        area = cost.area_square_millimetres + lanes * (cost.area_square_millimetres_per_lane + stage.square_millimetres)
        return (
            CostTerms(
                "quantiser",
                {"quantiser.values": cost.energy_picojoules_per_value + stage.picojoules},
                standing_milliwatts=lanes * stage.milliwatts,
                area_square_millimetres=area,
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
        work: Quantisation,
        lanes: int,
        channel_busy: Callable[[], int],
    ) -> None:
        super().__init__(bench, launched, cursor, buffer, sink, fpus=1, channel_busy=channel_busy)
        self.work, self.lanes, self.tokens = work, lanes, 0
        self.tokens_left = self.left = 0
        self.step: Literal["largest", "division", "codes"] = "largest"

    @property
    def block_tokens(self) -> int:
        """Of the present block."""
        return self.cursor.block.operations // token_cycles(self.work.values, self.lanes)

    def _finish_block(self) -> None:
        self.tokens += self.block_tokens
        super()._finish_block()

    def beat_compute(self) -> Steps:
        self.tokens_left = self.block_tokens
        while self.tokens_left:
            self.step = "largest"
            yield from self.beat_pass()
            self.step, self.left = "division", DIVISION_STEPS
            while self.left:
                yield self.activity.work(1)
                self.left -= 1
            self.step = "codes"
            yield from self.beat_pass()
            self.tokens_left -= 1

    def beat_pass(self) -> Steps:
        """A token through the lanes."""
        self.left = self.work.values
        while self.left > 0:
            yield self.activity.work(1)
            self.left -= self.lanes

    def counters(self) -> dict[str, int]:
        self.waits.settle()
        values = self.tokens * self.work.values
        written = {"quantiser.written_bits": FP16_BITS * values} if self.work.cached else {}
        return {
            "quantiser.tokens": self.tokens,
            "quantiser.values": values,
            "quantiser.read_bits": 2 * FP16_BITS * values,
            **written,
            **self.waits.counters,
        }
