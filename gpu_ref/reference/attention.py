"""The time of one layer's attention on a card: head size 128, a cache of 16 bits.

prefill  `tokens` new tokens of each sequence, causal, nothing cached before
decode   one new token of each sequence, `tokens` in the cache

Tokens log-log between measured neighbours; heads, key-value heads and batch only where they were measured.
"""

from __future__ import annotations

from functools import cache

from gpu_ref.reference.estimate import WIDEST_GAP, Estimate, OutsideTableError, beside, between, error_bars
from gpu_ref.reference.tables import AttentionTable, attention_tables

HEAD_SIZE = 128


@cache
def attention_estimate(card: str, phase: str, heads: int, kv_heads: int, batch: int, tokens: int) -> Estimate:
    """Seconds of one layer's attention.

    Parameters
    ----------
    phase
        `prefill` or `decode`.

    Raises
    ------
    OutsideTableError
        Where neither measured nor between measured neighbours.
    """
    table = attention_tables()[card, phase]
    seconds, is_measured = interpolated(table, heads, kv_heads, batch, tokens)
    return Estimate(seconds, error_bars()[card][phase], is_measured)


def interpolated(table: AttentionTable, heads: int, kv_heads: int, batch: int, tokens: int) -> tuple[float, bool]:
    """Seconds, and whether they were measured at exactly these tokens."""
    series = table.seconds.get((heads, kv_heads, batch))
    if series is None:
        known = sorted({key[2] for key in table.seconds if key[:2] == (heads, kv_heads)})
        if not known:
            pairs = ", ".join(f"{q}/{kv}" for q, kv in sorted({key[:2] for key in table.seconds}))
            raise OutsideTableError(f"attention of {heads}/{kv_heads} heads was not measured, only {pairs}")
        raise OutsideTableError(f"attention of batch {batch:,} was not measured; nearest: {beside(batch, known)}")
    if tokens in series:
        return series[tokens], True
    known = sorted(series)
    low = [one for one in known if one < tokens][-1:]
    high = [one for one in known if one > tokens][:1]
    if not low or not high or high[0] > WIDEST_GAP * low[0]:
        near = beside(tokens, known)
        raise OutsideTableError(
            f"attention to {tokens:,} tokens with batch {batch:,} was not measured; nearest: {near}"
        )
    return between(tokens, (low[0], series[low[0]]), (high[0], series[high[0]])), False
