"""Operations of the vector unit, counted from their formulas.

An add, multiply, multiply-accumulate, compare, exponential, tanh, division or reciprocal root is one operation.
Bytes are FP16 values that no GeMM beside the function moves: functions that act on a GeMM's outputs as these leave
(rotary, quantisation, activation) move none, a norm reads and writes the residual stream. The softmax is part of
attention (sim/mapping/attention.py).
"""

from __future__ import annotations

from sim.workload.gemm import QuantisedTokens, VectorWork

FP16_BYTES = 2

NORM_OPERATIONS = {
    # Operations a value, operations a row; both with the residual add before them.
    "rms": (1 + 3, 2),  # accumulate square, times root, times gain; mean, reciprocal root
    "layer": (1 + 5, 3),  # sum, subtract mean, accumulate square, times root, gain and bias; two means, reciprocal root
}
ACTIVATION_OPERATIONS = {
    "relu": 1,
    "silu": 3,  # x / (1 + exp(-x)): exponential, add, division
    "gelu": 6,  # u = x^2; u = c u + 1; u = u x (scale in tanh's argument); tanh; u = u / 2 + 1 / 2; u x
}
QUANTISE_OPERATIONS = 2  # maximum; times reciprocal, rounded
QUANTISE_HEAD_OPERATIONS = 2  # scale, reciprocal
ROTARY_OPERATIONS = 2  # x cos, then multiply-accumulate with the partner's sin


def norm(name: str, kind: str, rows: int, width: int, count: int, *, residual: bool = True) -> VectorWork:
    """Residual add and norm of [rows, width] values; without the add, of a GeMM's outputs, which move no bytes."""
    a_value, a_row = NORM_OPERATIONS[kind]
    traffic = FP16_BYTES * rows * width if residual else 0
    return VectorWork(name, "norm", rows * ((a_value - (not residual)) * width + a_row), traffic, traffic, count)


def rotary(rows: int, width: int, count: int) -> VectorWork:
    """Rotation of the queries and keys of [rows, width] values."""
    return VectorWork("attention.rotary", "rotary", ROTARY_OPERATIONS * rows * width, 0, 0, count)


def quantise(rows: int, heads: int, sizes: tuple[int, int], bits: int, count: int) -> VectorWork:
    """Keys and values of `rows` tokens as integers, each head under a scale a token; `sizes` of a head of both."""
    operations = rows * heads * (QUANTISE_OPERATIONS * sum(sizes) + QUANTISE_HEAD_OPERATIONS * len(sizes))
    same = sizes[0] == sizes[1]
    quantised = tuple(QuantisedTokens((1 + same) * rows * heads, size, bits) for size in dict.fromkeys(sizes))
    return VectorWork("attention.quantise", "quantise", operations, 0, 0, count, quantised)


def activation(name: str, kind: str, gated: bool, rows: int, width: int, count: int) -> VectorWork:
    """Activation function of [rows, width] values, and the product with the up projection where gated."""
    return VectorWork(name, "activation", (ACTIVATION_OPERATIONS[kind] + gated) * rows * width, 0, 0, count)


def combine(rows: int, width: int, experts: int, count: int) -> VectorWork:
    """Weighted sum of the outputs [rows, width] of `experts` experts a token."""
    values = rows * width
    return VectorWork(
        "mlp.combine", "other", experts * values, FP16_BYTES * experts * values, FP16_BYTES * values, count
    )
