"""W4A16 by way of FP16 weights in memory: dequantise, then the vendor's product; what a large batch pays for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gpu_ref.kernel import Kernel, KernelCase, require_multiple
from gpu_ref.kernels.fp16 import product_case
from gpu_ref.kernels.w4a16 import W4a16, pack_fragments, random_weights
from gpu_ref.program import Filled, GemmShape, KernelModule, Launch, Matmul, OutputArray


@dataclass(frozen=True)
class Dequantised(Kernel):
    """Two launches: weights to FP16, FP16 product."""

    source: ClassVar[str] = "dequantise"
    operand = "f16"
    instruction: ClassVar[str] = "cuBLAS"
    streamed: ClassVar[tuple[str, ...]] = ("codes", "scales", "zeros")

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        return (KernelModule(self.source),)

    def refuse(self, shape: GemmShape) -> None:
        require_multiple(self.source, shape.columns, 64, "columns")
        require_multiple(self.source, shape.depth, 128, "depth")

    def cases(self, rng: np.random.Generator, shape: GemmShape) -> Iterator[KernelCase]:
        weights = random_weights(rng, shape)
        yield product_case(rng, shape, weights.dequantise_fp16(), pack_fragments(weights))

    def filled(self, shape: GemmShape) -> dict[str, Filled]:
        return W4a16().filled(shape)

    def results(self, shape: GemmShape) -> dict[str, OutputArray]:
        return {
            "c": OutputArray((shape.tokens, shape.columns), "f2"),
            "w": OutputArray((shape.columns, shape.depth), "f2"),
        }

    def launches(self, shape: GemmShape) -> tuple[Launch | Matmul, ...]:
        grid = (shape.columns // 64, shape.depth // 64, 1)
        arguments = ("codes", "scales", "zeros", "w", shape.columns, shape.depth)
        return (Launch(self.modules[0], "dequantise_weights", grid, 128, arguments), Matmul("a", "w", "c"))
