"""A layer of a result: one instance of a piece of work, from its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from sim.arch.schema import Schedule
from sim.laws.attention import AttentionExpectation
from sim.laws.bounds import DramFloor, dram_floor
from sim.laws.expectation import Expectation, GemmExpectation, VectorExpectation, expect
from sim.laws.ports import Use, port_uses
from sim.laws.waterfall import attention_waterfall, gemm_waterfall, vector_waterfall
from sim.limits import limit_of
from sim.machine.assembly import Run
from sim.machine.machine import Machine
from sim.mapping.operands import ceil_div
from sim.mapping.piece import Piece
from sim.mapping.vector_blocks import token_cycles
from sim.result import Layer, LayerFastForward, LayerSchedule, LayerSplit
from sim.result.times import unit_times
from sim.runs.runs import Runs
from sim.workload.gemm import FusedAttention, Gemm, Item, Quantisation, VectorWork

VECTOR_PRODUCT_BITS = 16 * 16
"""The vector unit multiplies FP16 by FP16."""


@dataclass(frozen=True)
class Done:
    """A layer, and what sums over layers need of its run.

    Parameters
    ----------
    work
        MACs, or operations where there are none; `layer.peak_macs_per_cycle` of them fit into a cycle.
    energy
        Picojoules by component.
    uses
        Of ports, by unit.
    """

    layer: Layer
    run: Run
    work: int
    energy: Mapping[str, float]
    uses: Mapping[str, Use]


def do(machine: Machine, phase: str, item: Item, runs: Runs) -> Done:
    """The layer of an item, out of the run of what the machine makes of it: a GeMM, or work of another unit."""
    piece = machine.piece(item)
    run = runs[piece]
    cut = piece.scheduled(run.schedule)
    expected = expect(cut)
    gemm = item if isinstance(item, Gemm) else None
    on_mxu = piece.work if isinstance(piece.work, Gemm) else None
    macs = item.macs // item.count if isinstance(item, Gemm | FusedAttention) else 0
    work, peak, bits = macs, 0.0, macs * VECTOR_PRODUCT_BITS
    if on_mxu:
        peak, bits = _peak(machine, on_mxu), macs * _product_bits(machine, on_mxu)
    elif not isinstance(expected, AttentionExpectation):
        work, peak = _streamed(piece)
    energy = machine.costs.energy_picojoules(run.counters, run.cycles)
    hardware = expected.hardware
    if isinstance(expected, GemmExpectation):
        waterfall = gemm_waterfall(expected, machine.pe, run, machine.arch.mxu.count)
        uses = port_uses(hardware, expected.plan, run)
    elif isinstance(expected, AttentionExpectation):
        waterfall, uses = attention_waterfall(expected, machine.pe, run), port_uses(hardware, expected, run)
        shares = [(product, Fraction(own, macs)) for product, own in _macs(expected)]
        peak = float(1 / sum(share / Fraction(_peak(machine, product)) for product, share in shares))
        bits = sum(own * _product_bits(machine, product) for product, own in _macs(expected))
    else:
        waterfall, uses = vector_waterfall(expected, machine.pe, run), port_uses(hardware, None, run)
    layer = Layer(
        name=item.name,
        module=item.module,
        phase=phase,
        unit=expected.unit if isinstance(expected, VectorExpectation) else "mxu",
        m=gemm.m if gemm else None,
        k=gemm.k if gemm else None,
        n=gemm.n if gemm else None,
        count=item.count,
        mantissa_bits=on_mxu.mantissa_bits if on_mxu else None,
        weight_bits=gemm.weights.read_bits if gemm else None,
        stored_bits_a_weight=float(gemm.weights.stored_bits(gemm.k)) if gemm else None,
        cycles=run.cycles,
        macs=macs,
        bit_operations=bits,
        dram_bytes=machine.costs.moved_bytes(run.counters, "dram"),
        sram_bytes=machine.costs.moved_bytes(run.counters, "sram"),
        energy_picojoules=sum(energy.values()),
        utilisation=waterfall.utilisation,
        share_of_what_ports_allow=work / (peak * run.cycles),
        peak_macs_per_cycle=peak,
        limit=limit_of(waterfall, hardware.mxu.rows),
        waterfall=waterfall,
        ports={unit: use.share for unit, use in uses.items()},
        bounds=expected.bounds,
        schedule=_schedule(machine, cut, expected),
        dram_floor=_floor(machine, expected),
        fast_forward=LayerFastForward(
            skipped_cycles=sum(skip.cycles for skip in run.skips),
            levels=", ".join(dict.fromkeys(skip.level for skip in run.skips)),
            obstacle=run.obstacle,
        ),
        units=unit_times(run.states),
    )
    return Done(layer, run, macs or work, energy, uses)


def _macs(expected: AttentionExpectation) -> list[tuple[Gemm, int]]:
    """The products of an attention, and the MACs of each."""
    work = expected.work
    return list(zip(expected.products, (work.scores * work.head_size, work.scores * work.value_size), strict=True))


def _product_bits(machine: Machine, gemm: Gemm) -> int:
    """Bits of an activation times bits of a weight."""
    return machine.pe.activation_bits(gemm.mantissa_bits) * gemm.weights.read_bits


def _peak(machine: Machine, gemm: Gemm) -> float:
    """MACs a cycle that the ports allow, with every row and column at work and all operands in the buffers."""
    arch, mxu = machine.arch, machine.arch.mxu
    words, passes = machine.pe.cycles(gemm.mantissa_bits), machine.pe.passes(gemm)
    word = ceil_div(mxu.rows * machine.pe.word_bits, arch.activation_dispatcher.port_bits)
    block = ceil_div(
        mxu.columns * mxu.dot_length * ceil_div(gemm.weights.read_bits, passes), arch.weight_dispatcher.port_bits
    )
    return mxu.rows * mxu.columns * mxu.count * mxu.dot_length / (passes * max(words * word, block))


def _streamed(piece: Piece) -> tuple[int, float]:
    """Operations of the vector unit, or values of the quantiser, and how many of them fit into a cycle."""
    hardware, work = piece.hardware, piece.work
    if isinstance(work, Quantisation):
        assert hardware.quantiser is not None
        return work.operations, work.values / token_cycles(work.values, hardware.quantiser.lanes)
    assert isinstance(work, VectorWork)
    return work.operations, float(hardware.vector.fpus)


def _floor(machine: Machine, expected: Expectation) -> DramFloor | None:
    """With all of the machine's memory, whatever the schedule uses of it."""
    if not isinstance(expected, GemmExpectation):
        return None
    return dram_floor(machine.arch, expected.plan, expected.pace)


def _schedule(machine: Machine, piece: Piece, expected: Expectation) -> LayerSchedule | None:
    if not isinstance(expected, GemmExpectation):
        return None
    plan = expected.plan
    split = piece.schedule.split if isinstance(piece.schedule, Schedule) else None
    split = None if split == machine.arch.split_of(None) else split
    return LayerSchedule(
        token_block=plan.tokens.block,
        output_block=plan.outputs.block,
        k_block=plan.chunk_groups * plan.group_size,
        order=plan.order,
        activations="resident" if plan.activations_resident else "streamed",
        weights="resident" if plan.weights_resident else "streamed",
        split=LayerSplit(split.tokens, split.outputs, split.k) if split else None,
    )
