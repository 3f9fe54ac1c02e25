"""An independent prediction of everything that a run of a GeMM counts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm
from typing import Any

import numpy as np

from sim.arch.schema import Arch, Schedule
from sim.workload.gemm import FP16, Gemm
from tests.oracle.automata import run
from tests.oracle.records import COUNTERS, MACHINE, PLACES, STATE, STATES, UNITS

POLICIES = ("first_come", "priority", "round_robin")


@dataclass(frozen=True)
class Prediction:
    """Cycles; cycles by unit and state; counters by name."""

    cycles: int
    states: dict[str, dict[str, int]]
    counters: dict[str, int]


def predict(arch: Arch, gemm: Gemm) -> Prediction:
    """Run the automata."""
    numbers = _describe(arch, gemm)
    machine, state = np.zeros(1, MACHINE)[0], np.zeros(1, STATE)[0]
    for name, value in numbers.items():
        machine[name] = value
    cycles = run(machine, state)
    ledgers = zip(UNITS, state["time"].tolist(), strict=True)
    states = {unit: dict(zip(STATES, ledger, strict=True)) for unit, ledger in ledgers}
    counters = dict(zip(COUNTERS, state["counts"].tolist(), strict=True))
    busy = -(-counters["dram.busy_ticks"] // numbers["ticks_per_cycle"])
    states["dram"] = dict.fromkeys(STATES, 0) | {"BUSY": busy, "IDLE": cycles - busy}
    if not numbers["lanes"]:
        del states["bpc"], counters["bpc.rows"], counters["bpc.groups"]
    if numbers["parts"] == 1:
        del counters["collector.additions"]
    if not numbers["token_bits"]:
        del counters["activation_dispatcher.scale_read_bits"]
    if arch.weight_dispatcher.fills_planes:
        a_pass = arch.mxu.dot_length * numbers["digit_bits"] + numbers["scale_bits"]
        passes, rest = divmod(counters["weight_dispatcher.read_bits"], a_pass)
        assert rest == 0
        partly = numbers["weight_bits"] < gemm.weights.bits
        counters["weight_dispatcher.filled_weights"] = passes * arch.mxu.dot_length * partly
    return Prediction(cycles, states, counters)


def _describe(arch: Arch, gemm: Gemm) -> dict[str, Any]:
    mxu, dram, buffers = arch.mxu, arch.dram, arch.buffers
    assert max(dram.outstanding_loads, mxu.output_registers) < PLACES
    planes, lanes = mxu.pe == "anda", mxu.lanes or 1
    output_mantissa_bits = (planes and gemm.output_mantissa_bits) or 0
    hertz = Fraction(str(arch.clock.frequency_megahertz)) * 10**6
    bytes_per_cycle = Fraction(str(dram.bandwidth_gigabytes_per_second)) * 10**9 / hertz
    ticks_per_cycle = dram.time_quantum or bytes_per_cycle.numerator
    ticks_per_byte = Fraction(ticks_per_cycle) / bytes_per_cycle
    sent = getattr(gemm.weights, "read_bits", gemm.weights.bits)
    multiplied = sent if sent == gemm.weights.bits else sent + 1  # a one in place of planes that were not read
    passes = 1 if mxu.pe == "fp_fp" else -(-multiplied // (8 if mxu.pe == "int8" else 4))
    across, down, parts = _split(arch)
    roots, levels = across * down, len(bin(parts - 1)) - 2 if parts > 1 else 0
    grouped: Any = None if gemm.weights == FP16 else gemm.weights
    return {
        **_cut(arch, gemm),
        "words": (gemm.mantissa_bits or 0) + 1 if planes else -(-mxu.dot_length // lanes),
        "word_bits": mxu.dot_length if planes else (mxu.activation_bits or 16) * lanes,
        "token_bits": mxu.activation_bits or 0,
        "activation_port_bits": arch.activation_dispatcher.port_bits,
        "exponent_port_bits": arch.activation_dispatcher.exponent_port_bits or 0,
        "weight_port_bits": arch.weight_dispatcher.port_bits,
        "mantissa_bits": (planes and gemm.mantissa_bits) or 0,
        "output_mantissa_bits": output_mantissa_bits,
        "weight_bits": sent,
        "passes": passes,
        "digit_bits": -(-sent // passes),
        "weight_group": grouped.group_size if grouped else 1,
        "scale_bits": grouped.scale_bits + grouped.zero_point_bits if grouped else 0,
        "registers": mxu.output_registers,
        "pipeline_cycles": mxu.pipeline_cycles + levels * (arch.collector.reduction_cycles or 0),
        "collector_port_bits": arch.collector.port_bits,
        "lanes": arch.bpc.lanes * roots if arch.bpc and output_mantissa_bits else 0,
        "slots": arch.writer.blocks,
        "launch_cycles": arch.controller.launch_cycles,
        "loads": dram.outstanding_loads,
        "latency_cycles": ceil(Fraction(str(dram.latency_nanoseconds)) * hertz / 10**9),
        "burst_bytes": dram.burst_bytes,
        "transaction_bytes": dram.transaction_bytes,
        "policy": POLICIES.index(dram.arbitration),
        "ticks_per_cycle": ticks_per_cycle,
        "tick_dividend": ticks_per_byte.numerator,
        "tick_divisor": ticks_per_byte.denominator,
        "buffer_bytes": (buffers.weight.bytes, buffers.activation.bytes),
        "side_bytes": (0, buffers.activation.exponent_bytes),
        "blocks": (1 + buffers.weight.double_buffered, 1 + buffers.activation.double_buffered),
        "fill_port_bits": (buffers.weight.fill_port_bits, buffers.activation.fill_port_bits),
    }


def _cut(arch: Arch, gemm: Gemm) -> dict[str, int]:
    """The loops."""
    mxu, schedule = arch.mxu, arch.schedule
    assert isinstance(schedule, Schedule)
    across, down, parts = _split(arch)
    tile_columns, groups = mxu.columns * across, -(-gemm.k // mxu.dot_length)
    chunk_groups = -(-schedule.k_block // mxu.dot_length)
    token_blocks, output_blocks = -(-gemm.m // schedule.token_block), -(-gemm.n // schedule.output_block)
    tokens_outer = schedule.order == "tokens_outer"
    return {
        "tokens": gemm.m,
        "token_block": schedule.token_block,
        "rows": mxu.rows * down,
        "mxu_rows": mxu.rows,
        "parts": parts,
        "outputs": gemm.n,
        "output_block": schedule.output_block,
        "columns": mxu.columns,
        "tile_columns": tile_columns,
        "run_tiles": lcm(mxu.dot_length, tile_columns) // tile_columns,
        "tokens_outer": int(tokens_outer),
        "outer_blocks": token_blocks if tokens_outer else output_blocks,
        "inner_blocks": output_blocks if tokens_outer else token_blocks,
        "k": gemm.k,
        "group": mxu.dot_length,
        "groups": groups,
        "chunk_groups": chunk_groups,
        "chunks": -(-groups // chunk_groups),
    }


def _split(arch: Arch) -> tuple[int, int, int]:
    """MXUs that split the columns, the rows, and the groups of K of a tile."""
    split = arch.schedule.split if isinstance(arch.schedule, Schedule) else None
    return (arch.mxu.count, 1, 1) if split is None else (split.outputs, split.tokens, split.k)
