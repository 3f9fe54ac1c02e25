"""The time of a GeMM on a card: outputs [m, n] of activations [m, k], all weights read from DRAM.

m        only where it was measured: kernels change between two values of m
n and k  log-log between measured neighbours, so that times multiply with their weights

Refused: m that was not measured, n or k below 1,024 or above 65,536, and shapes without four measured corners around
them, each pair at most fourfold apart.
"""

from __future__ import annotations

from functools import cache
from math import log

from gpu_ref.reference.estimate import WIDEST_GAP, Estimate, OutsideTableError, beside, between, error_bars
from gpu_ref.reference.tables import GemmTable, gemm_tables, types_of

SMALLEST, LARGEST = 1024, 65536

Shape = tuple[int, int]


@cache
def gemm_estimate(card: str, kind: str, m: int, n: int, k: int) -> Estimate:
    """Seconds of one GeMM of type `kind` (BF16, W4A16, FP8, NVFP4).

    Raises
    ------
    OutsideTableError
        Where neither measured nor between measured neighbours.
    """
    table = gemm_tables().get((card, kind))
    if table is None:
        raise OutsideTableError(f"{kind} was not measured on {card}, only {', '.join(types_of(card))}")
    seconds, is_measured = interpolated(table, m, n, k)
    return Estimate(seconds, error_bars()[card][kind], is_measured)


def interpolated(table: GemmTable, m: int, n: int, k: int) -> tuple[float, bool]:
    """Seconds, and whether they were measured at exactly this shape."""
    if m not in table.seconds:
        near = beside(m, sorted(table.seconds))
        raise OutsideTableError(f"{m:,} tokens were not measured with {table.type.name}; nearest: {near}")
    for name, value in (("n", n), ("k", k)):
        if not SMALLEST <= value <= LARGEST:
            raise OutsideTableError(f"{name} = {value:,} is outside {SMALLEST:,} to {LARGEST:,}")
    times = table.seconds[m]
    if (n, k) in times:
        return times[n, k], True
    corners = _corners(times, n, k)
    if corners is None:
        raise OutsideTableError(f"no measured neighbours around n x k = {n:,} x {k:,} within fourfold")
    (low_n, high_n), (low_k, high_k) = corners
    at_low_k, at_high_k = (
        between(n, (low_n, times[low_n, depth]), (high_n, times[high_n, depth])) for depth in (low_k, high_k)
    )
    return between(k, (low_k, at_low_k), (high_k, at_high_k)), False


def _corners(times: dict[Shape, float], n: int, k: int) -> tuple[Shape, Shape] | None:
    """The closest measured n and k around a shape whose four combinations were all measured."""
    widths = {
        (ns, ks): log(ns[1] / ns[0]) + log(ks[1] / ks[0])
        for ns in _around(n, sorted({shape[0] for shape in times}))
        for ks in _around(k, sorted({shape[1] for shape in times}))
    }
    for ns, ks in sorted(widths, key=lambda pair: (widths[pair], pair)):
        if all((one, other) in times for one in ns for other in ks):
            return ns, ks
    return None


def _around(value: int, known: list[int]) -> list[Shape]:
    """Pairs of known values around one, at most fourfold apart; a known value also stands for itself."""
    own = [(value, value)] if value in known else []
    return own + [
        (low, high)
        for low in known
        for high in known
        if SMALLEST <= low < value < high <= LARGEST and high <= WIDEST_GAP * low
    ]
