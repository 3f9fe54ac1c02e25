"""INT4 weights in groups, each with an FP16 scale and a 4-bit zero point.

    weight = (code - zero) * scale,  code and zero 0..15
    symmetric   zero = 8, scale = max |weight| / 7;  code ^ 8 is then the two's complement
    zero point  scale = (max - min) / 15 with 0 in between, zero = -min / scale
    quantise    scales to FP16, not below 2^-24 (so none is 0); codes and zeros to nearest, ties to even, then clipped
    memory      codes two a byte, the even one low; scales 16 bits, zeros two a byte: 4 + 20/128 bits a weight

The groups (of 128) lie along the last axis, K: a layer's weights have the shape (N, K), as torch's Linear keeps them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats import fp16, groups
from sim.formats.memory import check_size
from sim.formats.registry import FormatCard

GROUP_BITS = 16 + 4
Scheme = Literal["symmetric", "zero-point"]
_SMALLEST = np.float16(2.0**-24)


def bits_a_value(group_size: int = 128) -> Fraction:
    """Bits a weight, with its share of scale and zero point."""
    return 4 + Fraction(GROUP_BITS, group_size)


FORMAT = FormatCard("int4", "4-bit weights, FP16 scale and 4-bit zero point a group", lambda _: bits_a_value())


@dataclass(frozen=True)
class MemoryImage:
    """The bytes of a weight tensor, by part."""

    codes: bytes
    scales: bytes
    zeros: bytes


@dataclass(frozen=True, eq=False)
class Int4Tensor:
    """Weights of shape (..., length), the last axis held as (groups, group_size); after `length` code = zero.

    Attributes
    ----------
    codes : uint8, (..., groups, group_size)
    scales : float16, (..., groups)
    zeros : uint8, (..., groups)
    length
        Weights in the last axis, K.

    Raises
    ------
    InputError
        For codes or zeros above 15, scales that are not finite, groups that are no multiple of 16.
    ValueError
        For parts whose shapes do not belong together.
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float16]
    zeros: NDArray[np.uint8]
    length: int

    def __post_init__(self) -> None:
        groups.check(self.length, self.codes, self.scales, self.zeros)
        _check_group_size(self.group_size)
        fp16.refuse_nonfinite(self.scales, "scales")
        for name, nibbles in (("codes", self.codes), ("zeros", self.zeros)):
            if (nibbles > 15).any():
                raise InputError(f"found {nibbles.max()}", field=name, facts={"allowed": "0..15"})

    @classmethod
    def quantise(
        cls, weights: NDArray[np.floating[Any]], scheme: Scheme, group_size: int = 128, name: str = "weights"
    ) -> Self:
        """Quantise finite weights of shape (..., K), in binary64: no quotient of FP16 weights falls on the wrong side.

        Raises
        ------
        InputError
            For Inf or NaN, or weights whose scale exceeds FP16.
        """
        _check_group_size(group_size)
        fp16.refuse_nonfinite(weights, name)
        grouped = groups.split(weights.astype(np.float64), group_size)
        high, low = grouped.max(axis=-1, initial=0), grouped.min(axis=-1, initial=0)
        with np.errstate(over="ignore"):
            exact = np.maximum(high, -low) / 7 if scheme == "symmetric" else (high - low) / 15
            scales = np.maximum(exact.astype(np.float16), _SMALLEST)
        fp16.refuse_nonfinite(scales, f"scales of {name}")
        zeros = np.full(scales.shape, 8) if scheme == "symmetric" else np.clip(np.rint(-low / scales), 0, 15)
        codes = np.clip(np.rint(grouped / scales[..., np.newaxis]) + zeros[..., np.newaxis], 0, 15)
        return cls(codes.astype(np.uint8), scales, zeros.astype(np.uint8), weights.shape[-1])

    @property
    def group_size(self) -> int:
        return int(self.codes.shape[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        return *self.scales.shape[:-1], self.length

    @property
    def storage_bits(self) -> int:
        """Bits in memory, the filling of the last groups included."""
        return 4 * self.codes.size + GROUP_BITS * self.scales.size

    def integers(self) -> NDArray[np.int8]:
        """(..., groups, group_size): code - zero, -15..15; -8..7 where symmetric."""
        return self.codes.astype(np.int8) - self.zeros.astype(np.int8)[..., np.newaxis]

    def dequantise(self) -> NDArray[np.float32]:
        """The weights, exact: 4 bits by 11 fit binary32."""
        products = self.integers() * self.scales.astype(np.float32)[..., np.newaxis]
        return groups.join(products, self.length)

    def dequantise_fp16(self) -> NDArray[np.float16]:
        """The weights rounded to FP16, to nearest even; an InputError where one is beyond it."""
        with np.errstate(over="ignore"):
            halves = self.dequantise().astype(np.float16)
        fp16.refuse_nonfinite(halves, "dequantised weights")
        return halves

    def regrouped(self, group_size: int) -> Self:
        """The same weights in smaller groups, each with its scale and zero point; groups wholly after K fall away.

        Raises
        ------
        InputError
            Where `group_size` does not divide the groups there are.
        """
        if self.group_size % group_size:
            facts = {"weights": f"groups of {self.group_size}", "asked for": f"groups of {group_size}"}
            raise InputError("groups of weights cannot be cut into whole groups", field="group_size", facts=facts)
        parts, count = self.group_size // group_size, -(-self.length // group_size)
        rows = self.codes.shape[:-2]
        return type(self)(
            self.codes.reshape(*rows, self.codes.shape[-2] * parts, group_size)[..., :count, :],
            self.scales.repeat(parts, axis=-1)[..., :count],
            self.zeros.repeat(parts, axis=-1)[..., :count],
            self.length,
        )

    def rows(self, which: slice) -> Self:
        """The weights of some of the outputs: a slice of the first axis."""
        return type(self)(self.codes[which], self.scales[which], self.zeros[which], self.length)

    def memory_image(self) -> MemoryImage:
        """The bytes in memory."""
        return MemoryImage(_pairs(self.codes), self.scales.astype("<f2").tobytes(), _pairs(self.zeros))

    @classmethod
    def from_memory(cls, image: MemoryImage, shape: tuple[int, ...], group_size: int = 128) -> Self:
        """Undo `memory_image` for weights of `shape` (..., K).

        Raises
        ------
        InputError
            Where a part has not the bytes that such a tensor takes.
        """
        _check_group_size(group_size)
        *outer, length = shape
        grouped = (*outer, -(-length // group_size))
        count = math.prod(grouped)
        sizes = {"codes": count * group_size // 2, "scales": 2 * count, "zeros": -(-count // 2)}
        for part, needed in sizes.items():
            check_size(part, getattr(image, part), needed)
        return cls(
            _nibbles(image.codes)[: count * group_size].reshape(*grouped, group_size),
            np.frombuffer(image.scales, "<f2").astype(np.float16, copy=False).reshape(grouped),
            _nibbles(image.zeros)[:count].reshape(grouped),
            length,
        )


def _check_group_size(group_size: int) -> None:
    if group_size < 16 or group_size % 16:
        raise InputError(f"found {group_size}", field="weight group_size", facts={"allowed": "multiples of 16"})


def _pairs(nibbles: NDArray[np.uint8]) -> bytes:
    pairs = groups.split(nibbles.reshape(-1), 2)
    return (pairs[:, 0] | pairs[:, 1] << 4).tobytes()


def _nibbles(image: bytes) -> NDArray[np.uint8]:
    pairs = np.frombuffer(image, np.uint8)
    return np.stack([pairs & 15, pairs >> 4], axis=-1).reshape(-1)
