"""What a kernel does to memory, apart from where it runs: on a card, or on a CPU under g++.

Program = launches over named buffers
          buffers   arrays, or how a device is to fill them where only time matters
          results   poisoned with NaN before every run
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Fill = Literal["bits", "normal", "scales", "bytes", "e4m3", "exponents", "outliers"]


@dataclass(frozen=True)
class GemmShape:
    """C[tokens, columns] = A[tokens, depth] W[depth, columns]."""

    tokens: int
    columns: int
    depth: int

    @property
    def operations(self) -> int:
        """Multiplications and additions."""
        return 2 * self.tokens * self.columns * self.depth

    def __str__(self) -> str:
        return f"{self.tokens} x {self.columns} x {self.depth}"


@dataclass(frozen=True)
class KernelModule:
    """A source file of gpu_ref/kernels and the constants it is compiled with."""

    source: str
    defines: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        return " ".join([self.source, *(f"{name}={value}" for name, value in self.defines)])


@dataclass(frozen=True)
class Launch:
    """One kernel launch; a text argument is the name of a buffer, an integer is itself."""

    module: KernelModule
    function: str
    grid: tuple[int, int, int]
    threads: int
    arguments: tuple[str | int, ...]
    shared_bytes: int = 0


@dataclass(frozen=True)
class Matmul:
    """FP16 product by the vendor's library: result = left @ right.T, FP32 sums."""

    left: str
    right: str
    result: str


@dataclass(frozen=True)
class CopyBuffer:
    """A copy within device memory."""

    source: str
    result: str


@dataclass(frozen=True)
class Filled:
    """An array that a device makes by itself: random content of a kind that is valid for its kernel."""

    shape: tuple[int, ...]
    dtype: str
    fill: Fill

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class OutputArray:
    """An array that a program writes."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def poisoned(self) -> Array:
        """All bits set: NaN in every floating format, -1 in integers."""
        return np.full(self.nbytes, 0xFF, np.uint8).view(self.dtype).reshape(self.shape)


@dataclass(frozen=True)
class Program:
    """Launches in order, the buffers they name, and which of these are streamed from memory (weights)."""

    launches: tuple[Launch | Matmul | CopyBuffer, ...]
    buffers: Mapping[str, Array | Filled]
    results: Mapping[str, OutputArray]
    streamed: tuple[str, ...] = ()
    output: str = "c"

    @property
    def streamed_bytes(self) -> int:
        return sum(self.buffers[name].nbytes for name in self.streamed)

    @property
    def memory_bytes(self) -> int:
        """Device memory that one copy of everything takes."""
        return sum(item.nbytes for item in (*self.buffers.values(), *self.results.values()))

    def arrays(self) -> dict[str, Array]:
        """The buffers, where all of them are at hand."""
        filled = [name for name, item in self.buffers.items() if isinstance(item, Filled)]
        if filled:
            raise ValueError(f"only a device fills {', '.join(filled)}")
        return {name: item for name, item in self.buffers.items() if isinstance(item, np.ndarray)}
