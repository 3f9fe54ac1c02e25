"""The contract's products at the speed of BLAS: exact sums of a group by a matrix product, the rest fused.

gemm, ifpu  terms a = mantissa E, exact in binary32; sums d E of a group exact up to |d| = 2^24, else in float64
    fp_int      terms a, sums exact in float64
    all three   acc = fl(acc + fl(fl(d E) s))      E is a power of two: fl(d E) s = fl(d) E s
    FP16        acc = fl(acc + fl(FP16(d E) s))    instead, for gemm and ifpu, where the conversion is to FP16
    digits      of wider weights one after the other, low ones first, s times what the digit is worth
    fp_fp       acc = fl(acc + a w), k by k
    int8        sums of all values under one scale of the weights, exact in float64; at last acc = fl(acc token's scale)

Nothing here is fused or reassociated: an exact sum has one value in any order, and the loops below round as written.
Blocks of columns are shared among threads, each with a buffer of ROWS x COLUMNS sums.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats import fp16, groups
from sim.formats.block_float import BlockFloat
from sim.formats.contract import Conversion
from sim.formats.integer import IntegerTensor
from sim.formats.token_integer import TokenIntegers
from sim.formats.weight import WeightTensor

ROWS, COLUMNS = 256, 512
UNROLLED = 8
EXACT = 1 << 24
Float32 = NDArray[np.float32]
Half = NDArray[np.float16]


@dataclass(frozen=True)
class Aligned:
    """Activations aligned to `mantissa_bits` in groups: Anda, FIGNA, iFPU."""

    mantissa_bits: int
    group_size: int
    conversion: Conversion = "fp32"

    def multiply(self, activations: Half, weights: WeightTensor) -> Float32:
        """Accumulators (tokens, columns) of FP16 activations (tokens, K) and weights (columns, K).

        Raises
        ------
        InputError
            For weights that are no integers under a scale.
        """
        aligned = BlockFloat.align(activations, self.mantissa_bits, self.group_size)
        matched = _integers(weights).regrouped(self.group_size)
        # No partial sum of a group, in whatever order, exceeds its sum of mantissas times the largest weight.
        mantissas = int(aligned.mantissas.sum(axis=-1, dtype=np.int64).max(initial=0))
        largest = max(_largest(digit) for _, digit in matched.slices())
        dtype = np.float32 if mantissas * largest <= EXACT else np.float64
        units = np.ldexp(dtype(1), aligned.unit_exponents)[..., np.newaxis]
        return _grouped(np.multiply(aligned.integers(), units, dtype=dtype), matched, self.conversion)


@dataclass(frozen=True)
class Exact:
    """FP16 activations, `group_size` terms summed exactly and rounded once: FP-INT."""

    group_size: int

    def multiply(self, activations: Half, weights: WeightTensor) -> Float32:
        """As `Aligned.multiply`."""
        fp16.check(activations, "activations")
        values = groups.split(activations.astype(np.float64), self.group_size)
        return _grouped(values, _integers(weights).regrouped(self.group_size))


@dataclass(frozen=True)
class Integers:
    """Activations of `bits` with a scale a token, sums of all values under one scale of the weights: integer PEs."""

    bits: int

    def multiply(self, activations: Half, weights: WeightTensor) -> Float32:
        """As `Aligned.multiply`; the activations are quantised first."""
        tokens, own = TokenIntegers.quantise(activations, self.bits), _integers(weights)
        values = groups.split(tokens.codes.astype(np.float64), own.group_size)
        accumulators = np.zeros((len(values), own.shape[0]), np.float32)
        scales, loops = np.ascontiguousarray(own.scales.T.astype(np.float32)), _loops()

        def block(columns: slice) -> None:
            integers, sums = own.rows(columns).integers(), np.zeros_like(accumulators[:, columns])
            for g in range(values.shape[1]):
                loops.fold(sums, values[:, g] @ integers[:, g].T.astype(np.float64), scales[g, columns])
            accumulators[:, columns] = sums

        _share(block, own.shape[0])
        return accumulators * tokens.scales.astype(np.float32)[:, np.newaxis]


@dataclass(frozen=True)
class Sequential:
    """FP16 activations and weights, one term at a time: FP-FP."""

    def multiply(self, activations: Half, weights: WeightTensor) -> Float32:
        """As `Aligned.multiply`."""
        fp16.check(activations, "activations")
        padding = [(0, 0), (0, -activations.shape[1] % UNROLLED)]
        values = np.pad(activations.astype(np.float32), padding)
        accumulators = np.empty((len(values), weights.shape[0]), np.float32)
        loops = _loops()

        def block(columns: slice) -> None:
            halves = weights.rows(columns).dequantise_fp16().astype(np.float32)
            transposed = np.ascontiguousarray(np.pad(halves, padding).T)
            for first in range(0, len(values), ROWS):
                rows = slice(first, min(first + ROWS, len(values)))
                own = np.zeros((rows.stop - first, len(halves)), np.float32)
                loops.chain(own, values[rows], transposed)
                accumulators[rows, columns] = own

        _share(block, weights.shape[0])
        return accumulators


def _grouped(values: NDArray[Any], weights: IntegerTensor, conversion: Conversion = "fp32") -> Float32:
    """Accumulators of values (tokens, groups, group_size) whose products' sums are exact in their type."""
    tokens, count, group_size = values.shape
    accumulators = np.empty((tokens, weights.shape[0]), np.float32)
    scales = np.ascontiguousarray(weights.scales.T.astype(np.float32))
    loops, slices = _loops(), weights.slices()

    def block(columns: slice) -> None:
        digits = [(np.float32(1 << shift), digit.rows(columns)) for shift, digit in slices]
        integers = np.empty((len(digits[0][1].codes), group_size), values.dtype)
        for first in range(0, tokens, ROWS):
            rows = slice(first, min(first + ROWS, tokens))
            own = np.zeros((rows.stop - first, len(integers)), np.float32)
            sums = np.empty(own.shape, values.dtype)
            for g in range(count):
                for unit, digit in digits:
                    loops.widen(digit.codes[:, g], digit.zeros[:, g], integers)
                    np.matmul(values[rows, g], integers.T, out=sums)
                    if conversion == "fp16":
                        with np.errstate(over="ignore"):
                            sums[...] = sums.astype(np.float16)
                    loops.fold(own, sums, scales[g, columns] * unit)
            accumulators[rows, columns] = own

    _share(block, weights.shape[0])
    return accumulators


def _integers(weights: WeightTensor) -> IntegerTensor:
    if isinstance(weights, IntegerTensor):
        return weights
    raise InputError("found others", field="weights", facts={"allowed": "integers under a scale"})


def _largest(weights: IntegerTensor) -> int:
    """The largest |code - zero| that these zeros allow."""
    return int(np.maximum(weights.zeros, weights.largest - weights.zeros).max(initial=0))


def _share(block: Callable[[slice], None], columns: int) -> None:
    """Call `block` on slices of at most COLUMNS columns, one thread a core; BLAS then needs none of its own."""
    from threadpoolctl import threadpool_limits

    slices = [slice(first, min(first + COLUMNS, columns)) for first in range(0, columns, COLUMNS)]
    if len(slices) == 1:
        block(slices[0])
        return
    threads = min(len(os.sched_getaffinity(0)), len(slices))
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        list(pool.map(block, slices))


@cache
def _loops() -> ModuleType:
    """The compiled loops; numba is imported, and they are compiled, at first use only."""
    return import_module("sim.functional.loops")
