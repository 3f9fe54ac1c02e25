"""INT8 and FP8 (E4M3) products, and their golden models.

INT8 sums are exact. FP8 sums differ from float64 by at most one truncation of the accumulator a product of 32 (Hopper
keeps 13 bits beside the largest term), so by (depth / 32) 2^-13 of |A| |B|.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpu_ref.kernel import Kernel, KernelCase, Operand, Output, finish, finish_module, partial_sums, require_multiple
from gpu_ref.program import Filled, GemmShape, KernelModule, Launch, OutputArray


def e4m3_values(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Values of E4M3 codes: bias 7, no infinities, NaN where the seven lower bits are set."""
    exponent, fraction = (codes >> 3 & 15).astype(np.int32), (codes & 7).astype(np.float64)
    magnitude = np.where(exponent > 0, np.ldexp(8 + fraction, exponent - 10), np.ldexp(fraction, -9))
    magnitude[codes & 127 == 127] = np.nan
    return np.where(codes >> 7, -magnitude, magnitude)


@dataclass(frozen=True)
class Int8(Kernel):
    """C s32 = A s8 * B s8."""

    tokens: int = 16
    stages: int = 4
    splits: int = 1

    source: ClassVar[str] = "int8"
    operand: ClassVar[Operand] = "s8"
    instruction: ClassVar[str] = "IMMA.16832"
    streamed: ClassVar[tuple[str, ...]] = ("b",)

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        return (KernelModule(self.source, (("TOKENS", self.tokens), ("STAGES", self.stages))), finish_module("float32"))

    @property
    def shared_bytes(self) -> int:
        return self.stages * (self.tokens + 128) * 128

    def refuse(self, shape: GemmShape) -> None:
        require_multiple(self.source, shape.columns, 1, "columns")
        require_multiple(self.source, shape.depth, 16, "depth")

    def cases(self, rng: np.random.Generator, shape: GemmShape) -> Iterator[KernelCase]:
        a = rng.integers(-128, 128, (shape.tokens, shape.depth), np.int8)
        b = rng.integers(-128, 128, (shape.columns, shape.depth), np.int8)
        # In float64, exact below 2^53 and much faster than NumPy's integers.
        yield KernelCase("random", {"a": a, "b": b}, lambda: (a.astype(float) @ b.T.astype(float)).astype(np.int32))

    def filled(self, shape: GemmShape) -> dict[str, Filled]:
        return {
            "a": Filled((shape.tokens, shape.depth), "u1", "bytes"),
            "b": Filled((shape.columns, shape.depth), "u1", "bytes"),
        }

    def results(self, shape: GemmShape) -> dict[str, OutputArray]:
        return {
            "c": OutputArray((shape.tokens, shape.columns), "i4"),
            "partial": partial_sums(self.splits, shape, "i4"),
        }

    def launches(self, shape: GemmShape) -> tuple[Launch, ...]:
        return (self.product(shape, 128), *finish(self.splits, shape, "s32"))

    def product(self, shape: GemmShape, threads: int) -> Launch:
        grid = (-(-shape.columns // 128), -(-shape.tokens // self.tokens), self.splits)
        arguments = ("a", "b", "c", "partial", shape.tokens, shape.columns, shape.depth)
        return Launch(self.modules[0], self.source, grid, threads, arguments, self.shared_bytes)


@dataclass(frozen=True)
class Fp8(Int8):
    """C = A E4M3 * B E4M3 by warp products."""

    output: Output = "float32"

    source: ClassVar[str] = "fp8"
    least: ClassVar[int] = 89
    operand: ClassVar[Operand] = "e4m3"
    native_on = frozenset({89, 120})
    instruction: ClassVar[str] = "QMMA.16832"

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        tiling = (("TOKENS", self.tokens), ("STAGES", self.stages), ("OUTPUT_F16", int(self.output == "float16")))
        return (KernelModule(self.source, tiling), finish_module(self.output))

    def cases(self, rng: np.random.Generator, shape: GemmShape) -> Iterator[KernelCase]:
        a, b = (self._codes(rng, rows, shape.depth) for rows in (shape.tokens, shape.columns))
        left, right = e4m3_values(a), e4m3_values(b).T
        limit = shape.depth / 32 * 2.0**-13
        yield KernelCase("random", {"a": a, "b": b}, lambda: left @ right, np.abs(left) @ np.abs(right), limit)

    @staticmethod
    def _codes(rng: np.random.Generator, rows: int, depth: int) -> NDArray[np.uint8]:
        codes = rng.integers(0, 256, (rows, depth), np.uint8)
        return np.where(codes & 127 == 127, codes - 1, codes).astype(np.uint8)

    def filled(self, shape: GemmShape) -> dict[str, Filled]:
        return {
            "a": Filled((shape.tokens, shape.depth), "u1", "e4m3"),
            "b": Filled((shape.columns, shape.depth), "u1", "e4m3"),
        }

    def results(self, shape: GemmShape) -> dict[str, OutputArray]:
        return {
            "c": OutputArray((shape.tokens, shape.columns), self.output),
            "partial": partial_sums(self.splits, shape, "f4"),
        }

    def launches(self, shape: GemmShape) -> tuple[Launch, ...]:
        return (self.product(shape, 128), *finish(self.splits, shape, "f32", self.output))


@dataclass(frozen=True)
class Fp8Wgmma(Fp8):
    """C = A E4M3 * B E4M3 by warpgroup products."""

    tokens: int = 64

    source: ClassVar[str] = "fp8_wgmma"
    only: ClassVar[str | None] = "sm_90a"
    native_on = frozenset({90})
    instruction: ClassVar[str] = "QGMMA"

    @property
    def shared_bytes(self) -> int:
        return self.stages * (128 * 128 + -(-self.tokens * 128 // 1024) * 1024)

    def launches(self, shape: GemmShape) -> tuple[Launch, ...]:
        return (self.product(shape, 256), *finish(self.splits, shape, "f32", self.output))
