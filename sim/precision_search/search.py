"""Adaptive precision search: the fewest bit operations whose perplexity stays within a tolerance (Anda, HPCA 2025).

    queue    the uniform tuples 4444 .. 13 13 13 13 to start with
    pop      the tuple with the fewest bit operations; of equal ones the lexicographically smallest
    skip     where the best so far has no more bit operations; that does not count as an evaluation
    accept   where perplexity <= (1 + tolerance) x that of FP16 activations: the new best, and its four neighbours with
             one bit less in one module join the queue
    stop     with an empty queue, or after so many evaluations

Bit operations of a token: 4 M a multiply-accumulate with M-bit mantissas and INT4 weights.

Where planes of weights are searched too, a tuple has four widths W after the four lengths, all planes stored to start
with; a neighbour may have one plane less, and a multiply-accumulate counts W M. Where attention is a machine's, a tuple
ends with the lengths of queries and of the softmax's weights, whose multiply-accumulates count as many bits as keys and
values are kept with.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from sim.workload.attention_precision import AttentionLengths
from sim.workload.precision_rules import Precision, four

Choice = tuple[int, ...]
"""Mantissa lengths of qkv, o, up and down; perhaps as many widths of weights after them; perhaps two of attention."""
MODULES = 4
ATTENTION = 2
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
    attention
        Multiply-accumulates a token of scores and context, where their lengths are searched.
    cache_bits
        Of a key or value there.
    """

    macs: tuple[int, int, int, int]
    planes: int = 0
    attention: tuple[int, int] | None = None
    cache_bits: int = 0

    def uniform(self, bits: int) -> Choice:
        """All modules at one mantissa length, weights whole."""
        planes = (self.planes,) * (MODULES if self.planes else 0)
        return (bits,) * MODULES + planes + (bits,) * (ATTENTION if self.attention else 0)

    def of(self, precision: Choice) -> int:
        """Bit operations a token."""
        lengths, widths, attention = parts(precision)
        of_modules = zip(self.macs, lengths, widths or (WEIGHT_BITS,) * MODULES, strict=True)
        own = zip(self.attention or (), attention or (), strict=True)
        return sum(macs * bits * width for macs, bits, width in of_modules) + sum(
            macs * bits * self.cache_bits for macs, bits in own
        )

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


def parts(precision: Choice) -> tuple[Precision, Precision | None, AttentionLengths | None]:
    """Mantissa lengths of the modules, widths of weights, and lengths of attention; None: not of this tuple."""
    widths = four(precision[MODULES : 2 * MODULES]) if len(precision) >= 2 * MODULES else None
    own = (precision[-2], precision[-1]) if len(precision) % MODULES else None
    return four(precision[:MODULES]), widths, own


def lengths(precision: Choice) -> str:
    """Mantissa lengths as `--precision` takes them; widths of weights after a cross, attention's after a plus."""
    own, widths, attention = (part and ",".join(map(str, part)) for part in parts(precision))
    return f"{own}" + (f" x {widths}" if widths else "") + (f" + {attention}" if attention else "")


def _neighbours(precision: Choice, shortest: int) -> Iterator[Choice]:
    _, widths, _ = parts(precision)
    planes = range(MODULES, 2 * MODULES if widths else MODULES)
    for place, bits in enumerate(precision):
        if bits > (1 if place in planes else shortest):
            yield tuple(each - (index == place) for index, each in enumerate(precision))
