"""Random small machines and attentions: few keys and many, heads that groups do not fill, starved and not."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sim.arch.schema import Arch
from sim.workload.attention import CACHES
from sim.workload.gemm import FP16, FusedAttention, RowBlocks
from tests.machines import random_case


@dataclass(frozen=True)
class AttentionCase:
    arch: Arch
    attention: FusedAttention


def random_attention(seed: int) -> AttentionCase:
    """A machine and an attention that mostly fits it, the same for the same seed."""
    rng = random.Random(f"attention {seed}")
    arch = random_case(seed).arch
    group, rows = arch.mxu.dot_length, arch.mxu.rows
    blocks, keys = [], 0
    for _ in range(rng.randint(1, 4)):
        keys = max(1, keys + rng.choice([0, group, 3 * group, rng.randint(1, group)]))
        blocks.append(RowBlocks(rng.randint(1, 4 * rows), keys, rng.choice([1, 1, 2, 7])))
    if rng.random() < 0.3:
        blocks = [RowBlocks(blocks[0].rows, rng.randint(1, 30 * group), 1)]
    size = rng.choice([group, 2 * group, rng.randint(1, 2 * group)])
    formats = [*CACHES.values()] if arch.mxu.pe == "fp_fp" else [one for one in CACHES.values() if one != FP16]
    encoded = arch.mxu.pe == "anda"
    query, weights, output = (rng.randint(1, 9) if encoded else None for _ in range(3))
    attention = FusedAttention(
        f"random-{seed}",
        tuple(blocks),
        heads=rng.choice([1, 2, 5, 20]),
        head_size=size,
        value_size=rng.choice([size, size, rng.randint(1, 2 * group)]),
        cache=rng.choice(formats),
        query_bits=query,
        probability_bits=weights,
        output_mantissa_bits=rng.choice([None, output]),
        capped=rng.random() < 0.1,
        sliding=rng.random() < 0.3,
    )
    room = rng.choice([1, 2, 10]) * 40_000
    overrides = {
        "activation": arch.buffers.activation.model_copy(update={"bytes": room}),
        "weight": arch.buffers.weight.model_copy(update={"bytes": room}),
    }
    buffers = arch.buffers.model_copy(update=overrides)
    vector = arch.vector.model_copy(update={"fpus": rng.choice([1, 8, 64, 500])})
    return AttentionCase(arch.model_copy(update={"buffers": buffers, "vector": vector}), attention)
