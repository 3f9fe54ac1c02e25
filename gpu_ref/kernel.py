"""What every kernel states about itself, and how its results are judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np

from gpu_ref.program import Array, Filled, GemmShape, KernelModule, Launch, Matmul, OutputArray, Program
from sim.errors import InputError

Output = Literal["float32", "float16"]
Operand = Literal["f16", "s8", "e4m3", "b1"]


@dataclass(frozen=True, eq=False)
class KernelCase:
    """Inputs of a kernel, packed, and what its golden model makes of them.

    Attributes
    ----------
    model
        Computes the result, when it is asked for.
    magnitude
        What differences are divided by, an output each, such as |A| |W|; None: equal bit for bit.
    limit
        The largest error: outputs that differ, or |difference| / magnitude.
    """

    label: str
    buffers: Mapping[str, Array]
    model: Callable[[], Array]
    magnitude: Array | None = None
    limit: float = 0.0

    @cached_property
    def expected(self) -> Array:
        """The golden result."""
        return self.model()

    def error(self, result: Array) -> float:
        """How far a result is off; infinite where an output was never written."""
        if self.magnitude is None:
            bits = f"u{self.expected.itemsize}"
            return float(np.count_nonzero(result.view(bits) != self.expected.view(bits)))
        if not np.isfinite(result).all():
            return float("inf")
        return float(np.max(np.abs(result.astype(np.float64) - self.expected) / self.magnitude))


@dataclass(frozen=True)
class Kernel(ABC):
    """A kernel with its compile-time choices.

    Class attributes: the source file; the least architecture, or the only one (Hopper's warpgroup products); the Tensor
    Core's operand type, where that instruction is native, and the name by which the compiler's output shows it.
    """

    source: ClassVar[str]
    least: ClassVar[int] = 80
    only: ClassVar[str | None] = None
    operand: ClassVar[Operand]
    native_on: ClassVar[frozenset[int]] = frozenset({80, 86, 89, 90, 100, 120})
    instruction: ClassVar[str]

    @property
    def label(self) -> str:
        """Name in tables: the kernel and what it multiplies, without its tiling."""
        return self.source

    @property
    def configuration(self) -> str:
        """Compile-time choices and splits as one line."""
        product = str(self.modules[0]) if self.modules else self.source
        splits = getattr(self, "splits", 1)
        return f"{product} splits={splits}" if splits > 1 else product

    @property
    def passes(self) -> int:
        """Tensor Core products for one multiplication of the GeMM."""
        return 1

    def contract_instructions(self, shape: GemmShape) -> float:
        """Warp instructions that the numeric contract asks for beside the products, however they are programmed."""
        return 0.0

    def runs_on(self, architecture: str) -> bool:
        """Whether the kernel exists on `architecture`, such as sm_90a."""
        number = int(architecture.removeprefix("sm_").rstrip("a"))
        return architecture == self.only if self.only else number >= self.least

    def is_native(self, architecture: str) -> bool:
        """Whether the instruction is one of the hardware's, not a sequence made by the compiler."""
        return int(architecture.removeprefix("sm_").rstrip("a")) in self.native_on

    @property
    @abstractmethod
    def modules(self) -> tuple[KernelModule, ...]:
        """What has to be compiled, the product's module first."""

    @abstractmethod
    def refuse(self, shape: GemmShape) -> None:
        """Raise an InputError for a shape that the kernel cannot take."""

    @abstractmethod
    def cases(self, rng: np.random.Generator, shape: GemmShape) -> Iterator[KernelCase]:
        """Fresh random inputs with their golden results."""

    @abstractmethod
    def filled(self, shape: GemmShape) -> dict[str, Filled]:
        """Buffers for timing, made by the device."""

    @abstractmethod
    def launches(self, shape: GemmShape) -> tuple[Launch | Matmul, ...]:
        """The launches of one GeMM."""

    @abstractmethod
    def results(self, shape: GemmShape) -> dict[str, OutputArray]:
        """What the launches write: `c`, and workspaces."""

    streamed: ClassVar[tuple[str, ...]] = ()

    def program(self, shape: GemmShape, buffers: Mapping[str, Array | Filled]) -> Program:
        """One GeMM over given buffers."""
        self.refuse(shape)
        return Program(self.launches(shape), buffers, self.results(shape), self.streamed)

    def timed(self, shape: GemmShape) -> Program:
        """One GeMM over buffers that the device fills."""
        self.refuse(shape)
        return self.program(shape, self.filled(shape))

    def bytes_moved(self, shape: GemmShape) -> int:
        """The fewest bytes through device memory: every input once, every output once."""
        return sum(item.nbytes for item in self.filled(shape).values()) + self.results(shape)["c"].nbytes


def require_multiple(kernel: str, value: int, of: int, axis: str) -> None:
    """Refuse a size that a kernel cannot cut into whole tiles."""
    if value <= 0 or value % of:
        raise InputError(f"{kernel} cannot take {value}", field=axis, facts={"needed": f"a multiple of {of}"})


def partial_sums(splits: int, shape: GemmShape, dtype: str) -> OutputArray:
    """The workspace of blocks that split K; one element where they do not."""
    return OutputArray((splits, shape.tokens, shape.columns) if splits > 1 else (1,), dtype)


def finish(
    splits: int, shape: GemmShape, sums: Literal["f32", "s32"], output: Output = "float32"
) -> tuple[Launch, ...]:
    """The launch that adds partial sums, where there are any."""
    if splits == 1:
        return ()
    blocks = -(-shape.tokens * shape.columns // 256)
    arguments = ("partial", "c", shape.tokens, shape.columns, splits)
    return (Launch(finish_module(output), f"finish_{sums}", (blocks, 1, 1), 256, arguments),)


def finish_module(output: Output) -> KernelModule:
    return KernelModule("finish", (("OUTPUT_F16", int(output == "float16")),))
