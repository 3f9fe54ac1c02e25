"""Adaptive precision search: the fewest bit operations whose perplexity stays within a tolerance (Anda, HPCA 2025).

    queue    the uniform tuples 4444 .. 13 13 13 13 to start with
    pop      the tuple with the fewest bit operations; of equal ones the lexicographically smallest
    skip     where the best so far has no more bit operations; that does not count as an evaluation
    accept   where perplexity <= (1 + tolerance) x that of FP16 activations: the new best, and its four neighbours with
             one bit less in one module join the queue
    stop     with an empty queue, or after so many evaluations

Bit operations of a token: 4 M a multiply-accumulate with M-bit mantissas and INT4 weights.

Where planes of weights are searched too, a tuple has four widths W after the four lengths, all planes stored to start
with; a neighbour may have one plane less, and a multiply-accumulate counts W M.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

Choice = tuple[int, ...]
"""Mantissa lengths of qkv, o, up and down; perhaps as many widths of weights after them."""
MODULES = 4
UNIFORM = range(4, 14)
SHORTEST = 1
WEIGHT_BITS = 4


@dataclass(frozen=True)
class BitOperations:
    """What a tuple costs.

    Attributes
    ----------
    macs
        Multiply-accumulates a token in the modules qkv, o, up and down.
    planes
        Of the weights that are stored, where how many are read is searched; 0: it is not.
    """

    macs: tuple[int, int, int, int]
    planes: int = 0

    def uniform(self, bits: int) -> Choice:
        """All modules at one mantissa length, weights whole."""
        return (bits,) * MODULES + (self.planes,) * (MODULES if self.planes else 0)

    def of(self, precision: Choice) -> int:
        """Bit operations a token."""
        widths = precision[MODULES:] or (WEIGHT_BITS,) * MODULES
        return sum(macs * bits * width for macs, bits, width in zip(self.macs, precision, widths, strict=False))

    def saving(self, precision: Choice) -> float:
        """How many times fewer than with FP16 activations and whole weights."""
        return self.of(self.uniform(16)) / self.of(precision)


@dataclass(frozen=True)
class Visit:
    """An evaluated tuple, the perplexity it was judged by, and whether it became the best."""

    precision: Choice
    bit_operations: int
    perplexity: float
    accepted: bool


def search(
    perplexity: Callable[[Choice], float],
    limit: float,
    cost: BitOperations,
    iterations: int = 32,
    shortest: int = SHORTEST,
) -> Iterator[Visit]:
    """Evaluate tuples in the order of the search, each as it is asked for.

    Parameters
    ----------
    limit
        Highest perplexity that is accepted.
    shortest
        Mantissa bits below which no neighbour goes.
    """
    queue = [(cost.of(uniform), uniform) for uniform in map(cost.uniform, UNIFORM)]
    heapq.heapify(queue)
    seen = {precision for _, precision in queue}
    best = cost.of(cost.uniform(17))
    evaluations = 0
    while queue and evaluations < iterations:
        operations, precision = heapq.heappop(queue)
        if operations >= best:
            continue
        evaluations += 1
        found = perplexity(precision)
        accepted = found <= limit
        yield Visit(precision, operations, found, accepted)
        if accepted:
            best = operations
            for neighbour in _neighbours(precision, shortest):
                if neighbour not in seen:
                    seen.add(neighbour)
                    heapq.heappush(queue, (cost.of(neighbour), neighbour))


def exhaustive(
    perplexity: Callable[[Choice], float], limit: float, cost: BitOperations, lengths: range
) -> Iterator[Visit]:
    """Evaluate the tuples of `lengths` by rising bit operations until one passes: that is the best of all."""
    tuples = product(lengths, lengths, lengths, lengths)
    for operations, precision in sorted((cost.of(precision), precision) for precision in tuples):
        found = perplexity(precision)
        yield Visit(precision, operations, found, found <= limit)
        if found <= limit:
            return


def best_of(visits: list[Visit]) -> Visit | None:
    """The accepted visit with the fewest bit operations: the last accepted one."""
    return next((visit for visit in reversed(visits) if visit.accepted), None)


def lengths(precision: Choice) -> str:
    """Mantissa lengths as `--precision` takes them; widths of weights after a cross."""
    parts = [precision[:MODULES], *([precision[MODULES:]] if len(precision) > MODULES else [])]
    return " x ".join(",".join(map(str, part)) for part in parts)


def _neighbours(precision: Choice, shortest: int) -> Iterator[Choice]:
    for module, bits in enumerate(precision):
        if bits > (shortest if module < MODULES else 1):
            yield tuple(each - (index == module) for index, each in enumerate(precision))
