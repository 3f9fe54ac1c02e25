"""C = A FP16 * W INT4 in groups of 128: fragment order (mma, wgmma) and AWQ's way, and their golden model.

Weights are w = fl16((code - zero) * scale) in all of them. A one-hot row of A must return the row of w exactly. Of
random rows the sums run like random walks of deviation s, s^2 = A^2 W^2, and after every eight products (sixteen on
Hopper) a Tensor Core drops what lies below one unit in the last place of the running sum, 2^-23 of it (Fasi et al.
2021, "Numerical behavior of NVIDIA tensor cores"). So they differ from float64 by at most depth / 8 * 2^-23 * 4 s, as
4 s bounds a walk's mean distance. A weight in the wrong place, or a sum that passes through FP16, is far beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpu_ref.kernel import Kernel, KernelCase, Output, finish, finish_module, partial_sums, require_multiple
from gpu_ref.layouts import w4_awq, w4_fragments
from gpu_ref.program import Array, Filled, GemmShape, KernelModule, Launch, OutputArray
from sim.formats.int4 import Int4Tensor


def random_weights(rng: np.random.Generator, shape: GemmShape, scheme: str = "zero-point") -> Int4Tensor:
    """Random INT4 weights of shape (columns, depth) in groups of 128."""
    values = rng.standard_normal((shape.columns, shape.depth)).astype(np.float32)
    return Int4Tensor.quantise(values + (0.5 if scheme == "zero-point" else 0.0), scheme)  # type: ignore[arg-type]


def one_hot(rng: np.random.Generator, shape: GemmShape) -> tuple[NDArray[np.float16], NDArray[np.intp]]:
    """Rows with a single 1, and where it stands."""
    at = rng.integers(0, shape.depth, shape.tokens)
    rows = np.zeros((shape.tokens, shape.depth), np.float16)
    rows[np.arange(shape.tokens), at] = 1
    return rows, at


def w4_cases(
    rng: np.random.Generator, shape: GemmShape, output: Output, pack: Callable[[Int4Tensor], dict[str, Array]]
) -> Iterator[KernelCase]:
    """One-hot and random activations over random weights with zero points."""
    weights = random_weights(rng, shape)
    halves = weights.dequantise_fp16()
    rows, at = one_hot(rng, shape)
    picked = np.ascontiguousarray(halves[:, at].T.astype(output))
    yield KernelCase("one-hot", {"a": rows, **pack(weights)}, lambda: picked)
    a = rng.standard_normal((shape.tokens, shape.depth)).astype(np.float16)
    left, right = a.astype(np.float64), halves.astype(np.float64).T
    deviation, expected = np.sqrt(left**2 @ right**2), left @ right
    limit = shape.depth / 8 * 2.0**-23 * 4
    if output == "float16":  # and half a unit in the last place for the rounding of the output
        deviation = deviation + np.abs(expected) * 2.0**-11 / limit
    yield KernelCase("random", {"a": a, **pack(weights)}, lambda: expected, deviation, limit)


@dataclass(frozen=True)
class W4a16(Kernel):
    """Fragment order, warp products."""

    tokens: int = 16
    warps_n: int = 1
    warps_k: int = 4
    stages: int = 3
    splits: int = 1
    output: Output = "float32"

    source: ClassVar[str] = "w4a16"
    operand = "f16"
    instruction: ClassVar[str] = "HMMA.16816.F32"
    streamed: ClassVar[tuple[str, ...]] = ("codes", "scales", "zeros")

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        tiling = {"TOKENS": self.tokens, "WARPS_N": self.warps_n, "WARPS_K": self.warps_k, "STAGES": self.stages}
        product = KernelModule(self.source, (*tiling.items(), ("OUTPUT_F16", int(self.output == "float16"))))
        return (product, finish_module(self.output))

    @property
    def shared_bytes(self) -> int:
        """As in w4a16.cu: the stages, or the sums that are laid over them at the end."""
        warps = self.warps_n * self.warps_k
        stage = -(-(self.warps_k * self.tokens * 256 + warps * (4096 + 128 + 32)) // 1024) * 1024
        return max(self.stages * stage, self.warps_k * self.tokens * (64 * self.warps_n + 8) * 4)

    def refuse(self, shape: GemmShape) -> None:
        require_multiple(self.source, shape.columns, 64 * self.warps_n, "columns")
        require_multiple(self.source, shape.depth, 128, "depth")

    def cases(self, rng: np.random.Generator, shape: GemmShape) -> Iterator[KernelCase]:
        return w4_cases(rng, shape, self.output, pack_fragments)

    def filled(self, shape: GemmShape) -> dict[str, Filled]:
        groups, tiles = shape.depth // 128, shape.columns // 64
        return {
            "a": Filled((shape.tokens, shape.depth), "f2", "normal"),
            "codes": Filled((2 * groups, tiles, 4, 32, 4), "u4", "bits"),
            "scales": Filled((groups, tiles, 8, 8), "u2", "scales"),
            "zeros": Filled((groups, tiles, 8), "u4", "bits"),
        }

    def results(self, shape: GemmShape) -> dict[str, OutputArray]:
        partial = partial_sums(self.splits, shape, "f4")
        return {"c": OutputArray((shape.tokens, shape.columns), self.output), "partial": partial}

    def launches(self, shape: GemmShape) -> tuple[Launch, ...]:
        grid = (shape.columns // (64 * self.warps_n), -(-shape.tokens // self.tokens), self.splits)
        threads = 32 * self.warps_n * self.warps_k
        return self.product(shape, grid, threads, self.shared_bytes)

    def product(
        self, shape: GemmShape, grid: tuple[int, int, int], threads: int, shared_bytes: int
    ) -> tuple[Launch, ...]:
        sizes = (shape.tokens, shape.columns, shape.depth)
        arguments = ("a", "codes", "scales", "zeros", "c", "partial", *sizes)
        first = Launch(self.modules[0], self.source, grid, threads, arguments, shared_bytes)
        return (first, *finish(self.splits, shape, "f32", self.output))


@dataclass(frozen=True)
class W4a16Awq(W4a16):
    """AWQ's order, weights written back to shared memory; the warps are four side by side, one step at a time."""

    warps_n: int = 4
    warps_k: int = 1
    stages: int = 1

    source: ClassVar[str] = "w4a16_awq"

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        defines = (("TOKENS", self.tokens), ("OUTPUT_F16", int(self.output == "float16")))
        return (KernelModule(self.source, defines), finish_module(self.output))

    @property
    def shared_bytes(self) -> int:
        return self.tokens * 128 + 64 * (128 + 8) * 2

    def refuse(self, shape: GemmShape) -> None:
        require_multiple(self.source, shape.columns, 128, "columns")
        require_multiple(self.source, shape.depth, 128, "depth")

    def cases(self, rng: np.random.Generator, shape: GemmShape) -> Iterator[KernelCase]:
        return w4_cases(rng, shape, self.output, _pack_awq)

    def filled(self, shape: GemmShape) -> dict[str, Filled]:
        return {
            "a": Filled((shape.tokens, shape.depth), "f2", "normal"),
            "codes": Filled((shape.depth, shape.columns // 8), "u4", "bits"),
            "scales": Filled((shape.depth // 128, shape.columns), "u2", "scales"),
            "zeros": Filled((shape.depth // 128, shape.columns // 8), "u4", "bits"),
        }

    def launches(self, shape: GemmShape) -> tuple[Launch, ...]:
        grid = (shape.columns // 128, -(-shape.tokens // self.tokens), self.splits)
        return self.product(shape, grid, 128, self.shared_bytes)


@dataclass(frozen=True)
class W4a16Wgmma(W4a16):
    """Fragment order, warpgroup products: two warpgroups of 64 columns."""

    tokens: int = 64
    warps_n: int = 2
    warps_k: int = 1
    stages: int = 4

    source: ClassVar[str] = "w4a16_wgmma"
    only: ClassVar[str | None] = "sm_90a"
    native_on = frozenset({90})
    instruction: ClassVar[str] = "HGMMA"

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        tiling = (("TOKENS", self.tokens), ("STAGES", self.stages), ("OUTPUT_F16", int(self.output == "float16")))
        return (KernelModule(self.source, tiling), finish_module(self.output))

    @property
    def shared_bytes(self) -> int:
        tile = -(-self.tokens * 128 // 1024) * 1024
        stage = -(-(tile + 2 * (2048 + 128 + 32)) // 1024) * 1024
        return max(self.stages * stage, self.tokens * (128 + 4) * 4)

    def launches(self, shape: GemmShape) -> tuple[Launch, ...]:
        grid = (shape.columns // 128, -(-shape.tokens // self.tokens), self.splits)
        return self.product(shape, grid, 256, self.shared_bytes)


def pack_fragments(weights: Int4Tensor) -> dict[str, Array]:
    packed = w4_fragments.pack(weights)
    return {"codes": packed.codes, "scales": packed.scales, "zeros": packed.zeros}


def _pack_awq(weights: Int4Tensor) -> dict[str, Array]:
    packed = w4_awq.pack(weights)
    return {"codes": packed.codes, "scales": packed.scales, "zeros": packed.zeros}
