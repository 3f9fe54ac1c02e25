"""The FP16 baseline: the vendor's library (cuBLAS through CuPy) on dequantised weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpu_ref.kernel import Kernel, KernelCase, require_multiple
from gpu_ref.kernels.w4a16 import random_weights
from gpu_ref.program import Array, Filled, GemmShape, KernelModule, Launch, Matmul, OutputArray


def product_case(
    rng: np.random.Generator, shape: GemmShape, w: NDArray[np.float16], weights: dict[str, Array]
) -> KernelCase:
    """Random FP16 activations over FP16 weights (columns, depth), which `weights` holds in a kernel's layout."""
    a = rng.standard_normal((shape.tokens, shape.depth)).astype(np.float16)
    left, right = a.astype(np.float64), w.astype(np.float64).T
    # Half a unit of the output's FP16, and as much again for the order of the library's FP32 sums.
    return KernelCase("random", {"a": a, **weights}, lambda: left @ right, np.abs(left) @ np.abs(right), 2.0**-10)


@dataclass(frozen=True)
class Fp16(Kernel):
    """C FP16 = A FP16 * W FP16, weights as (columns, depth)."""

    source: ClassVar[str] = "fp16"
    operand = "f16"
    instruction: ClassVar[str] = "cuBLAS"
    streamed: ClassVar[tuple[str, ...]] = ("w",)

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        return ()

    def refuse(self, shape: GemmShape) -> None:
        require_multiple(self.source, shape.columns, 1, "columns")
        require_multiple(self.source, shape.depth, 1, "depth")

    def cases(self, rng: np.random.Generator, shape: GemmShape) -> Iterator[KernelCase]:
        w = random_weights(rng, shape).dequantise_fp16()
        yield product_case(rng, shape, w, {"w": w})

    def filled(self, shape: GemmShape) -> dict[str, Filled]:
        return {
            "a": Filled((shape.tokens, shape.depth), "f2", "normal"),
            "w": Filled((shape.columns, shape.depth), "f2", "normal"),
        }

    def results(self, shape: GemmShape) -> dict[str, OutputArray]:
        return {"c": OutputArray((shape.tokens, shape.columns), "f2")}

    def launches(self, shape: GemmShape) -> tuple[Launch | Matmul, ...]:
        return (Matmul("a", "w", "c"),)
