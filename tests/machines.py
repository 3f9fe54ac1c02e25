"""Random small machines and GeMMs: starved and not, ragged and not, every arbitration policy and order."""

from __future__ import annotations

import dataclasses
import math
import random
from dataclasses import dataclass

from sim.arch.dram import DramConfig
from sim.arch.load import load_arch
from sim.arch.schema import Arch, Schedule, Split
from sim.formats.weights.half import Fp16Weights
from sim.formats.weights.integer import IntegerWeights
from sim.formats.weights.planes import PlaneWeights
from sim.units.dram.banks.standards import standards
from sim.workload.gemm import FP16, INT4, Gemm


@dataclass(frozen=True)
class Case:
    arch: Arch
    gemm: Gemm


def random_case(seed: int) -> Case:
    """A machine and a GeMM that fits it, the same for the same seed."""
    rng = random.Random(seed)
    kind = rng.choice(["anda", "anda", "anda", "fp_fp", "figna"])
    group = rng.choice([16, 32, 64, 64, 128])
    rows, columns = rng.choice([1, 2, 4, 8, 16]), rng.choice([2, 4, 8, 16])
    count = rng.choice([1, 1, 1, 2, 3])
    tile = columns * count
    chunk_groups = rng.choice([1, 2, 3, 5])
    groups = rng.randint(1, 9)
    k = max(1, groups * group - rng.choice([0, 0, 1, group // 2]))
    m = rng.randint(1, 6 * rows)
    run = math.lcm(group, tile)
    n = rng.randint(1, max(7 * tile, run + tile))
    mantissa = rng.randint(1, 16)
    output = rng.choice([None, rng.randint(1, 16)])
    token_block = rng.choice([rows, 2 * rows, 3 * rows, rng.randint(1, 4 * rows)])
    output_block = run * rng.choice([1, 1, 2, 3])
    fp16_operands = kind == "fp_fp" and rng.random() < 0.2
    lanes = rng.choice([3, 4, 6, 8])
    word_bits = group if kind == "anda" else 16 * lanes
    port = word_bits * rng.choice([1, 2, rows, 16])
    port += -port % 64 if kind == "anda" else 0
    while port % 64 or port % word_bits:
        port += word_bits
    # Enough for one chunk of a block, seldom for much more: residency, streaming and full buffers all occur.
    stretch = chunk_groups * group if rng.random() < 0.4 else groups * group + chunk_groups * group * rng.randint(0, 6)
    activation_bytes = min(token_block, m + rows) * stretch * 17 // 8 + 64
    width = min(output_block, n)
    scales = width * 3 * -(-stretch // min(128, chunk_groups * group))
    weight_bytes = width * stretch * (2 if fp16_operands else 1) + scales + 64
    bandwidth = rng.choice([rng.uniform(0.2, 8), rng.uniform(4, 80), 256, 51.2, rng.choice([0.285, 2.85, 28.5, 14.25])])
    overrides = [
        f"mxu.rows={rows}",
        f"mxu.columns={columns}",
        f"mxu.count={count}",
        f"mxu.dot_length={group}",
        f"mxu.output_registers={rng.randint(1, 3)}",
        f"mxu.pipeline_cycles={rng.randint(0, 20)}",
        f"buffers.activation.bytes={activation_bytes}",
        f"buffers.activation.fill_port_bits={rng.choice([64, 512, 8192])}",
        f"buffers.activation.double_buffered={rng.choice(['true', 'true', 'false'])}",
        f"buffers.weight.bytes={weight_bytes}",
        f"buffers.weight.fill_port_bits={rng.choice([64, 512, 8192])}",
        f"buffers.weight.double_buffered={rng.choice(['true', 'true', 'false'])}",
        f"weight_dispatcher.port_bits={rng.choice([64, 256, 1024, 4096])}",
        f"activation_dispatcher.port_bits={port}",
        f"collector.port_bits={rng.choice([64, 192, 1024])}",
        f"writer.blocks={rng.randint(1, 3)}",
        f"controller.launch_cycles={rng.randint(1, 9)}",
        f"dram.bandwidth_gigabytes_per_second={bandwidth:.4g}",
        f"dram.latency_nanoseconds={rng.choice([0, 10, 100, 300])}",
        f"dram.burst_bytes={rng.choice([16, 32, 64])}",
        f"dram.transaction_bytes={rng.choice([64, 256, 1024, 4096])}",
        f"dram.arbitration={rng.choice(['first_come', 'priority', 'round_robin'])}",
        f"dram.time_quantum={rng.choice(['null', 'null', 1, 8, 64])}",
        f"dram.outstanding_loads={rng.randint(1, 6)}",
        f"schedule.token_block={token_block}",
        f"schedule.output_block={output_block}",
        f"schedule.k_block={chunk_groups * group}",
        f"schedule.order={rng.choice(['tokens_outer', 'outputs_outer'])}",
    ]
    if kind == "anda":
        overrides += [
            "buffers.activation.exponent_bytes=131072",
            f"bpc.lanes={rng.choice([1, 4, 16])}",
            f"bpc.group_size={group}",
            f"activation_dispatcher.exponent_port_bits={rng.choice([5, 40, 80])}",
            "buffers.activation.exponent_bytes=131072",
        ]
        base = "anda-hpca25"
    else:
        overrides += [f"mxu.lanes={lanes}"]
        base = {"fp_fp": "fp-fp", "figna": "figna"}[kind]
    gemm = Gemm(
        f"random-{seed}",
        "other",
        m,
        k,
        n,
        mantissa_bits=mantissa,
        output_mantissa_bits=output,
        weights=FP16 if fp16_operands else INT4,
    )
    return Case(load_arch(base, overrides), gemm)


def wide_case(seed: int) -> Case:
    """A random machine with weights of any width, in groups of one to four dot products."""
    rng, case = random.Random(f"{seed}, wide"), random_case(seed)
    group = case.arch.mxu.dot_length
    stored = IntegerWeights(rng.randint(1, 8), group * rng.randint(1, 4), zero_point_bits=rng.choice([-1, 0]))
    if rng.random() < 0.3:
        planes = PlaneWeights(stored.bits, stored.group_size, zero_point_bits=stored.zero_point_bits)
        stored = dataclasses.replace(planes, read_bits=rng.randint(1, stored.bits))
        port = case.arch.weight_dispatcher.model_copy(update={"fills_planes": True})
        case = Case(case.arch.model_copy(update={"weight_dispatcher": port}), case.gemm)
    return Case(case.arch, dataclasses.replace(case.gemm, weights=stored))


def integer_case(seed: int) -> Case:
    """A random machine, but with integer PEs and activations of 8 or 4 bits; weights of any width."""
    rng, case = random.Random(f"{seed}, integers"), wide_case(seed)
    while case.arch.mxu.pe == "anda" or isinstance(case.gemm.weights, Fp16Weights):
        seed += 1_000_000
        case = wide_case(seed)
    base = load_arch(rng.choice(["int8", "int8-int4"]))
    parts = {name: getattr(case.arch, name) for name in ("buffers", "weight_dispatcher", "activation_dispatcher")}
    parts |= {name: getattr(case.arch, name) for name in ("collector", "writer", "controller", "dram", "schedule")}
    pe = {"pe": base.mxu.pe, "mantissa_bits": None, "activation_bits": rng.choice([4, 8])}
    parts["mxu"] = case.arch.mxu.model_copy(update=pe)
    return Case(base.model_copy(update=parts), case.gemm)


def long_case(seed: int, level: int) -> Case:
    """A random machine and a GeMM with many iterations of one level of the loops, few of the others.

    Parameters
    ----------
    level
        Of `sim.mapping.nest.LEVELS`, outer blocks first.
    """
    rng = random.Random(f"{seed}, level {level}")
    case = random_case(seed)
    mxu, schedule, buffers, k = case.arch.mxu, case.arch.schedule, case.arch.buffers, case.gemm.k
    assert isinstance(schedule, Schedule)
    run = math.lcm(mxu.dot_length, mxu.columns * mxu.count)
    counts = [rng.choice([1, 1, 2]) for _ in range(4)]
    counts[level] = rng.randint(20, 48)
    outer, inner, rows, runs = counts
    tokens, outputs = (outer, inner) if schedule.order == "tokens_outer" else (inner, outer)
    token_block, output_block = rows * mxu.rows, runs * run
    m = tokens * token_block - rng.choice([0, rng.randrange(token_block)])
    n = outputs * output_block - rng.choice([0, rng.randrange(output_block)])
    # Blocks that are resident load ahead of the MXU until they are whole, which is no steady state; most others stream.
    values = k + mxu.dot_length
    token_room, output_room = (
        rng.choice([block, few, few, few])
        for block, few in ((token_block, rng.randint(1, 3) * mxu.rows), (output_block, rng.randint(1, 3) * run))
    )
    bytes_per_weight = 3 if case.gemm.weights == FP16 else 2
    bigger = {
        "activation": buffers.activation.model_copy(update={"bytes": token_room * values * 17 // 8}),
        "weight": buffers.weight.model_copy(update={"bytes": output_room * values * bytes_per_weight}),
    }
    blocks = {"token_block": token_block, "output_block": output_block}
    arch = case.arch.model_copy(
        update={"buffers": buffers.model_copy(update=bigger), "schedule": schedule.model_copy(update=blocks)}
    )
    return Case(arch, dataclasses.replace(case.gemm, name=f"long-{seed}", m=m, n=n))


def split_case(seed: int) -> Case:
    """A random machine whose MXUs split rows, columns and K of a tile; some of them may be left out."""
    rng, case = random.Random(f"{seed}, split"), random_case(seed)
    split = Split(tokens=rng.choice([1, 1, 2, 3]), outputs=rng.choice([1, 2, 3]), k=rng.choice([1, 2, 3, 5]))
    mxu, buffers, schedule, group = case.arch.mxu, case.arch.buffers, case.arch.schedule, case.arch.mxu.dot_length
    assert isinstance(schedule, Schedule)
    count, run = split.mxus + rng.choice([0, 0, 1, 4]), math.lcm(group, mxu.columns * split.outputs)
    while split.tokens * run > math.lcm(group, mxu.columns * count):
        count += 1
    streams, rows = split.streams + rng.choice([0, 0, 1]), mxu.rows * split.tokens
    blocks = {
        "token_block": rng.choice([rows, 2 * rows, rng.randint(1, 3 * rows)]),
        "output_block": run * rng.choice([1, 1, 2]),
        "k_block": group * split.k * rng.choice([1, 1, 2, 4]),
        "split": split,
    }
    groups = rng.choice([rng.randint(1, 9), rng.randint(1, 4 * split.k)])
    k = max(1, groups * group - rng.choice([0, 0, 1, group // 2]))
    m, n = rng.randint(1, 4 * rows), rng.randint(1, 2 * run + mxu.columns)
    stretch = blocks["k_block"] if rng.random() < 0.5 else k + group * rng.randint(0, 9)
    least = streams * (min(blocks["token_block"], m + rows) * stretch * 17 // 8 // streams + 64)
    bytes_per_weight = 3 if case.gemm.weights == FP16 else 2
    bigger = {
        "activation": buffers.activation.model_copy(update={"bytes": least, "banks": streams}),
        "weight": buffers.weight.model_copy(update={"bytes": blocks["output_block"] * stretch * bytes_per_weight + 64}),
    }
    dispatcher = case.arch.activation_dispatcher.model_copy(update={"streams": streams})
    tree = rng.choice([1, 2, 5]) if split.k > 1 else None
    arch = case.arch.model_copy(
        update={
            "mxu": mxu.model_copy(update={"count": count}),
            "buffers": buffers.model_copy(update=bigger),
            "activation_dispatcher": dispatcher,
            "collector": case.arch.collector.model_copy(update={"reduction_cycles": tree}),
            "schedule": schedule.model_copy(update=blocks),
        }
    )
    return Case(arch, dataclasses.replace(case.gemm, name=f"split-{seed}", m=m, k=k, n=n))


def banked_case(seed: int) -> Case:
    """A random machine whose DRAM is banks of any standard and mapping, at any share of the machine's pace."""
    rng, case = random.Random(f"{seed}, banks"), random_case(seed)
    standard = rng.choice(list(standards()))
    row = standards()[standard]
    channels = row.channels * (count := rng.choice([1, 1, 1, 2, 3]))
    mapping = rng.choice([*["row bank column group channel"] * 4, "row column bank group channel"])
    mapping = rng.choice([*[mapping] * 4, "row bank column channel group", "row bank group column channel"])
    below = row.groups if mapping.endswith("channel group") else 1
    slow = rng.choice([1, 1, 1, 0.5, 0.1, 0.03])
    dram = {
        "kind": "banks",
        "standard": standard,
        "count": count,
        "pin_gigabits_per_second": round(row.pin_gigabits_per_second * rng.choice([1, 1, 0.8]), 4),
        "latency_nanoseconds": rng.choice([0, 10, 100]),
        "transaction_bytes": row.burst_bytes * channels * below * rng.choice([1, 2, 8, 16, 32]),
        "arbitration": case.arch.dram.arbitration,  # type: ignore[attr-defined]
        "outstanding_loads": case.arch.dram.outstanding_loads,
        "mapping": mapping,
        "page": rng.choice(["open", "open", "closed"]),
        "idle": rng.choice(["precharged", "power_down"]),
        "queue_bursts": rng.choice([16, 32, 40, 64]),
        "write_buffer": rng.choice([{}, {"bursts": 16, "high": 12, "low": 0}, {"bursts": 64, "high": 31, "low": 10}]),
    }
    keys = DramConfig.described_by(dram).model_validate(dram, strict=True)
    frequency = case.arch.clock.frequency_megahertz / slow
    clock = case.arch.clock.model_copy(update={"frequency_megahertz": frequency})
    return Case(case.arch.model_copy(update={"dram": keys, "clock": clock}), case.gemm)
