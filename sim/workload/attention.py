"""Attention in pages of the key-value cache: which shapes occur, and how often.

    prefill  the prompt goes page by page: page p has page_tokens queries and sees page_tokens * (p + 1) keys
    chunks   the same, and a chunk ends a page's queries early where it ends inside the page
    encoder  page p has page_tokens queries and sees all keys
    decode   one query a sequence; the step at position t sees the pages of tokens 0..t

Whole pages are read and multiplied; masked scores count as work. A sliding window drops the pages that lie wholly
before it. The query heads that share a key-value head are stacked as rows of one product, so keys and values are read
once a key-value head:

    scores   [group * queries, head_size] x [head_size, keys]
    context  [group * queries, keys] x [keys, head_size]         group = heads / key_value_heads
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sim.errors import InputError
from sim.workload.gemm import FP16, Gemm, Item
from sim.workload.model import Attention
from sim.workload.vector import softmax

MOST_PAGES = 1 << 17


@dataclass(frozen=True)
class Span:
    """`count` equal attentions, for one sequence and layer, of `queries` tokens to `keys` tokens."""

    queries: int
    keys: int
    count: int


def prefill_spans(attention: Attention, tokens: int) -> tuple[Span, ...]:
    """The attentions of a prompt, page by page."""
    return chunked_spans(attention, tokens, tokens)


def chunked_spans(attention: Attention, tokens: int, chunk: int) -> tuple[Span, ...]:
    """The attentions of a prompt that comes in chunks, page by page within each."""
    page = attention.page_tokens
    _check_pages(tokens, min(page, chunk))
    shapes: Counter[tuple[int, int]] = Counter()
    first = 0
    while first < tokens:
        queries = min(page - first % page, chunk - first % chunk, tokens - first)
        shapes[queries, _keys(attention, first)] += 1
        first += queries
    return tuple(Span(queries, keys, count) for (queries, keys), count in shapes.items())


def decode_spans(attention: Attention, context: int, steps: int) -> tuple[Span, ...]:
    """The attentions of decoding `steps` tokens, the first of them at position `context`."""
    shapes: Counter[int] = Counter()
    _check_pages(steps, attention.page_tokens)
    for first, count in _equal_steps(attention, context, context + steps):
        shapes[_keys(attention, first)] += count
    return tuple(Span(1, keys, count) for keys, count in shapes.items())


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


def _keys(attention: Attention, position: int) -> int:
    """Tokens in the pages that a query at `position` sees."""
    page = attention.page_tokens
    oldest = max(0, position + 1 - attention.window) if attention.window else 0
    return (position // page + 1 - oldest // page) * page


def attention_items(
    attention: Attention,
    spans: tuple[Span, ...],
    times: int,
    value_size: int | None = None,
    *,
    capped: bool = False,
) -> list[Item]:
    """Scores, softmax and context of every span, done `times` times (layers, sequences).

    Parameters
    ----------
    value_size
        Values in a head of V, where they are not as many as in one of queries and keys.
    capped
        Whether scores are softly capped before the softmax (Gemma 2).
    """
    items: list[Item] = []
    group, width = attention.heads // attention.key_value_heads, value_size or attention.head_size
    for span in spans:
        rows, count = group * span.queries, attention.key_value_heads * span.count * times
        shape = f"[{span.queries}x{span.keys}]"
        items += [
            Gemm(f"attention.scores{shape}", "scores", rows, attention.head_size, span.keys, count, weights=FP16),
            softmax(f"attention.softmax{shape}", rows, span.keys, count, capped=capped),
            Gemm(f"attention.context{shape}", "context", rows, span.keys, width, count, weights=FP16),
        ]
    return items
