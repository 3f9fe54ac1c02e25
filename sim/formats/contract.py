"""The numeric contract: every bit of every output, for the simulator, the RTL and the GPU kernel alike.

Groups g = 0, 1, ... in order; fl is binary32 to nearest even; nothing is fused. For an output of a token and a column:

gemm    d_g = sum_k mantissa_k w_k        exact integer, w = code - zero    (Anda, FIGNA)
        t_g = fl(fl(d_g) fl(E_g s_g))     E_g = 2^(exponent - 15 - (M - 1)), s_g the scale of the weights' group
        t_g = fl(FP16(d_g E_g) s_g)       instead, where the conversion is to FP16
ifpu    as gemm, d_g from planes of +1 and -1
fp_int  t_g = fl(fl(d_g) s_g)             d_g = sum_k a_k w_k over FP16 a_k, exact, rounded once
fp_fp   t_k = a_k FP16(w_k s)             one term a k, exact in binary32
int8    d_s = sum_k a_k w_k               int32, over all k under one scale of the weights, whatever the digits
        t_s = fl(fl(d_s) s_s)             a_k the token's integers (sim/formats/token_integer.py)
        output = FP16(fl(acc s))          s the token's scale
digits  a weight of more than 4 bits counts as digits w_i 2^i (sim/formats/integer.py): d_g and t_g of each digit,
        low ones first, with s_g 2^i in place of s_g; not so for fp_fp and int8
all     acc = fl(acc + t), from +0;       output = FP16(acc) but for int8; overflow to Inf

Products of a group are taken in float64, where every partial sum is exact in whatever order: at most 128 terms below
2^16 2^4, or for fp_int 2^40 2^4 in units of 2^-24. No term is a subnormal of binary32: all are multiples of 2^-53.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats import binary_code, fp16, groups
from sim.formats.block_float import BlockFloat
from sim.formats.integer import IntegerTensor

Conversion = Literal["fp32", "fp16"]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Product:
    """Outputs of a GeMM, (tokens, columns).

    Attributes
    ----------
    accumulators : float32
        As the last term left them.
    outputs : float16
        The accumulators rounded to nearest even.
    overflows
        Outputs that are not finite: beyond FP16, or made so by a group's conversion to FP16.
    """

    accumulators: Float32
    outputs: NDArray[np.float16]
    overflows: int


def gemm(activations: BlockFloat, weights: IntegerTensor, conversion: Conversion = "fp32") -> Product:
    """Multiply aligned activations (tokens, K) by weights (columns, K), group by group: Anda and FIGNA.

    Raises
    ------
    InputError
        Where the lengths differ, or a group of weights is no multiple of the activations' group.
    """
    matched = _matched(weights, activations.length, activations.group_size)
    mantissas = activations.integers().astype(np.float64)
    digits = [(shift, digit.integers().astype(np.float64)) for shift, digit in matched.slices()]
    dots = ((g, shift, mantissas[:, g] @ part[:, g].T) for g in range(mantissas.shape[1]) for shift, part in digits)
    return _in_order(_terms(dots, activations, matched, conversion), (activations.shape[0], weights.shape[0]))


def ifpu(activations: BlockFloat, weights: IntegerTensor, conversion: Conversion = "fp32") -> Product:
    """The same as `gemm`, its integers formed from the weights' binary code."""
    matched = _matched(weights, activations.length, activations.group_size)
    mantissas = activations.integers().astype(np.float64)
    digits = [
        (shift, binary_code.signs(digit).astype(np.float64), binary_code.doubled_corrections(digit))
        for shift, digit in matched.slices()
    ]
    dots = (
        (g, shift, binary_code.dot(mantissas[:, g], planes[:, :, g], corrections[:, g]))
        for g in range(mantissas.shape[1])
        for shift, planes, corrections in digits
    )
    return _in_order(_terms(dots, activations, matched, conversion), (activations.shape[0], weights.shape[0]))


def fp_int(activations: NDArray[np.float16], weights: IntegerTensor, group_size: int = 64) -> Product:
    """Multiply FP16 activations (tokens, K), `group_size` terms at once; raises like `gemm`, and for Inf or NaN."""
    fp16.check(activations, "activations")
    groups.check_size(group_size)
    matched = _matched(weights, activations.shape[-1], group_size)
    values = groups.split(activations.astype(np.float64), group_size)
    digits = [(np.float32(1 << shift), digit.integers().astype(np.float64)) for shift, digit in matched.slices()]
    scales = matched.scales.astype(np.float32)
    terms = (
        (values[:, g] @ part[:, g].T).astype(np.float32) * (scales[:, g] * unit)
        for g in range(values.shape[1])
        for unit, part in digits
    )
    return _in_order(terms, (activations.shape[0], weights.shape[0]))


def fp_fp(activations: NDArray[np.float16], weights: IntegerTensor) -> Product:
    """Multiply FP16 activations (tokens, K) by weights rounded to FP16, one k at a time.

    Raises
    ------
    InputError
        Where the lengths differ, and for Inf or NaN in activations or dequantised weights.
    """
    fp16.check(activations, "activations")
    _check_lengths(weights, activations.shape[-1])
    values, halves = activations.astype(np.float32), weights.dequantise_fp16().astype(np.float32)
    terms = (values[:, k, np.newaxis] * halves[:, k] for k in range(values.shape[1]))
    return _in_order(terms, (activations.shape[0], weights.shape[0]))


def _check_lengths(weights: IntegerTensor, length: int) -> None:
    if weights.length != length:
        facts = {"activations": f"K = {length}", "weights": f"K = {weights.length}"}
        raise InputError("activations and weights differ in length", field="K", facts=facts)


def _matched(weights: IntegerTensor, length: int, group_size: int) -> IntegerTensor:
    _check_lengths(weights, length)
    return weights.regrouped(group_size)


def _terms(
    dots: Iterable[tuple[int, int, Float64]], activations: BlockFloat, weights: IntegerTensor, conversion: Conversion
) -> Iterator[Float32]:
    """t_g of every group and digit, (tokens, columns), from exact d_g, each with its group and the digit's shift."""
    units = np.ldexp(1.0, activations.unit_exponents).astype(np.float32)
    scales = weights.scales.astype(np.float32)
    for g, shift, dot in dots:
        unit, scale = units[:, g, np.newaxis], scales[:, g] * np.float32(1 << shift)
        if conversion == "fp32":
            yield dot.astype(np.float32) * (unit * scale)
        else:
            halves = (dot * unit).astype(np.float16)
            yield halves.astype(np.float32) * scale


def _in_order(terms: Iterable[Float32], shape: tuple[int, int]) -> Product:
    accumulators = np.zeros(shape, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for term in terms:
            accumulators += term
        outputs = accumulators.astype(np.float16)
    return Product(accumulators, outputs, int(np.count_nonzero(~np.isfinite(outputs))))
