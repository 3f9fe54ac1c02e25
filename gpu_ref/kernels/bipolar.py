"""Products of bipolar integers of 1 to 8 bits a side, exact.

value = sum_i (2 u_i - 1) 2^i = 2 u - (2^n - 1)        odd, from -(2^n - 1) to 2^n - 1
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gpu_ref.kernel import Kernel, KernelCase, partial_sums, require_multiple
from gpu_ref.layouts import bit_planes
from gpu_ref.program import Array, Filled, GemmShape, KernelModule, Launch, OutputArray
from sim.errors import InputError


def bipolar_values(codes: NDArray[np.uint8], bits: int) -> NDArray[np.int64]:
    """The odd integers that codes of n bits stand for, bit by bit."""
    return sum(((2 * (codes.astype(np.int64) >> i & 1) - 1) << i for i in range(bits)), np.zeros(codes.shape, np.int64))


@dataclass(frozen=True)
class Bipolar(Kernel):
    """1-bit planes, AND form."""

    bits_a: int = 4
    bits_b: int = 4
    splits: int = 1

    source: ClassVar[str] = "bipolar"
    operand = "b1"
    native_on = frozenset({80, 86, 89, 90})
    instruction: ClassVar[str] = "BMMA.168256.AND"
    streamed: ClassVar[tuple[str, ...]] = ("b", "code_sums_b")

    def __post_init__(self) -> None:
        for field, bits in (("bits_a", self.bits_a), ("bits_b", self.bits_b)):
            if not 1 <= bits <= 8:
                raise InputError(f"bipolar cannot take {bits}", field=field, facts={"allowed": "1..8"})

    @property
    def label(self) -> str:
        return f"{self.source} {self.bits_a}x{self.bits_b}"

    @property
    def passes(self) -> int:
        return self.bits_a * self.bits_b

    @property
    def modules(self) -> tuple[KernelModule, ...]:
        return (KernelModule(self.source, (("BITS_A", self.bits_a), ("BITS_B", self.bits_b))),)

    def refuse(self, shape: GemmShape) -> None:
        require_multiple(self.source, shape.columns, 1, "columns")
        require_multiple(self.source, shape.depth, 128, "depth")
        longest = (2**31 - 1) // ((2**self.bits_a - 1) * (2**self.bits_b - 1))
        if shape.depth > longest:
            facts = {"allowed": f"up to {longest}: sums stay within 32 bits"}
            raise InputError(f"{self.label} cannot take {shape.depth}", field="depth", facts=facts)

    def cases(self, rng: np.random.Generator, shape: GemmShape) -> Iterator[KernelCase]:
        a = rng.integers(0, 1 << self.bits_a, (shape.tokens, shape.depth), np.uint8)
        b = rng.integers(0, 1 << self.bits_b, (shape.columns, shape.depth), np.uint8)
        # In float64, exact below 2^53 and much faster than NumPy's integers.
        values = (bipolar_values(a, self.bits_a), bipolar_values(b, self.bits_b).T)
        left, right = self._operand("a", a, self.bits_a), self._operand("b", b, self.bits_b)
        yield KernelCase(
            "random", {**left, **right}, lambda: (values[0].astype(float) @ values[1].astype(float)).astype(np.int32)
        )

    @staticmethod
    def _operand(name: str, codes: NDArray[np.uint8], bits: int) -> dict[str, Array]:
        return {name: bit_planes.pack(codes, bits), f"code_sums_{name}": codes.sum(axis=1, dtype=np.int32)}

    def filled(self, shape: GemmShape) -> dict[str, Filled]:
        words = shape.depth // 32
        return {
            "a": Filled((self.bits_a, shape.tokens, words), "u4", "bits"),
            "b": Filled((self.bits_b, shape.columns, words), "u4", "bits"),
            "code_sums_a": Filled((shape.tokens,), "i4", "bits"),
            "code_sums_b": Filled((shape.columns,), "i4", "bits"),
        }

    def results(self, shape: GemmShape) -> dict[str, OutputArray]:
        return {
            "c": OutputArray((shape.tokens, shape.columns), "i4"),
            "partial": partial_sums(self.splits, shape, "i4"),
        }

    def launches(self, shape: GemmShape) -> tuple[Launch, ...]:
        module, sizes = self.modules[0], (shape.tokens, shape.columns, shape.depth)
        grid = (-(-shape.columns // 32), -(-shape.tokens // 16), self.splits)
        shared = 2 * (self.bits_a * 16 + self.bits_b * 32) * 128
        sums = ("code_sums_a", "code_sums_b")
        product = Launch(module, "bipolar", grid, 128, ("a", "b", *sums, "c", "partial", *sizes), shared)
        if self.splits == 1:
            return (product,)
        blocks = (-(-shape.tokens * shape.columns // 256), 1, 1)
        return (product, Launch(module, "finish_bipolar", blocks, 256, (*sums, "partial", "c", *sizes, self.splits)))
