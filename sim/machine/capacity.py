"""Whether what a workload keeps in memory fits a machine's DRAM."""

from __future__ import annotations

from dataclasses import dataclass

from sim.arch.schema import Arch
from sim.mapping.operands import ceil_div
from sim.units.dram import model_of
from sim.workload.gemm import FusedAttention, Gemm, Phase, Workload


@dataclass(frozen=True)
class Footprint:
    """Bytes in DRAM during a phase: weights, keys and values, and what the largest piece of work reads and writes.

    The table of embeddings, of which a token needs one row, is not counted.
    """

    weights: int
    keys_and_values: int
    activations: int

    @property
    def bytes(self) -> int:
        return self.weights + self.keys_and_values + self.activations


def kept(phase: Phase) -> Footprint:
    """What a phase keeps; activations in FP16."""
    weights = cached = activations = 0
    for item in phase.items:
        if isinstance(item, FusedAttention):
            tokens = item.count * item.heads * max(block.keys for block in item.blocks)
            sizes = (item.head_size, item.value_size)
            cached += tokens * sum(ceil_div(item.cache.column_bits(size), 8) for size in sizes)
            continue
        if not isinstance(item, Gemm):
            activations = max(activations, item.read_bytes + item.write_bytes)
            continue
        stored = item.count * ceil_div(item.n * item.weights.column_bits(item.k), 8)
        weights += stored
        activations = max(activations, 2 * item.m * (item.k + item.n))
    return Footprint(weights, cached, activations)


def check_capacity(arch: Arch, workload: Workload) -> None:
    """Refuse a workload that is larger than the DRAM, where its kind has a size.

    Raises
    ------
    InputError
        With the bytes needed, and of what.
    """
    capacity = model_of(arch).capacity_bytes
    if capacity is None:
        return
    most = max((kept(phase) for phase in workload.phases), key=lambda one: one.bytes, default=Footprint(0, 0, 0))
    if most.bytes > capacity:
        raise arch.refuse(
            "dram",
            f"{workload.name} does not fit the DRAM",
            needed=f"{most.bytes:,} bytes",
            weights=f"{most.weights:,}",
            keys=f"{most.keys_and_values:,} with their values",
            activations=f"{most.activations:,}",
            capacity=f"{capacity:,} bytes",
        )
