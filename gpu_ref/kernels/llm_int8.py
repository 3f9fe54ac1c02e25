"""LLM.int8(): vector-wise INT8, outlier columns of X in FP16; the golden model repeats every rounding of the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpu_ref.kernel import Kernel, KernelCase, Output, partial_sums, require_multiple
from gpu_ref.program import Array, Filled, GemmShape, KernelModule, Launch, OutputArray

THRESHOLD = 6.0
Float32 = NDArray[np.float32]


def quantise_columns(weights: Float32) -> tuple[NDArray[np.int8], Float32]:
    """Weights (columns, depth) to INT8, each output column by its largest magnitude; offline."""
    scales = np.abs(weights).max(axis=1) / np.float32(127)
    return np.rint(weights / scales[:, np.newaxis]).astype(np.int8), scales


def golden(x: NDArray[np.float16], weights: NDArray[np.int8], column_scales: Float32) -> Float32:
    """What llm_int8.cu states, in FP32, operation by operation."""
    values = x.astype(np.float32)
    outlier = (np.abs(values) >= THRESHOLD).any(axis=0)
    rest = np.where(outlier, np.float32(0), values)
    largest = np.abs(rest).max(axis=1)
    factor = np.divide(np.float32(127), largest, out=np.zeros_like(largest), where=largest > 0)
    codes = np.rint(rest * factor[:, np.newaxis])
    sums = codes.astype(np.float64) @ weights.T.astype(np.float64)  # exact integers, faster than as integers
    c: Float32 = sums.astype(np.float32) * ((largest / np.float32(127))[:, np.newaxis] * column_scales)
    for k in np.flatnonzero(outlier):
        weight = (weights[:, k].astype(np.float32) * column_scales).astype(np.float16).astype(np.float32)
        c = c + values[:, k, np.newaxis] * weight
    return c


@dataclass(frozen=True)
class LlmInt8(Kernel):
    """Find and list the outliers, quantise the rows, multiply."""

    tokens: int = 16
    stages: int = 4
    splits: int = 1
    output: Output = "float32"

    source: ClassVar[str] = "llm_int8"
    operand = "s8"
    instruction: ClassVar[str] = "IMMA.16832"
    streamed: ClassVar[tuple[str, ...]] = ("weights",)

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        tiling = (("TOKENS", self.tokens), ("STAGES", self.stages), ("OUTPUT_F16", int(self.output == "float16")))
        return (KernelModule(self.source, tiling),)

    def refuse(self, shape: GemmShape) -> None:
        require_multiple(self.source, shape.columns, 1, "columns")
        require_multiple(self.source, shape.depth, 16, "depth")

    def cases(self, rng: np.random.Generator, shape: GemmShape) -> Iterator[KernelCase]:
        weights, scales = quantise_columns(rng.standard_normal((shape.columns, shape.depth)).astype(np.float32))
        for label, outliers in (("no outliers", 0), ("outliers", max(2, shape.depth // 100))):
            x = np.clip(rng.standard_normal((shape.tokens, shape.depth)), -5, 5)
            x[rng.integers(0, shape.tokens, outliers), rng.integers(0, shape.depth, outliers)] = THRESHOLD
            half = x.astype(np.float16)
            buffers: dict[str, Array] = {"x": half, "weights": weights, "column_scales": scales}
            yield KernelCase(label, buffers, partial(self._golden, half, weights, scales))

    def _golden(self, x: NDArray[np.float16], weights: NDArray[np.int8], column_scales: Float32) -> Array:
        return golden(x, weights, column_scales).astype(self.output)

    def filled(self, shape: GemmShape) -> dict[str, Filled]:
        return {
            "x": Filled((shape.tokens, shape.depth), "f2", "outliers"),
            "weights": Filled((shape.columns, shape.depth), "u1", "bytes"),
            "column_scales": Filled((shape.columns,), "f4", "normal"),
        }

    def results(self, shape: GemmShape) -> dict[str, OutputArray]:
        return {
            "c": OutputArray((shape.tokens, shape.columns), self.output),
            "partial": partial_sums(self.splits, shape, "i4"),
            "outlier": OutputArray((shape.depth,), "u1"),
            "list": OutputArray((1 + shape.depth,), "i4"),
            "codes": OutputArray((shape.tokens, shape.depth), "u1"),
            "row_scales": OutputArray((shape.tokens,), "f4"),
        }

    def launches(self, shape: GemmShape) -> tuple[Launch, ...]:
        module, sizes = self.modules[0], (shape.tokens, shape.columns, shape.depth)
        scales = ("row_scales", "column_scales", "list")
        grid = (-(-shape.columns // 128), -(-shape.tokens // self.tokens), self.splits)
        shared = self.stages * (self.tokens + 128) * 128
        product = ("x", "codes", "weights", *scales, "c", "partial", *sizes)
        columns = (-(-shape.depth // 128), 1, 1)
        rows = ("x", "outlier", "codes", "row_scales", shape.depth)
        steps = (
            Launch(module, "find_outliers", columns, 128, ("x", "outlier", shape.tokens, shape.depth)),
            Launch(module, "list_outliers", (1, 1, 1), 128, ("outlier", "list", shape.depth), 128 * 4),
            Launch(module, "quantise_rows", (shape.tokens, 1, 1), 128, rows, 4 * 4),
            Launch(module, "llm_int8", grid, 128, product, shared),
        )
        if self.splits == 1:
            return steps
        blocks = (-(-shape.tokens * shape.columns // 256), 1, 1)
        last = ("x", "weights", *scales, "partial", "c", *sizes, self.splits)
        return (*steps, Launch(module, "finish_llm_int8", blocks, 256, last))
