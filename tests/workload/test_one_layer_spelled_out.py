"""A layer of a small mixture of experts, item by item, as one would write it down with pencil and paper."""

from __future__ import annotations

from pathlib import Path

from sim.workload import vector
from sim.workload.gemm import FP16, Gemm
from sim.workload.load import load_workload

TINY = str(Path(__file__).parent / "tiny.yaml")


def test_prefill_of_seventy_tokens_in_two_sequences() -> None:
    # 140 tokens, 3 layers, width 128, MLP 320; 4 query heads and 2 key-value heads of 32; lengths 9, 8, 7, 6.
    # 140 tokens x 2 experts over 4 experts: 70 each. Pages: 64 queries see 64 keys, 6 see 128; 2 heads share a key.
    workload = load_workload(TINY, tokens=70, batch=2, scope="all")
    (phase,) = workload.phases
    spans = 2 * 3 * 2  # key-value heads, layers, sequences
    assert phase.items == (
        vector.norm("attention.norm", "rms", 140, 128, 3),
        Gemm("attention.q", "qkv", 140, 128, 128, 3, 9),
        Gemm("attention.k", "qkv", 140, 128, 64, 3, 9),
        Gemm("attention.v", "qkv", 140, 128, 64, 3, 9),
        vector.rotary(140, 128 + 64, 3),
        Gemm("attention.scores[64x64]", "scores", 128, 32, 64, spans, weights=FP16),
        vector.softmax("attention.softmax[64x64]", 128, 64, spans),
        Gemm("attention.context[64x64]", "context", 128, 64, 32, spans, weights=FP16),
        Gemm("attention.scores[6x128]", "scores", 12, 32, 128, spans, weights=FP16),
        vector.softmax("attention.softmax[6x128]", 12, 128, spans),
        Gemm("attention.context[6x128]", "context", 12, 128, 32, spans, weights=FP16),
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
        Gemm("head", "head", 2, 128, 1000, 1, weights=FP16),
    )


def test_an_uneven_share_of_tokens_makes_two_groups_of_experts() -> None:
    # 5 sequences decode 3 steps: 10 assignments over 4 experts are 3, 3, 2, 2.
    workload = load_workload(TINY, phase="decode", batch=5, context=1, steps=3)
    downs = [(gemm.name, gemm.m, gemm.count) for gemm in workload.gemms if gemm.module == "down"]
    assert downs == [("expert[3].down", 3, 2 * 3 * 3), ("expert[2].down", 2, 2 * 3 * 3)]
