"""Adaptive precision search: the fewest bit operations whose perplexity stays within a tolerance (Anda, HPCA 2025).

    queue    the uniform tuples 4444 .. 13 13 13 13 to start with
    pop      the tuple with the fewest bit operations; of equal ones the lexicographically smallest
    skip     where the best so far has no more bit operations; that does not count as an evaluation
    accept   where perplexity <= (1 + tolerance) x that of FP16 activations: the new best, and its four neighbours with
             one bit less in one module join the queue
    stop     with an empty queue, or after so many evaluations

Bit operations of a token: 4 M a multiply-accumulate with M-bit mantissas and INT4 weights.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from sim.workload.precision import Precision

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
    """

    macs: tuple[int, int, int, int]

    def of(self, precision: Precision) -> int:
        """Bit operations a token."""
        return WEIGHT_BITS * sum(macs * bits for macs, bits in zip(self.macs, precision, strict=True))

    def saving(self, precision: Precision) -> float:
        """How many times fewer than with FP16 activations."""
        return self.of((16, 16, 16, 16)) / self.of(precision)


@dataclass(frozen=True)
class Visit:
    """An evaluated tuple, the perplexity it was judged by, and whether it became the best."""

    precision: Precision
    bit_operations: int
    perplexity: float
    accepted: bool


def search(
    perplexity: Callable[[Precision], float],
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
    queue = [(cost.of(uniform), uniform) for uniform in ((bits,) * 4 for bits in UNIFORM)]
    heapq.heapify(queue)
    seen = {precision for _, precision in queue}
    best = cost.of((17, 17, 17, 17))
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
    perplexity: Callable[[Precision], float], limit: float, cost: BitOperations, lengths: range
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


def lengths(precision: Precision) -> str:
    """As `--precision` takes it."""
    return ",".join(map(str, precision))


def _neighbours(precision: Precision, shortest: int) -> Iterator[Precision]:
    for module, bits in enumerate(precision):
        if bits > shortest:
            qkv, o, up, down = (each - (index == module) for index, each in enumerate(precision))
            yield qkv, o, up, down
