"""Operations of vector functions, counted by running their formulas on numbers that count."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest

from sim.workload import vector
from sim.workload.attention import CACHES
from sim.workload.gemm import FusedAttention, RowBlocks
from sim.workload.load import load_workload


class Lane:
    """Arithmetic that counts: one an operation."""

    def __init__(self) -> None:
        self.operations = 0

    def __call__(self, function: Callable[..., float], *values: float) -> float:
        self.operations += 1
        return function(*values)


def add(a: float, b: float) -> float:
    return a + b


def subtract(a: float, b: float) -> float:
    return a - b


def multiply(a: float, b: float) -> float:
    return a * b


def divide(a: float, b: float) -> float:
    return a / b


def multiply_add(a: float, b: float, c: float) -> float:
    return a * b + c


def reciprocal_root(a: float) -> float:
    return 1 / math.sqrt(a + 1e-5)


def rms_norm(lane: Lane, values: Sequence[float]) -> list[float]:
    values = [lane(add, value, 0.5) for value in values]  # the residual
    square = 0.0
    for value in values:
        square = lane(multiply_add, value, value, square)
    root = lane(reciprocal_root, lane(multiply, square, 1 / len(values)))
    return [lane(multiply, lane(multiply, value, root), 1.25) for value in values]


def layer_norm(lane: Lane, values: Sequence[float]) -> list[float]:
    values = [lane(add, value, 0.5) for value in values]
    total = 0.0
    for value in values:
        total = lane(add, total, value)
    mean = lane(multiply, total, 1 / len(values))
    values = [lane(subtract, value, mean) for value in values]
    square = 0.0
    for value in values:
        square = lane(multiply_add, value, value, square)
    root = lane(reciprocal_root, lane(multiply, square, 1 / len(values)))
    return [lane(multiply_add, lane(multiply, value, root), 1.25, 0.75) for value in values]


def softmax(lane: Lane, values: Sequence[float]) -> list[float]:
    largest = -math.inf
    for value in values:
        largest = lane(max, largest, value)
    values = [lane(math.exp, lane(multiply_add, 0.125, value, -0.125 * largest)) for value in values]
    total = 0.0
    for value in values:
        total = lane(add, total, value)
    reciprocal = lane(divide, 1, total)
    return [lane(multiply, value, reciprocal) for value in values]


def relu(lane: Lane, x: float) -> float:
    return lane(max, x, 0.0)


def silu(lane: Lane, x: float) -> float:
    return lane(divide, x, lane(add, 1, lane(math.exp, -x)))


def gelu(lane: Lane, x: float) -> float:
    root = math.sqrt(2 / math.pi)
    u = lane(multiply, x, x)
    u = lane(multiply_add, root * 0.044715, u, root)
    u = lane(math.tanh, lane(multiply, u, x))
    return lane(multiply, lane(multiply_add, u, 0.5, 0.5), x)


VALUES = [0.3, -1.7, 2.2, 0.9, -0.4]


@pytest.mark.parametrize(("kind", "function"), [("rms", rms_norm), ("layer", layer_norm)])
def test_norm_operations(kind: str, function: Callable[[Lane, Sequence[float]], list[float]]) -> None:
    lane = Lane()
    result = function(lane, VALUES)
    assert vector.norm("n", kind, 3, len(VALUES), 1).operations == 3 * lane.operations
    unscaled = [(value - (0.75 if kind == "layer" else 0)) / 1.25 for value in result]
    assert sum(value * value for value in unscaled) / len(VALUES) == pytest.approx(1, rel=1e-4)


def test_softmax_operations() -> None:
    lane = Lane()
    assert sum(softmax(lane, VALUES)) == pytest.approx(1)
    keys = len(VALUES)
    attention = FusedAttention("a", (RowBlocks(3, keys, 1),), 1, 64, 64, CACHES["int8"])
    # In place of each weight's product with the reciprocal, which the outputs get, it gets that with its V's scale.
    assert attention.operations - attention.macs == 3 * (lane.operations - 1)


@pytest.mark.parametrize(
    ("kind", "function", "exact"),
    [
        ("relu", relu, lambda x: max(x, 0)),
        ("silu", silu, lambda x: x / (1 + math.exp(-x))),
        ("gelu", gelu, lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2),
    ],
)
def test_activation_operations(
    kind: str, function: Callable[[Lane, float], float], exact: Callable[[float], float]
) -> None:
    lane = Lane()
    for value in VALUES:
        # tanh's GELU is an approximation good to three decimals.
        assert function(lane, value) == pytest.approx(exact(value), abs=1e-3)
    assert vector.activation("a", kind, False, 1, len(VALUES), 1).operations == lane.operations
    # The product with the up projection is one more.
    assert vector.activation("a", kind, True, 1, len(VALUES), 1).operations == lane.operations + len(VALUES)


def test_a_rotation_is_two_operations_a_value() -> None:
    lane = Lane()
    for x, partner in ((0.3, -1.7), (-1.7, 0.3)):
        lane(multiply_add, partner, 0.6, lane(multiply, x, 0.8))
    assert vector.rotary(1, 2, 1).operations == lane.operations


def test_combining_two_experts_is_a_weighted_sum() -> None:
    lane = Lane()
    for first, second in zip(VALUES, reversed(VALUES), strict=True):
        lane(multiply_add, 0.3, second, lane(multiply, 0.7, first))
    work = vector.combine(1, len(VALUES), experts=2, count=1)
    # In: a value of each expert; out: their sum; two bytes each.
    assert (work.operations, work.read_bytes, work.write_bytes) == (lane.operations, 2 * 2 * 5, 2 * 5)


def test_only_functions_between_gemms_move_bytes() -> None:
    moved = 2 * 3 * 5  # FP16, rows, values
    work = vector.norm("n", "rms", 3, 5, 1)
    assert (work.read_bytes, work.write_bytes) == (moved, moved)
    for work in (
        vector.rotary(3, 5, 1),
        vector.quantise(3, 1, (5, 5), 8, 1),
        vector.activation("a", "silu", True, 3, 5, 1),
    ):
        assert (work.read_bytes, work.write_bytes) == (0, 0)


def test_a_token_of_llama_does_every_function_once_a_layer() -> None:
    workload = load_workload("llama3-8b", phase="decode", context=10, scope="all")
    (phase,) = workload.phases
    counts = {item.name: (item.module, item.count) for item in phase.items if item.module in ("norm", "activation")}
    assert counts == {
        "attention.norm": ("norm", 32),
        "mlp.norm": ("norm", 32),
        "mlp.activation": ("activation", 32),
        "head.norm": ("norm", 1),
    }
    (rotary,) = (item for item in phase.items if item.module == "rotary")
    assert rotary == vector.rotary(1, (32 + 8) * 128, 32)
