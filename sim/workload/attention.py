"""Attention in pages of the key-value cache: which shapes occur, how often, and how keys and values are kept.

    prefill  the prompt goes page by page: page p has page_tokens queries and sees page_tokens * (p + 1) keys
    chunks   the same, and a chunk ends a page's queries early where it ends inside the page
    encoder  page p has page_tokens queries and sees all keys
    decode   one query a sequence; the step at position t sees the pages of tokens 0..t

Whole pages are read and multiplied; masked scores count as work. A sliding window drops the pages that lie wholly
before it. The query heads that share a key-value head are rows beside one another, so keys and values are read once a
key-value head. All that a pass of a layer asks for is one piece of work: of each sequence and key-value head the pages
in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sim.errors import InputError
from sim.formats.weight import WeightFormat
from sim.formats.weights.integer import IntegerWeights
from sim.workload.gemm import FP16, FusedAttention, RowBlocks
from sim.workload.model import Attention, InferenceRun
from sim.workload.precision import Precision, mantissa_bits

MOST_PAGES = 1 << 17
CACHES: dict[str, WeightFormat] = {
    **{f"int{bits}": IntegerWeights(bits, "channel", zero_point_bits=0) for bits in (8, 4, 3)},
    "fp16": FP16,
}
"""How a head of a token's keys or values is kept: symmetric integers under one FP16 scale, or FP16."""


@dataclass(frozen=True)
class Span:
    """`count` equal attentions, for one sequence and layer, of `queries` tokens to `keys` tokens."""

    queries: int
    keys: int
    count: int
    slides: bool = False
    """Whether pages before them have left the window."""


Passes = tuple[tuple[tuple[Span, ...], int], ...]
"""The attentions of a sequence in one layer: those of a pass through the model, and how many passes have them."""


@dataclass(frozen=True)
class AttentionFormats:
    """How keys and values are kept, and Anda mantissa lengths of queries and of the softmax's weights.

    None: FP16, as the output where no consumer asks for a length.
    """

    cache: WeightFormat
    query_bits: int | None = None
    probability_bits: int | None = None
    output_mantissa_bits: int | None = None


def attention_formats(run: InferenceRun, precision: Precision | None) -> AttentionFormats:
    """The formats that a run asks for; with a precision of None activations are FP16."""
    if precision is None:
        return AttentionFormats(CACHES[run.kv])
    return AttentionFormats(CACHES[run.kv], *run.attention_lengths, mantissa_bits(precision, "o"))


def prefill_spans(attention: Attention, tokens: int) -> tuple[Span, ...]:
    """The attentions of a prompt, page by page."""
    [(spans, _)] = chunked_passes(attention, tokens, tokens)
    return spans


def chunked_passes(attention: Attention, tokens: int, chunk: int) -> Passes:
    """The attentions of a prompt that comes in chunks, a pass for each, page by page within it."""
    page = attention.page_tokens
    _check_pages(tokens, min(page, chunk))
    passes: Counter[tuple[Span, ...]] = Counter()
    for start in range(0, tokens, chunk):
        shapes: Counter[tuple[int, int, bool]] = Counter()
        first, end = start, min(start + chunk, tokens)
        while first < end:
            queries = min(page - first % page, end - first)
            shapes[queries, _keys(attention, first), _oldest(attention, first) >= page] += 1
            first += queries
        passes[tuple(Span(*shape[:2], count, shape[2]) for shape, count in shapes.items())] += 1
    return tuple(passes.items())


def decode_spans(attention: Attention, context: int, steps: int) -> tuple[Span, ...]:
    """The attentions of decoding `steps` tokens, the first of them at position `context`; each is a pass of its own."""
    shapes: Counter[int] = Counter()
    _check_pages(steps, attention.page_tokens)
    for first, count in _equal_steps(attention, context, context + steps):
        shapes[_keys(attention, first)] += count
    return tuple(Span(1, keys, count) for keys, count in shapes.items())


def decode_passes(attention: Attention, context: int, steps: int) -> Passes:
    """The same, as passes."""
    spans = decode_spans(attention, context, steps)
    return tuple(((Span(1, span.keys, 1),), span.count) for span in spans)


def encoder_spans(attention: Attention, tokens: int) -> tuple[Span, ...]:
    """The attentions of tokens that all see one another, page by page of queries."""
    page = attention.page_tokens
    _check_pages(tokens, page)
    keys = -(-tokens // page) * page
    shapes = Counter(min(page, tokens - first) for first in range(0, tokens, page))
    return tuple(Span(queries, keys, count) for queries, count in shapes.items())


def _check_pages(tokens: int, page: int) -> None:
    if tokens > page * MOST_PAGES:
        facts = {"found": f"{tokens} tokens in pages of {page}", "allowed": f"{MOST_PAGES:,} pages"}
        raise InputError("more pages of keys and values than are told apart", facts=facts)


def _equal_steps(attention: Attention, position: int, end: int) -> Iterator[tuple[int, int]]:
    """Runs (first position, length) in which neither the query nor the window's tail enters another page."""
    page = attention.page_tokens
    tail = (attention.window or 0) - 1
    while position < end:
        length = min(page - position % page, end - position)
        if attention.window:
            length = min(length, page - (position - tail) % page)
        yield position, length
        position += length


def _oldest(attention: Attention, position: int) -> int:
    """The first token that a query at `position` sees."""
    return max(0, position + 1 - attention.window) if attention.window else 0


def _keys(attention: Attention, position: int) -> int:
    """Tokens in the pages that a query at `position` sees."""
    page = attention.page_tokens
    return (position // page + 1 - _oldest(attention, position) // page) * page


def attention_items(
    attention: Attention,
    formats: AttentionFormats,
    passes: Passes,
    layers: int,
    sequences: int,
    value_size: int | None = None,
    *,
    capped: bool = False,
) -> list[FusedAttention]:
    """The attention of every pass.

    Parameters
    ----------
    layers, sequences
        That have it; sequences go through the machine one after the other.
    value_size
        Values in a head of V, where they are not as many as in one of queries and keys.
    capped
        Whether scores are softly capped before the softmax (Gemma 2).
    """
    group = attention.heads // attention.key_value_heads
    return [
        FusedAttention(
            f"attention[{_named(spans)}]",
            tuple(RowBlocks(group * span.queries, span.keys, span.count) for span in spans),
            attention.key_value_heads * sequences,
            attention.head_size,
            value_size or attention.head_size,
            formats.cache,
            formats.query_bits,
            formats.probability_bits,
            formats.output_mantissa_bits,
            capped,
            any(span.slides for span in spans),
            layers * times,
        )
        for spans, times in passes
    ]


def _named(spans: tuple[Span, ...]) -> str:
    """Queries and keys of a pass."""
    queries = sum(span.queries * span.count for span in spans)
    return f"{queries}x{max(span.keys for span in spans)}"
