"""Attention page by page and step by step, against sets of the pages that each query really sees."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.workload.attention import Span, chunked_passes, decode_spans, prefill_spans
from sim.workload.gemm import FP16, FusedAttention, Gemm, VectorWork, Workload, as_vector_work
from sim.workload.load import load_workload
from sim.workload.model import Attention

ATTENTIONS = st.builds(
    Attention,
    heads=st.just(1),
    key_value_heads=st.just(1),
    head_size=st.just(1),
    rotary=st.just(False),
    window=st.none() | st.integers(1, 50),
    page_tokens=st.integers(1, 12),
)


def pages_seen(attention: Attention, position: int) -> set[int]:
    """Pages of the tokens that the query at `position` may look at: itself and those before it, in the window."""
    reach = attention.window or position + 1
    return {key // attention.page_tokens for key in range(max(0, position - reach + 1), position + 1)}


@settings(max_examples=300, deadline=None)
@given(ATTENTIONS, st.integers(0, 80), st.integers(1, 80))
def test_grouped_decode_steps_are_the_steps_one_by_one(attention: Attention, context: int, steps: int) -> None:
    brute = Counter(
        len(pages_seen(attention, position)) * attention.page_tokens for position in range(context, context + steps)
    )
    grouped = decode_spans(attention, context, steps)
    assert {span.keys: span.count for span in grouped} == brute
    assert len(grouped) == len(brute)
    assert all(span.queries == 1 for span in grouped)


@settings(max_examples=300, deadline=None)
@given(ATTENTIONS, st.integers(1, 120))
def test_a_prompt_page_reads_every_page_that_one_of_its_queries_sees(attention: Attention, tokens: int) -> None:
    page = attention.page_tokens
    brute: Counter[tuple[int, int, bool]] = Counter()
    for first in range(0, tokens, page):
        queries = range(first, min(first + page, tokens))
        seen = set().union(*(pages_seen(attention, position) for position in queries))
        brute[len(queries), len(seen) * page, 0 not in seen] += 1
    grouped = prefill_spans(attention, tokens)
    assert {(span.queries, span.keys, span.slides): span.count for span in grouped} == brute
    assert len(grouped) == len(brute)


def test_a_million_steps_cost_their_distinct_shapes() -> None:
    attention = Attention(heads=1, key_value_heads=1, head_size=1, rotary=False, page_tokens=64)
    spans = decode_spans(attention, 0, 10**6)
    assert len(spans) == 10**6 // 64
    workload = load_workload("mistral-7b", phase="decode", steps=10**6, scope="all")
    # A window of 4096 tokens touches 64 or 65 pages; before it fills, 33 (context 2048) to 64.
    assert len({keys for _, keys, _ in row_blocks(workload)}) == 65 - 33 + 1


def attentions(workload: Workload) -> list[FusedAttention]:
    return [item for phase in workload.phases for item in phase.items if isinstance(item, FusedAttention)]


def row_blocks(workload: Workload) -> list[tuple[int, int, int]]:
    return [(block.rows, block.keys, block.count) for item in attentions(workload) for block in item.blocks]


def test_chunks_of_a_prompt_are_passes_of_their_own() -> None:
    attention = Attention(heads=1, key_value_heads=1, head_size=1, rotary=False, page_tokens=64)
    # 150 tokens in chunks of 100: 64 and 36 queries, then 28 that end the second page and 22 of the third.
    assert chunked_passes(attention, 150, 100) == (
        ((Span(64, 64, 1), Span(36, 128, 1)), 1),
        ((Span(28, 128, 1), Span(22, 192, 1)), 1),
    )


@pytest.mark.parametrize(("name", "group"), [("llama-7b", 1), ("llama3-8b", 4), ("llama2-70b", 8), ("qwen2.5-7b", 7)])
def test_query_heads_that_share_keys_are_rows_of_one_product(name: str, group: int) -> None:
    workload = load_workload(name, phase="decode", context=63, steps=2, batch=3, scope="all")
    shape = workload.resolved
    size, times = shape["attention"]["head_size"], shape["attention"]["key_value_heads"] * shape["layers"] * 3
    # Position 63 is the last of the first page, position 64 opens the second.
    assert row_blocks(workload) == [(group, 64, 1), (group, 128, 1)]
    assert {item.head_size for item in attentions(workload)} == {size}
    assert {item.heads * item.count for item in attentions(workload)} == {times}


def test_prompt_attention_multiplies_the_causal_triangle_of_pages() -> None:
    workload = load_workload("llama-7b", tokens=2048, batch=2, scope="all")
    pages = 2048 // 64
    triangle = 64 * 64 * pages * (pages + 1) // 2
    attention = sum(item.macs for item in attentions(workload))
    assert attention == 2 * triangle * 128 * 32 * 32 * 2  # two products, head size, heads, layers, batch


def test_an_attention_product_as_vector_work_moves_its_operands_and_result() -> None:
    gemm = Gemm("scores", "scores", m=3, k=5, n=7, count=11, weights=FP16)
    assert as_vector_work(gemm) == VectorWork("scores", "scores", 105, 2 * (15 + 35), 2 * 21, 11)
    with pytest.raises(ValueError, match="two FP16 operands"):
        as_vector_work(Gemm("q", "qkv", 1, 64, 64))


def test_one_token_works_in_two_experts_of_mixtral() -> None:
    workload = load_workload("mixtral-8x7b", phase="decode", steps=5)
    gates = [(gemm.m, gemm.count) for gemm in workload.gemms if gemm.name.endswith("gate")]
    assert gates == [(1, 2 * 32 * 5)]


def test_both_phases_are_the_prompt_and_the_decoding_after_it() -> None:
    for scope in ("fp-int", "all"):
        both = load_workload("llama3-8b", phase="both", tokens=100, steps=90, batch=2, scope=scope)
        prefill = load_workload("llama3-8b", phase="prefill", tokens=100, batch=2, scope=scope)
        decode = load_workload("llama3-8b", phase="decode", context=100, steps=90, batch=2, scope=scope)
        assert both.phases == prefill.phases + decode.phases


def test_decoding_in_two_parts_is_the_same_work() -> None:
    def macs(context: int, steps: int) -> int:
        return load_workload("llama3-8b", phase="decode", context=context, steps=steps, scope="all").macs

    assert macs(1000, 500) == macs(1000, 123) + macs(1123, 377)


def test_the_scope_of_integer_weights_is_the_whole_without_fp16_products_and_vector_work() -> None:
    every = load_workload("mixtral-8x7b", scope="all", phase="both").phases
    integer = load_workload("mixtral-8x7b", phase="both").phases
    for whole, part in zip(every, integer, strict=True):
        plain = [
            replace(item, cached=None, output_mantissa_bits=other.output_mantissa_bits)
            for item, other in zip(
                (one for one in whole.items if isinstance(one, Gemm) and one.weights.bits == 4), part.items, strict=True
            )
        ]
        assert plain == list(part.items)
        assert {item.module for item in part.items} == {"qkv", "o", "up", "down"}
        assert {item.module for item in whole.items} == {
            *("qkv", "o", "up", "down", "head", "router", "attention"),
            *("norm", "rotary", "quantise", "activation", "other"),
        }
