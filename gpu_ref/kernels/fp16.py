"""The FP16 baseline: the vendor's library (cuBLAS through CuPy) on dequantised weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpu_ref.kernel import Case, Kernel, require_multiple
from gpu_ref.kernels.w4a16 import random_weights
from gpu_ref.program import Array, Filled, Launch, Matmul, Module, Result, Shape


def product_case(rng: np.random.Generator, shape: Shape, w: NDArray[np.float16], weights: dict[str, Array]) -> Case:
    """Random FP16 activations over FP16 weights (columns, depth), which `weights` holds in a kernel's layout."""
    a = rng.standard_normal((shape.tokens, shape.depth)).astype(np.float16)
    left, right = a.astype(np.float64), w.astype(np.float64).T
    # Half a unit of the output's FP16, and as much again for the order of the library's FP32 sums.
    return Case("random", {"a": a, **weights}, left @ right, np.abs(left) @ np.abs(right), 2.0**-10)


@dataclass(frozen=True)
class Fp16(Kernel):
    """C FP16 = A FP16 * W FP16, weights as (columns, depth)."""

    source: ClassVar[str] = "fp16"
    operand = "f16"
    instruction: ClassVar[str] = "cuBLAS"
    streamed: ClassVar[tuple[str, ...]] = ("w",)

    @property
    def modules(self) -> tuple[Module, ...]:
        return ()

    def refuse(self, shape: Shape) -> None:
        require_multiple(self.source, shape.columns, 1, "columns")
        require_multiple(self.source, shape.depth, 1, "depth")

    def cases(self, rng: np.random.Generator, shape: Shape) -> Iterator[Case]:
        w = random_weights(rng, shape).dequantise_fp16()
        yield product_case(rng, shape, w, {"w": w})

    def filled(self, shape: Shape) -> dict[str, Filled]:
        return {
            "a": Filled((shape.tokens, shape.depth), "f2", "normal"),
            "w": Filled((shape.columns, shape.depth), "f2", "normal"),
        }

    def results(self, shape: Shape) -> dict[str, Result]:
        return {"c": Result((shape.tokens, shape.columns), "f2")}

    def launches(self, shape: Shape) -> tuple[Launch | Matmul, ...]:
        return (Matmul("a", "w", "c"),)
