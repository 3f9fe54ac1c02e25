"""A layer of a small mixture of experts, item by item, as one would write it down with pencil and paper."""

from __future__ import annotations

from pathlib import Path

from sim.formats.weights.integer import IntegerWeights
from sim.workload import vector
from sim.workload.gemm import FP16, FusedAttention, Gemm, QuantisedTokens, RowBlocks, VectorWork
from sim.workload.load import load_workload

TINY = str(Path(__file__).parent / "tiny.yaml")


def test_prefill_of_seventy_tokens_in_two_sequences() -> None:
    # 140 tokens, 3 layers, width 128, MLP 320; 4 query heads and 2 key-value heads of 32; lengths 9, 8, 7, 6.
    # 140 tokens x 2 experts over 4 experts: 70 each. Pages: 64 queries see 64 keys, 6 see 128; 2 heads share a key.
    workload = load_workload(TINY, tokens=70, batch=2, scope="all")
    (phase,) = workload.phases
    # Keys and values leave as integers of 4 bits, each head of a token under a scale; queries as 5 planes.
    int4 = IntegerWeights(4, "channel", zero_point_bits=0)
    assert phase.items == (
        vector.norm("attention.norm", "rms", 140, 128, 3),
        Gemm("attention.q", "qkv", 140, 128, 128, 3, 9, 5),
        Gemm("attention.k", "qkv", 140, 128, 64, 3, 9, cached=(int4, 32)),
        Gemm("attention.v", "qkv", 140, 128, 64, 3, 9, cached=(int4, 32)),
        vector.rotary(140, 128 + 64, 3),
        # Of each of 2 x 64 values the maximum and the product; of each of 2 x 2 heads a scale and its reciprocal.
        VectorWork(
            "attention.quantise",
            "quantise",
            140 * (2 * 128 + 2 * 4),
            0,
            0,
            3,
            quantised=(QuantisedTokens(140 * 2 * 2, 32, 4),),  # keys and values of 2 heads a token
        ),
        # 2 key-value heads of 2 sequences, one pass a layer; the output is encoded for o.
        FusedAttention(
            "attention[70x128]", (RowBlocks(128, 64, 1), RowBlocks(12, 128, 1)), 4, 32, 32, int4, 5, 6, 8, count=3
        ),
        Gemm("attention.o", "o", 140, 128, 128, 3, 8, 7),
        vector.norm("mlp.norm", "rms", 140, 128, 3),
        Gemm("mlp.router", "router", 140, 128, 4, 3, weights=FP16),
        Gemm("expert[70].gate", "up", 70, 128, 320, 4 * 3, 7, 6),
        Gemm("expert[70].up", "up", 70, 128, 320, 4 * 3, 7, 6),
        vector.activation("expert[70].activation", "silu", True, 70, 320, 4 * 3),
        Gemm("expert[70].down", "down", 70, 320, 128, 4 * 3, 6),
        vector.combine(140, 128, 2, 3),
        # The head takes the last token of each of the two sequences.
        vector.norm("head.norm", "rms", 2, 128, 1),
        Gemm("head", "head", 2, 128, 1000, 1, 9, weights=IntegerWeights(8)),
    )


def test_an_uneven_share_of_tokens_makes_two_groups_of_experts() -> None:
    # 5 sequences decode 3 steps: 10 assignments over 4 experts are 3, 3, 2, 2.
    workload = load_workload(TINY, phase="decode", batch=5, context=1, steps=3)
    downs = [(gemm.name, gemm.m, gemm.count) for gemm in workload.gemms if gemm.module == "down"]
    assert downs == [("expert[3].down", 3, 2 * 3 * 3), ("expert[2].down", 2, 2 * 3 * 3)]
