"""Pairs of machines of which one has twice as much of something, and GeMMs whose schedules are searched on both."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.machine.machine import Machine
from sim.mapping.piece import Piece
from sim.mapping.uses import all_of
from sim.runs.best_schedule import FoundSchedule, search
from sim.workload.gemm import Gemm

RESOURCES = (
    *("mxu.count", "mxu.output_registers", "buffers.activation.bytes", "buffers.weight.bytes", "writer.blocks"),
    *("buffers.activation.exponent_bytes", "buffers.activation.fill_port_bits", "buffers.weight.fill_port_bits"),
    *("weight_dispatcher.port_bits", "activation_dispatcher.port_bits", "activation_dispatcher.exponent_port_bits"),
    *("collector.port_bits", "bpc.lanes", "dram.outstanding_loads", "activation_dispatcher.streams"),
)
OBJECTIVES = ("best-cycles", "best-dram-bytes")


@dataclass(frozen=True)
class GrowingPair:
    """A search on a machine, on one with twice as much of a resource knowing what the first found, and not knowing."""

    resource: str
    small: FoundSchedule
    large: FoundSchedule
    alone: FoundSchedule


def growing_pair(seed: int) -> GrowingPair | None:
    """None where nothing fits the smaller machine."""
    rng = random.Random(f"{seed}, growing")
    streams = rng.choice([1, 1, 2, 4])
    sizes: dict[str, float | int] = {
        "mxu.count": rng.choice([1, 2, 3, 5, 8]),
        "mxu.output_registers": rng.choice([1, 2]),
        "buffers.activation.bytes": rng.choice([512, 1024, 2048, 6144]),
        "buffers.activation.exponent_bytes": rng.choice([64, 256]),
        "buffers.activation.fill_port_bits": rng.choice([64, 512]),
        "buffers.weight.bytes": rng.choice([512, 1536, 2048, 8192]),
        "buffers.weight.fill_port_bits": rng.choice([64, 512]),
        "weight_dispatcher.port_bits": rng.choice([64, 128]),
        "activation_dispatcher.port_bits": rng.choice([64, 128]),
        "activation_dispatcher.exponent_port_bits": rng.choice([5, 10]),
        "activation_dispatcher.streams": streams,
        "collector.port_bits": rng.choice([64, 128]),
        "bpc.lanes": rng.choice([1, 4]),
        "writer.blocks": rng.choice([1, 2]),
        "dram.outstanding_loads": rng.choice([1, 2, 4]),
    }
    fixed = [
        *("mxu.rows=4", "mxu.columns=4", "mxu.dot_length=16", "bpc.group_size=16", "dram.burst_bytes=16"),
        *("buffers.activation.banks=8", f"dram.bandwidth_gigabytes_per_second={rng.choice([1, 3, 20])}"),
        f"dram.arbitration={rng.choice(['first_come', 'round_robin'])}",
        f"dram.transaction_bytes={rng.choice([64, 256])}",
        *(["collector.reduction_cycles=1"] if streams > 1 else []),
        f"schedule={rng.choice(OBJECTIVES)}",
    ]
    k, m, n = rng.randint(1, 8) * 16 - rng.choice([0, 5]), rng.randint(1, 40), rng.randint(1, 90)
    gemm = Gemm("pair", "other", m, k, n, mantissa_bits=rng.randint(1, 9), output_mantissa_bits=rng.choice([None, 5]))
    resource = rng.choice(RESOURCES)

    def piece(amounts: dict[str, float | int]) -> Piece:
        return Machine(load_arch("anda-hpca25", [*fixed, *(f"{key}={value}" for key, value in amounts.items())])).piece(
            gemm
        )

    small, large = piece(sizes), piece(sizes | {resource: 2 * sizes[resource]})
    try:
        found = search(small)
    except InputError:
        return None
    split = small.hardware.split_of(found.schedule)
    known = found.schedule.model_copy(update={"uses": all_of(small.hardware), "split": split})
    return GrowingPair(resource, found, search(large, [known]), search(large))
