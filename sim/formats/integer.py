"""Integer weights of 1 to 8 bits in groups along K, each with an FP16 scale and a zero point or an FP16 minimum.

    weight = (code - zero) * scale,  code and zero 0 .. 2^bits - 1;  with a minimum code * scale + minimum
    symmetric   zero = 2^(bits - 1), scale = max |weight| / (2^(bits - 1) - 1), of 1 bit max |weight|
    zero point  scale = (max - min) / (2^bits - 1) with 0 in between, zero = -min / scale
    minimum     scale = (max - min) / (2^bits - 1), minimum = min
    quantise    scales to FP16, not below 2^-24 (so none is 0); codes and zeros to nearest, ties to even, then clipped
    memory      codes dense, the least significant bits of a byte first (of 4 bits two a byte, the even one low); so are
                zeros; scales and minimums 16 bits

    planes      of the most significant ones alone, a code is taken for the mean of what the others would tell

A multiplier that takes `width` bits takes wider weights digit by digit: code - zero = sum of (digit of code - digit of
zero) 2^shift, so each digit is a weight of its own, with a zero point of its own, under the scale times 2^shift.

The groups lie along the last axis, K: a layer's weights have the shape (N, K), as torch's Linear keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats import fp16, groups
from sim.formats.memory import check_size
from sim.formats.weight import Grouping

Scheme = Literal["symmetric", "zero-point", "minimum"]
_SMALLEST = np.float16(2.0**-24)


@dataclass(frozen=True)
class WeightImage:
    """The bytes of a weight tensor, by part."""

    codes: bytes
    scales: bytes
    zeros: bytes
    minimums: bytes = b""


@dataclass(frozen=True, eq=False)
class IntegerTensor:
    """Weights of shape (..., length), the last axis held as (groups, group_size); after `length` code = zero.

    Attributes
    ----------
    codes : uint8, (..., groups, group_size)
    scales : float16, (..., groups)
    zeros : uint8, (..., groups)
    length
        Weights in the last axis, K.
    bits
        Of a code, 1..8.
    minimums : float16, (..., groups)
        What is added to a group's weights; None: nothing. All zeros are 0 beside them.

    Raises
    ------
    InputError
        For codes or zeros of more bits, with the index of the first; scales, zeros or minimums of another count than
        there are groups, or not finite.
    ValueError
        For codes that are not the groups of `length` values.
    """

    codes: NDArray[np.uint8]
    scales: NDArray[np.float16]
    zeros: NDArray[np.uint8]
    length: int
    bits: int = 4
    minimums: NDArray[np.float16] | None = None

    def __post_init__(self) -> None:
        halves = {"scales": self.scales} | ({} if self.minimums is None else {"minimums": self.minimums})
        self._check_counts({"zeros": self.zeros, **halves})
        groups.check(self.length, self.codes)
        check_bits(self.bits)
        check_group_size(self.group_size, self.length if self.codes.shape[-2] == 1 else None)
        for name, values in halves.items():
            fp16.refuse_nonfinite(values, name)
        for name, codes in (("codes", self.codes), ("zeros", self.zeros)):
            if codes.size and codes.max() > self.largest:
                where = np.unravel_index(int(np.argmax(codes > self.largest)), codes.shape)
                facts = {"allowed": f"0..{self.largest}"}
                raise InputError(
                    f"found {codes[where]} at index [{', '.join(map(str, where))}]", field=name, facts=facts
                )

    def _check_counts(self, parts: Mapping[str, NDArray[Any]]) -> None:
        """Refuse parts that have not one entry a group."""
        wanted = self.codes.shape[:-1]
        for name, part in parts.items():
            if part.shape != wanted:
                facts = {"expected": f"{_shape(wanted)}, one a group of {self.group_size}"}
                raise InputError(f"found {_shape(part.shape)}", field=name, facts=facts)

    @classmethod
    def quantise(
        cls,
        weights: NDArray[np.floating[Any]],
        scheme: Scheme,
        group_size: Grouping = 128,
        name: str = "weights",
        bits: int = 4,
    ) -> Self:
        """Quantise finite weights of shape (..., K), in binary64: no quotient of FP16 weights falls on the wrong side.

        Raises
        ------
        InputError
            For Inf or NaN, or weights whose scale exceeds FP16.
        """
        check_bits(bits)
        size = group_size if isinstance(group_size, int) else weights.shape[-1]
        check_group_size(size, weights.shape[-1] if size != group_size else None)
        fp16.refuse_nonfinite(weights, name)
        grouped = groups.split(weights.astype(np.float64), size)
        high, low = grouped.max(axis=-1), grouped.min(axis=-1)
        if scheme != "minimum":
            high, low = np.maximum(high, 0), np.minimum(low, 0)
        if group_size == "tensor":
            high, low = np.full_like(high, high.max(initial=0)), np.full_like(low, low.min(initial=0))
        largest, half = (1 << bits) - 1, 1 << bits - 1
        with np.errstate(over="ignore"):
            exact = np.maximum(high, -low) / max(half - 1, 1) if scheme == "symmetric" else (high - low) / largest
            scales = np.maximum(exact.astype(np.float16), _SMALLEST)
        fp16.refuse_nonfinite(scales, f"scales of {name}")
        minimums = low.astype(np.float16) if scheme == "minimum" else None
        if minimums is not None:
            zeros, grouped = np.zeros(scales.shape), grouped - minimums[..., np.newaxis].astype(np.float64)
        else:
            zeros = (
                np.full(scales.shape, half) if scheme == "symmetric" else np.clip(np.rint(-low / scales), 0, largest)
            )
        codes = np.clip(np.rint(grouped / scales[..., np.newaxis]) + zeros[..., np.newaxis], 0, largest)
        return cls(codes.astype(np.uint8), scales, zeros.astype(np.uint8), weights.shape[-1], bits, minimums)

    @property
    def largest(self) -> int:
        """The largest code."""
        return (1 << self.bits) - 1

    @property
    def group_size(self) -> int:
        return int(self.codes.shape[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        return *self.scales.shape[:-1], self.length

    @property
    def storage_bits(self) -> int:
        """Bits in memory, the filling of the last groups included."""
        beside = 16 + (self.bits if self.minimums is None else 16)
        return self.bits * self.codes.size + beside * self.scales.size

    def integers(self) -> NDArray[np.int8] | NDArray[np.int16]:
        """(..., groups, group_size): code - zero, below 2^bits in magnitude; -8..7 where symmetric of 4 bits."""
        difference = self.codes.astype(np.int16) - self.zeros.astype(np.int16)[..., np.newaxis]
        return difference if self.bits == 8 else difference.astype(np.int8)

    def decode(self) -> NDArray[np.float64]:
        """The weights, exact: a product of 9 bits by 11, and a minimum, all in steps of 2^-24."""
        products = self.integers() * self.scales.astype(np.float64)[..., np.newaxis]
        if self.minimums is not None:
            products = products + self.minimums.astype(np.float64)[..., np.newaxis]
        return groups.join(products, self.length)

    def dequantise(self) -> NDArray[np.float32]:
        """The weights in binary32: exact but for a minimum, then rounded once."""
        if self.minimums is not None:
            return self.decode().astype(np.float32)
        products = self.integers() * self.scales.astype(np.float32)[..., np.newaxis]
        return groups.join(products, self.length)

    def dequantise_fp16(self) -> NDArray[np.float16]:
        """The weights rounded to FP16 once, to nearest even; an InputError where one is beyond it."""
        with np.errstate(over="ignore"):
            halves = (self.dequantise() if self.minimums is None else self.decode()).astype(np.float16)
        fp16.refuse_nonfinite(halves, "dequantised weights")
        return halves

    def slices(self, width: int = 4) -> tuple[tuple[int, IntegerTensor], ...]:
        """Digits of at most `width` bits, as even as can be, low ones first: the shift of each, and it as weights.

        Raises
        ------
        InputError
            For weights with a minimum, which no digit holds.
        """
        if self.minimums is not None:
            raise InputError("a minimum is no digit of a weight", field="minimums")
        count = digits(self.bits, width)
        if count == 1:
            return ((0, self),)
        step = -(-self.bits // count)
        cut = [(shift, min(step, self.bits - shift)) for shift in range(0, self.bits, step)]
        return tuple(
            (
                shift,
                IntegerTensor(
                    self.codes >> np.uint8(shift) & np.uint8((1 << bits) - 1),
                    self.scales,
                    self.zeros >> np.uint8(shift) & np.uint8((1 << bits) - 1),
                    self.length,
                    bits,
                ),
            )
            for shift, bits in cut
        )

    def planes(self, count: int) -> Self:
        """The weights as the `count` most significant bits of their codes tell them.

        In place of the s bits of the rest stands a one or a zero: weight = (2 code + one - zero) scale 2^(s - 1), with
        codes and zero points of `count` + 1 bits. Of the zero point e = zero mod 2^(s - 1) is cut off, so that of 2^s
        weights along K the first 2 e + 1 have a zero: the mean error is then none, and sums over K do not drift.

        Raises
        ------
        InputError
            For a count that is not 1 to `bits`, or scales that leave FP16.
        """
        if not 1 <= count <= self.bits:
            facts = {"allowed": f"1 to {self.bits}, the bits of a code"}
            raise InputError(f"found {count}", field="weight read_bits", facts=facts)
        if count == self.bits:
            return self
        rest = self.bits - count
        zeros, cut = self.zeros >> np.uint8(rest - 1), self.zeros.astype(np.int16) & (1 << rest - 1) - 1
        places = np.arange(math.prod(self.codes.shape[-2:])).reshape(self.codes.shape[-2:]) % (1 << rest)
        ones = places > 2 * cut[..., np.newaxis]
        codes = groups.join(self.codes >> np.uint8(rest) << np.uint8(1) | ones, self.length)
        with np.errstate(over="ignore"):
            scales = np.ldexp(self.scales, rest - 1).astype(np.float16)
        return replace(self, codes=filled(codes, zeros, self.group_size), scales=scales, zeros=zeros, bits=count + 1)

    def regrouped(self, group_size: int) -> Self:
        """The same weights in smaller groups, each with its scale and zero point; groups wholly after K fall away.

        Raises
        ------
        InputError
            Where `group_size` does not divide the groups there are; one that holds all of K is filled up.
        """
        codes, size, count = self.codes, self.group_size, -(-self.length // group_size)
        if codes.shape[-2] == 1 and size % group_size:
            filled = np.broadcast_to(self.zeros[..., np.newaxis], (*codes.shape[:-1], -size % group_size))
            codes = np.concatenate([codes, filled], axis=-1)
        if codes.shape[-1] % group_size:
            facts = {"weights": f"groups of {size}", "asked for": f"groups of {group_size}"}
            raise InputError("groups of weights cannot be cut into whole groups", field="group_size", facts=facts)
        parts, rows = codes.shape[-1] // group_size, codes.shape[:-2]
        minimums = None if self.minimums is None else self.minimums.repeat(parts, axis=-1)[..., :count]
        return replace(
            self,
            codes=codes.reshape(*rows, codes.shape[-2] * parts, group_size)[..., :count, :],
            scales=self.scales.repeat(parts, axis=-1)[..., :count],
            zeros=self.zeros.repeat(parts, axis=-1)[..., :count],
            minimums=minimums,
        )

    def rows(self, which: slice | NDArray[np.intp]) -> Self:
        """The weights of some of the outputs: a slice of the first axis, or places along it."""
        minimums = None if self.minimums is None else self.minimums[which]
        return replace(
            self, codes=self.codes[which], scales=self.scales[which], zeros=self.zeros[which], minimums=minimums
        )

    def memory_image(self) -> WeightImage:
        """The bytes in memory."""
        minimums = b"" if self.minimums is None else self.minimums.astype("<f2").tobytes()
        scales = self.scales.astype("<f2").tobytes()
        return WeightImage(packed(self.codes, self.bits), scales, packed(self.zeros, self.bits), minimums)

    @classmethod
    def from_memory(cls, image: WeightImage, shape: tuple[int, ...], group_size: int = 128, bits: int = 4) -> Self:
        """Undo `memory_image` for weights of `shape` (..., K).

        Raises
        ------
        InputError
            Where a part has not the bytes that such a tensor takes.
        """
        *outer, length = shape
        grouped = (*outer, -(-length // group_size))
        count = math.prod(grouped)
        sizes = {"codes": count * group_size * bits, "scales": 16 * count, "zeros": count * bits}
        sizes |= {"minimums": 16 * count} if image.minimums else {}
        for part, needed in sizes.items():
            check_size(part, getattr(image, part), -(-needed // 8))

        def halves(part: bytes) -> NDArray[np.float16]:
            return np.frombuffer(part, "<f2").astype(np.float16, copy=False).reshape(grouped)

        return cls(
            unpacked(image.codes, bits, count * group_size).reshape(*grouped, group_size),
            halves(image.scales),
            unpacked(image.zeros, bits, count).reshape(grouped),
            length,
            bits,
            halves(image.minimums) if image.minimums else None,
        )


def filled(codes: NDArray[np.uint8], zeros: NDArray[np.uint8], group_size: int) -> NDArray[np.uint8]:
    """Codes (..., K) as (..., groups, group_size); the last group is filled up with its zero point."""
    grouped = groups.split(codes, group_size)
    beyond = -codes.shape[-1] % group_size
    if beyond:
        grouped[..., -1, group_size - beyond :] = zeros[..., -1:]
    return grouped


def digits(bits: int, width: int = 4) -> int:
    """Digits of at most `width` bits that make up a code."""
    return -(-bits // width)


def _shape(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def check_group_size(group_size: int, length: int | None = None) -> None:
    """Raise an InputError for groups that are no multiples of 16, nor all of a column of `length`."""
    if group_size < 1 or (group_size % 16 and group_size != length):
        facts = {"allowed": "multiples of 16, or one group of all K"}
        raise InputError(f"found {group_size}", field="weight group_size", facts=facts)


def check_bits(bits: int) -> None:
    """Raise an InputError for codes that are not of 1 to 8 bits."""
    if not 1 <= bits <= 8:
        raise InputError(f"found {bits}", field="weight bits", facts={"allowed": "1 to 8"})


def packed(codes: NDArray[np.integer[Any]], bits: int) -> bytes:
    """Codes one after the other, the least significant bits first; the last byte is filled up with zeros."""
    stream = np.unpackbits(codes.astype(np.uint8).reshape(-1, 1), axis=-1, bitorder="little", count=bits)
    return np.packbits(stream.reshape(-1), bitorder="little").tobytes()


def unpacked(image: bytes | NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """Undo `packed`."""
    stream = np.unpackbits(np.frombuffer(image, np.uint8), bitorder="little", count=count * bits)
    return np.packbits(stream.reshape(count, bits), axis=-1, bitorder="little").reshape(count)
