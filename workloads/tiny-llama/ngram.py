"""The baseline that the shipped model has to beat: a 5-gram model of bytes with interpolated Kneser-Ney smoothing.

    python workloads/tiny-llama/ngram.py          # bits a byte on test.txt after counting train.txt.xz

    p_n(b | c) = max(N_n(c b) - D_n, 0) / N_n(c) + D_n * kinds(c) / N_n(c) * p_{n-1}(b | c without its first byte)

N_5 counts occurrences; below, N_n(c b) is the number of different bytes seen before c b (Kneser and Ney, 1995). The
discount is D_n = n1 / (n1 + 2 n2) from the counts of counts (Ney, Essen and Kneser, 1994), 1/2 where nothing
occurred once; p_0 is uniform over 256.
"""

import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Order:
    """Counts of one length of n-grams: each n-gram and each context is the integer of its bytes, sorted."""

    grams: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    totals: np.ndarray
    kinds: np.ndarray
    discount: float


def _codes(text: np.ndarray, length: int) -> np.ndarray:
    """The integer of every run of `length` bytes, shape (len(text) - length + 1,), int64."""
    codes = np.zeros(len(text) - length + 1, np.int64)
    for offset in range(length):
        codes = codes << 8 | text[offset : offset + len(codes)]
    return codes


def _order(grams: np.ndarray, counts: np.ndarray) -> Order:
    contexts, first = np.unique(grams >> 8, return_index=True)
    once, twice = (counts == 1).sum(), (counts == 2).sum()
    kinds = np.diff(np.append(first, len(grams)))
    discount = float(once / (once + 2 * twice)) if once else 0.5
    return Order(grams, counts, contexts, np.add.reduceat(counts, first), kinds, discount)


def train(text: np.ndarray, longest: int = 5) -> list[Order]:
    """Count uint8 `text`; orders 1 to `longest`."""
    grams, counts = np.unique(_codes(text, longest), return_counts=True)
    orders = [_order(grams, counts)]
    for length in range(longest - 1, 0, -1):
        grams, counts = np.unique(grams & (1 << 8 * length) - 1, return_counts=True)
        orders.append(_order(grams, counts))
    return orders[::-1]


def _find(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)


def probabilities(orders: list[Order], text: np.ndarray) -> np.ndarray:
    """p(byte | the four before it) for every byte of `text` from the fifth on."""
    longest = len(orders)
    grams = _codes(text, longest)
    p = np.full(len(grams), 1 / 256)
    for length, order in enumerate(orders, start=1):
        shortened = grams & (1 << 8 * length) - 1
        total = _find(order.contexts, order.totals, shortened >> 8)
        kinds = _find(order.contexts, order.kinds, shortened >> 8)
        kept = np.maximum(_find(order.grams, order.counts, shortened) - order.discount, 0)
        interpolated = (kept + order.discount * kinds * p) / np.maximum(total, 1)
        p = np.where(total > 0, interpolated, p)
    return p


def bits_a_byte(train_text: bytes, test_text: bytes) -> float:
    """Mean -log2 p of `test_text` after counting `train_text`."""
    orders = train(np.frombuffer(train_text, np.uint8))
    return float(-np.log2(probabilities(orders, np.frombuffer(test_text, np.uint8))).mean())


if __name__ == "__main__":
    print(f"{bits_a_byte(lzma.decompress((HERE / 'train.txt.xz').read_bytes()), (HERE / 'test.txt').read_bytes()):.4f}")
