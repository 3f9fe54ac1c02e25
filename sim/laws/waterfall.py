"""Where the time of the multipliers goes: useful work and losses that add up to all of it, to the multiplier-cycle.

A multiplier-cycle is one physical multiplier for one cycle. A bit-parallel PE has `lanes` multipliers, and a
multiply-accumulate (MAC) keeps one of them for a cycle. A bit-serial PE has `dot_length` of them, one-bit, and a MAC
keeps one for all words of its group: M + 1 cycles in Anda, the sign row's included, which no machine or schedule saves.
So a share of multiplier-cycles compares across kinds, and speed is multipliers / cycles of a MAC.

    all         cycles x rows x columns x count x multipliers of a PE
    useful      MACs x cycles that a MAC keeps a multiplier
    losses      in the order of LOSSES, each of what those before it leave: rows before columns, columns before MXUs,
                MXUs before K; a wait for data is one beyond what the ports take in any case

Waits stand in two parts: while the DRAM channel moved something (bandwidth), and while it did not (latency).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sim.arch.schema import Hardware
from sim.laws.attention import AttentionExpectation
from sim.laws.bounds import column_tiles, tile_sizes
from sim.laws.conservation import require_equal
from sim.laws.expectation import GemmExpectation, VectorExpectation
from sim.laws.stalls import Counted, vector_stalls
from sim.mapping.operands import ceil_div
from sim.mapping.pace import Pace
from sim.mapping.plan import Plan
from sim.units.processing_element import ProcessingElement

ROWS = ("rows_cut_by_blocks", "rows_without_tokens")
INSIDE_ROWS = ("columns_without_outputs", "mxus_without_outputs", "k_padding")
LOSSES = (
    *ROWS,
    *INSIDE_ROWS,
    "mxus_left_out",
    "activation_port",
    "exponent_port",
    "weight_port",
    "weights_channel_busy",
    "weights_channel_idle",
    "activations_channel_busy",
    "activations_channel_idle",
    "output_space_channel_busy",
    "output_space_channel_idle",
    "fill_and_drain",
    "softmax",
    "vector_work",
    "vector_channel_busy",
    "vector_channel_idle",
    "quantiser_work",
    "quantiser_channel_busy",
    "quantiser_channel_idle",
)


@dataclass(frozen=True)
class Waterfall:
    """Multiplier-cycles of a run: useful ones, and those lost by cause, causes without a loss left out.

    Raises
    ------
    BrokenLawError
        Where they do not add up to cycles x multipliers, or one is negative.
    """

    cycles: int
    multipliers: int
    useful: int
    losses: Mapping[str, int]

    def __post_init__(self) -> None:
        require_equal("mxu", "cycles and multipliers above 0", min(self.cycles, self.multipliers) > 0, True)
        found = self.useful + sum(self.losses.values())
        require_equal("mxu", "useful + lost = cycles x multipliers", found, self.whole)
        require_equal("mxu", "negative losses", sum(loss < 0 for loss in (self.useful, *self.losses.values())), 0)

    @property
    def whole(self) -> int:
        """All multiplier-cycles."""
        return self.cycles * self.multipliers

    @property
    def utilisation(self) -> float:
        """Useful share."""
        return self.useful / self.whole

    @property
    def rows_at_work(self) -> float:
        """Share of the rows that have a token, over the time in which the MXU takes words."""
        rows = sum(self.losses.get(name, 0) for name in ROWS)
        rest = self.useful + sum(self.losses.get(name, 0) for name in INSIDE_ROWS)
        return rest / (rows + rest) if rest else 0.0


def total(parts: Iterable[tuple[int, Waterfall]]) -> Waterfall:
    """Waterfalls of one machine added up, each as often as it says."""
    counted = list(parts)
    lost = {name: sum(count * one.losses.get(name, 0) for count, one in counted) for name in LOSSES}
    [multipliers] = {one.multipliers for _, one in counted}
    return Waterfall(
        cycles=sum(count * one.cycles for count, one in counted),
        multipliers=multipliers,
        useful=sum(count * one.useful for count, one in counted),
        losses={name: loss for name, loss in lost.items() if loss},
    )


def physical_multipliers(hardware: Hardware, pe: ProcessingElement) -> int:
    """Multipliers of the machine, all at work or not."""
    return hardware.mxu.rows * hardware.mxu.columns * hardware.mxu.count * pe.multipliers


def gemm_waterfall(expected: GemmExpectation, pe: ProcessingElement, run: Counted, mxus: int) -> Waterfall:
    """Of one GeMM on a machine of so many MXUs, of which its schedule may leave some out."""
    used, pace = physical_multipliers(expected.hardware, pe), expected.pace
    multipliers = used // expected.hardware.mxu.count * mxus
    useful = run.counters["mxu.macs"] * pe.multiplier_cycles(expected.plan.gemm.mantissa_bits) * pace.passes
    lost = _shape_losses(expected.hardware, pe, expected.plan, pace)
    lost["k_padding"] = run.counters["mxu.pe_cycles"] * pe.multipliers - useful
    lost |= {name: cycles * used for name, cycles in expected.stalls(run).items()}
    lost["mxus_left_out"] = run.cycles * (multipliers - used)
    return Waterfall(run.cycles, multipliers, useful, _without_zeros(lost))


def attention_waterfall(expected: AttentionExpectation, pe: ProcessingElement, run: Counted) -> Waterfall:
    """Of a fused attention."""
    hardware, multipliers = expected.hardware, physical_multipliers(expected.hardware, pe)
    mxu, useful, lost = hardware.mxu, 0, dict.fromkeys(LOSSES, 0)
    for one, times in expected.stretches:
        product, pace = expected.products[one.context], expected.pace(one)
        depth = one.keys if one.context else expected.work.head_size
        macs = one.rows * expected.width(one) * depth
        useful += times * macs * pe.multiplier_cycles(product.mantissa_bits) * pace.passes
        each = times * expected.groups(one) * pace.words * pe.multipliers
        for width, tiles in expected.widths(one):
            working = ceil_div(width, mxu.columns)
            lost["rows_without_tokens"] += (mxu.rows - one.rows) * tiles * mxu.columns * mxu.count * each
            lost["columns_without_outputs"] += one.rows * tiles * (working * mxu.columns - width) * each
            lost["mxus_without_outputs"] += one.rows * tiles * (mxu.count - working) * mxu.columns * each
    lost["k_padding"] = run.counters["mxu.pe_cycles"] * pe.multipliers - useful
    lost |= {name: cycles * multipliers for name, cycles in expected.stalls(run).items()}
    return Waterfall(run.cycles, multipliers, useful, _without_zeros(lost))


def vector_waterfall(expected: VectorExpectation, pe: ProcessingElement, run: Counted) -> Waterfall:
    """Of work of the vector unit or the quantiser, all of it lost to the multipliers."""
    multipliers = physical_multipliers(expected.hardware, pe)
    lost = {name: cycles * multipliers for name, cycles in vector_stalls(run, expected.unit).items()}
    return Waterfall(run.cycles, multipliers, 0, _without_zeros(lost))


def _without_zeros(lost: Mapping[str, int]) -> dict[str, int]:
    return {name: lost[name] for name in LOSSES if lost.get(name)}


def _shape_losses(hardware: Hardware, pe: ProcessingElement, plan: Plan, pace: Pace) -> dict[str, int]:
    """Multiplier-cycles of rows, columns and MXUs that a tile leaves empty, while the MXU takes words."""
    rows, columns, split = hardware.mxu.rows, hardware.mxu.columns, plan.split
    tokens, outputs, across = plan.tokens.size, plan.outputs.size, column_tiles(plan)
    width = across * split.outputs * columns
    row_tiles = sum(times for _, times in tile_sizes(plan.tokens))
    working_rows = sum(ceil_div(size, rows) * times for size, times in tile_sizes(plan.tokens))
    fewest = ceil_div(tokens, rows)
    ragged = sum((ceil_div(size, columns) * columns - size) * times for size, times in tile_sizes(plan.outputs))
    word = pace.words * pe.multipliers
    each = plan.steps * split.k * word
    absent = (row_tiles * split.tokens - working_rows) * rows * width + tokens * (width - outputs - ragged)
    return {
        "rows_cut_by_blocks": (working_rows - fewest) * rows * width * each,
        "rows_without_tokens": (fewest * rows - tokens) * width * each,
        "columns_without_outputs": tokens * ragged * each,
        "mxus_without_outputs": absent * each + tokens * outputs * (plan.steps * split.k - plan.work) * word,
    }
