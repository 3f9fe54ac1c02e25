"""Anda from encoded planes or from FP16, by warp or warpgroup products; equal to sim.formats.contract bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpu_ref.kernel import Kernel, KernelCase, Output, require_multiple
from gpu_ref.kernels.w4a16 import random_weights
from gpu_ref.layouts import s4_fragments
from gpu_ref.program import Array, Filled, GemmShape, KernelModule, Launch, OutputArray
from sim.errors import InputError
from sim.formats import contract
from sim.formats.anda import AndaTensor
from sim.formats.int4 import Int4Tensor

_WARP_BYTES = 2 * 1024 + 64 + 16  # codes, scales and zeros of 128 x 32 weights


def spread_activations(rng: np.random.Generator, shape: GemmShape) -> NDArray[np.float16]:
    """FP16 values of differing exponents, zeros of both signs among them; the first token's are subnormal."""
    values = rng.standard_normal((shape.tokens, shape.depth)) * np.exp2(
        rng.integers(-12, 4, (shape.tokens, shape.depth))
    )
    values[0] *= 2.0**-16
    values[rng.random(values.shape) < 0.05] = 0.0
    return np.where(rng.random(values.shape) < 0.5, -values, values).astype(np.float16)


@dataclass(frozen=True)
class Anda(Kernel):
    """From encoded planes, warp products."""

    mantissa_bits: int = 8
    zero_points: bool = False
    tokens: int = 16
    warps_n: int = 1
    warps_k: int = 4
    stages: int = 3
    output: Output = "float32"

    source: ClassVar[str] = "anda"
    operand = "s8"
    instruction: ClassVar[str] = "IMMA.16832"
    streamed: ClassVar[tuple[str, ...]] = ("codes", "scales", "zeros")

    def __post_init__(self) -> None:
        longest = 14 if self.zero_points else 15
        if not 1 <= self.mantissa_bits <= longest:
            facts = {"allowed": f"1..{longest}: a group's sum stays below 2^24, exact in FP32"}
            raise InputError(f"{self.source} cannot take {self.mantissa_bits}", field="mantissa_bits", facts=facts)

    @property
    def label(self) -> str:
        return f"{self.source} M={self.mantissa_bits}{' z' if self.zero_points else ''}"

    @property
    def passes(self) -> int:
        return 1 if self.mantissa_bits <= 7 else 2

    def contract_instructions(self, shape: GemmShape) -> float:
        """An output and group: d E as FP32, from one sum or two, times s, added up."""
        each = self.passes + 2
        return each * shape.tokens * shape.columns * (shape.depth // 64) / 32

    @property
    def format_defines(self) -> dict[str, int]:
        numbers = {"MANTISSA_BITS": self.mantissa_bits, "ZERO_POINTS": int(self.zero_points)}
        return {**numbers, "OUTPUT_F16": int(self.output == "float16")}

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        tiling = {"TOKENS": self.tokens, "WARPS_N": self.warps_n, "WARPS_K": self.warps_k, "STAGES": self.stages}
        return (KernelModule(self.source, tuple({**self.format_defines, **tiling}.items())),)

    def raw_bytes(self, groups: int) -> int:
        """Activations of a stage, as kStageBytes in anda_activations.cuh."""
        return self.tokens * ((1 + self.mantissa_bits) * groups // 2 | 1) * 16

    @property
    def shared_bytes(self) -> int:
        """As Arena in anda_product.cuh."""
        groups = 2 * self.warps_k
        stage = _round_up(self.raw_bytes(groups) + self.warps_n * self.warps_k * _WARP_BYTES, 128)
        terms = groups * self.tokens * (32 * self.warps_n + 8) * 4 if self.warps_k > 1 else 0
        return groups * self.tokens * (128 + 4) + self.stages * stage + terms

    def refuse(self, shape: GemmShape) -> None:
        require_multiple(self.source, shape.columns, 32 * self.warps_n, "columns")
        require_multiple(self.source, shape.depth, 128, "depth")

    def cases(self, rng: np.random.Generator, shape: GemmShape) -> Iterator[KernelCase]:
        weights = random_weights(rng, shape, "zero-point" if self.zero_points else "symmetric")
        yield self.case(spread_activations(rng, shape), weights)

    def case(self, values: NDArray[np.float16], weights: Int4Tensor) -> KernelCase:
        """Given tensors, (tokens, depth) and (columns, depth), with what the contract makes of them."""
        encoded = AndaTensor.encode(values, self.mantissa_bits)
        packed = s4_fragments.pack(weights, self.zero_points)
        buffers: dict[str, Array] = {"codes": packed.codes, "scales": packed.scales, "zeros": packed.zeros}

        def model() -> Array:
            product = contract.gemm(encoded, weights)
            return product.accumulators if self.output == "float32" else product.outputs

        return KernelCase("contract", {**self.activations(values, encoded), **buffers}, model)

    def activations(self, values: NDArray[np.float16], encoded: AndaTensor) -> dict[str, Array]:
        """The buffers that hold A."""
        return {"rows": np.ascontiguousarray(encoded.planes()), "exponents": encoded.exponents}

    def filled_activations(self, shape: GemmShape) -> dict[str, Filled]:
        groups = shape.depth // 64
        return {
            "rows": Filled((shape.tokens, groups, 1 + self.mantissa_bits), "u8", "bits"),
            "exponents": Filled((shape.tokens, groups), "u1", "exponents"),
        }

    def filled(self, shape: GemmShape) -> dict[str, Filled]:
        groups, tiles = shape.depth // 64, shape.columns // 32
        return {
            **self.filled_activations(shape),
            "codes": Filled((groups, tiles, 2, 32, 4), "u4", "bits"),
            "scales": Filled((groups // 2, shape.columns), "u2", "scales"),
            "zeros": Filled((groups // 2, tiles, 8), "u2", "bits"),
        }

    def results(self, shape: GemmShape) -> dict[str, OutputArray]:
        return {"c": OutputArray((shape.tokens, shape.columns), self.output)}

    @property
    def block(self) -> tuple[int, int]:
        """Columns and threads of a block."""
        return 32 * self.warps_n, 32 * self.warps_n * self.warps_k

    def launches(self, shape: GemmShape) -> tuple[Launch, ...]:
        columns, threads = self.block
        grid = (shape.columns // columns, -(-shape.tokens // self.tokens), 1)
        sizes = (shape.tokens, shape.columns, shape.depth)
        arguments: tuple[str | int, ...] = (*self.filled_activations(shape), "codes", "scales", "zeros", "c", *sizes)
        return (Launch(self.modules[0], self.source, grid, threads, arguments, self.shared_bytes),)


@dataclass(frozen=True)
class AndaFp16(Anda):
    """From FP16, encoded by every block."""

    source: ClassVar[str] = "anda_fp16"

    def raw_bytes(self, groups: int) -> int:
        return self.tokens * groups * 128

    def activations(self, values: NDArray[np.float16], encoded: AndaTensor) -> dict[str, Array]:
        return {"values": values}

    def filled_activations(self, shape: GemmShape) -> dict[str, Filled]:
        return {"values": Filled((shape.tokens, shape.depth), "f2", "normal")}


@dataclass(frozen=True)
class AndaWgmma(Anda):
    """From encoded planes, warpgroup products: two warpgroups of 64 columns."""

    tokens: int = 64
    warps_n: int = 4
    warps_k: int = 1

    source: ClassVar[str] = "anda_wgmma"
    only: ClassVar[str | None] = "sm_90a"
    native_on = frozenset({90})
    instruction: ClassVar[str] = "IGMMA"

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        tiling = {"TOKENS": self.tokens, "STAGES": self.stages}
        return (KernelModule(self.source, tuple({**self.format_defines, **tiling}.items())),)

    @property
    def shared_bytes(self) -> int:
        """As in anda_wgmma.cuh: tiles, units and stages, or the outputs that are laid over them at the end."""
        stage = _round_up(self.raw_bytes(2) + 4 * _WARP_BYTES, 128)
        work = 2 * (_round_up(self.tokens * 128, 1024) + self.tokens * 4) + self.stages * stage
        return max(work, self.tokens * (128 + 4) * 4)

    @property
    def block(self) -> tuple[int, int]:
        return 128, 256


@dataclass(frozen=True)
class AndaFp16Wgmma(AndaWgmma):
    """From FP16, warpgroup products."""

    source: ClassVar[str] = "anda_fp16_wgmma"

    raw_bytes = AndaFp16.raw_bytes
    activations = AndaFp16.activations
    filled_activations = AndaFp16.filled_activations


def _round_up(value: int, to: int) -> int:
    return -(-value // to) * to
