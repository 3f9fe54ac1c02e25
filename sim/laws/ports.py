"""How much of what the ports of a machine, its DRAM channel and its vector unit could do a run asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from sim.arch.schema import Hardware
from sim.formats.widths import FP16_BITS
from sim.laws.attention import AttentionExpectation
from sim.laws.bounds import tile_sizes
from sim.laws.stalls import Counted
from sim.mapping.plan import Plan
from sim.units.dram import model_of


@dataclass(frozen=True)
class Use:
    """Bits moved in so many cycles, and how many could be in each; of the vector unit, operations."""

    done: int
    cycles: int
    a_cycle: int | Fraction

    @property
    def share(self) -> float:
        return float(self.done / (self.cycles * self.a_cycle))


def port_uses(hardware: Hardware, plan: Plan | AttentionExpectation | None, run: Counted) -> dict[str, Use]:
    """By the unit that owns the port; `plan` of a GeMM, or what an attention comes to, None for vector work."""
    mxu, buffers, counters = hardware.mxu, hardware.buffers, run.counters
    weights = outputs = 0
    if isinstance(plan, AttentionExpectation):
        weights = sum(times * plan.width(one) * plan.groups(one) * plan.plan.step_bits for one, times in plan.stretches)
        outputs = FP16_BITS * sum(times * one.rows * plan.width(one) for one, times in plan.stretches)
    elif plan is not None:
        row_tiles = sum(times for _, times in tile_sizes(plan.tokens))
        weights = row_tiles * plan.gemm.n * plan.work * plan.step_bits
        outputs = plan.gemm.m * plan.gemm.n * FP16_BITS
    moved = {
        "dram": 8 * sum(counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output")),
        "weight_buffer": 8 * counters.get("weight_buffer.filled_bytes", 0),
        "activation_buffer": 8 * counters["activation_buffer.filled_bytes"],
        "weight_dispatcher": weights,
        "activation_dispatcher": counters.get("activation_dispatcher.read_bits", 0),
        "collector": outputs,
        "vector": counters.get("vector.operations", 0),
    }
    a_cycle: dict[str, int | Fraction] = {
        "dram": 8 * model_of(hardware).bytes_per_cycle,
        "weight_buffer": buffers.weight.fill_port_bits,
        "activation_buffer": buffers.activation.fill_port_bits,
        "weight_dispatcher": hardware.weight_dispatcher.port_bits * mxu.count,
        "activation_dispatcher": hardware.activation_dispatcher.port_bits,
        "collector": hardware.collector.port_bits * mxu.count,
        "vector": hardware.vector.fpus,
    }
    return {unit: Use(done, run.cycles, a_cycle[unit]) for unit, done in moved.items()}


def total(parts: Iterable[tuple[int, Mapping[str, Use]]]) -> dict[str, Use]:
    """Uses of one machine added up, each as often as it says."""
    counted = list(parts)
    return {
        unit: Use(
            sum(count * uses[unit].done for count, uses in counted),
            sum(count * uses[unit].cycles for count, uses in counted),
            use.a_cycle,
        )
        for unit, use in counted[0][1].items()
    }
