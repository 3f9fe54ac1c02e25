"""Anda: block floating point laid out in bit planes (Anda, HPCA 2025, Sec. III).

value = (-1)^sign * mantissa * 2^(exponent - 15 - (M - 1)),  1 <= M <= 16
exponent  largest FP16 exponent of the group, 5 bits; subnormals count as exponent 1, hidden bit 0
encode    shift right by exponent - own, truncate;  M >= 11 keeps the largest value whole;  Inf, NaN refused
rows      sign, then M planes, MSB first; bit i of a row belongs to value i of the group
words     a row of 64 values is one 64-bit word; longer ones take more, shorter ones leave the top of theirs zero
memory    row after row, group after group, group_size / 8 bytes each, least significant byte first;
          exponents in a memory of their own, 5 bits each, from the least significant bit of byte 0 up
storage   M + 1 + 5/64 bits a value
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sim.formats.block_float import BlockFloat, bits_a_value
from sim.formats.memory import check_size
from sim.formats.registry import FormatCard
from sim.formats.widths import EXPONENT_BITS

FORMAT = FormatCard("anda", "bit planes of M mantissa bits and a sign, 5-bit exponents apart", bits_a_value)


@dataclass(frozen=True)
class ActivationImage:
    """What lies in the two memories of the activation buffer."""

    rows: bytes
    exponents: bytes


@dataclass(frozen=True, eq=False)
class AndaTensor(BlockFloat):
    """A tensor in the Anda format; attributes as in BlockFloat."""

    @classmethod
    def encode(
        cls, values: NDArray[np.float16], mantissa_bits: int, group_size: int = 64, name: str = "activations"
    ) -> Self:
        """Encode finite FP16 values of shape (..., K); raises like `BlockFloat.align`."""
        return cls.align(values, mantissa_bits, group_size, name=name)

    @property
    def row_bits(self) -> int:
        """Bits in the row memory, zeros after K included."""
        return self.group_count * (self.mantissa_bits + 1) * self.group_size

    @property
    def exponent_bits(self) -> int:
        """Bits in the exponent memory."""
        return self.group_count * EXPONENT_BITS

    def planes(self) -> NDArray[np.uint64]:
        """(..., groups, 1 + M, words): sign row, then mantissa planes, MSB first."""
        rows = self._rows()
        words = -(-self.group_size // 64)
        padded = np.zeros((*rows.shape[:-1], words * 8), np.uint8)
        padded[..., : rows.shape[-1]] = rows
        return padded.view("<u8").astype(np.uint64, copy=False)

    @classmethod
    def from_planes(
        cls, planes: NDArray[np.uint64], exponents: NDArray[np.uint8], group_size: int, length: int
    ) -> Self:
        """Undo `planes`."""
        rows = np.ascontiguousarray(planes.astype("<u8", copy=False)).view(np.uint8)
        return cls._from_rows(rows[..., : group_size // 8], exponents, length)

    def memory_image(self) -> ActivationImage:
        """The bytes of both memories; the last byte of the exponents is filled up with zeros."""
        bits = np.unpackbits(self.exponents.reshape(-1, 1), axis=1, count=EXPONENT_BITS, bitorder="little")
        return ActivationImage(self._rows().tobytes(), np.packbits(bits, bitorder="little").tobytes())

    @classmethod
    def from_memory(
        cls, image: ActivationImage, shape: Sequence[int], mantissa_bits: int, group_size: int = 64
    ) -> Self:
        """Undo `memory_image` for a tensor of `shape` (..., K).

        Raises
        ------
        InputError
            Where the image has not the bytes that such a tensor takes.
        """
        *outer, length = shape
        grouped = (*outer, -(-length // group_size))
        count = math.prod(grouped)
        check_size("rows", image.rows, count * (mantissa_bits + 1) * group_size // 8)
        check_size("exponents", image.exponents, -(-count * EXPONENT_BITS // 8))
        rows = np.frombuffer(image.rows, np.uint8).reshape(*grouped, mantissa_bits + 1, group_size // 8)
        packed = np.frombuffer(image.exponents, np.uint8)
        bits = np.unpackbits(packed, count=count * EXPONENT_BITS, bitorder="little").reshape(-1, EXPONENT_BITS)
        exponents = np.packbits(bits, axis=1, bitorder="little").reshape(grouped)
        return cls._from_rows(rows, exponents, length)

    def _rows(self) -> NDArray[np.uint8]:
        """(..., groups, 1 + M, group_size / 8): value i of a group in bit i % 8 of byte i // 8."""
        rows = np.empty((*self.exponents.shape, self.mantissa_bits + 1, self.group_size // 8), np.uint8)
        rows[..., 0, :] = np.packbits(self.signs, axis=-1, bitorder="little")
        for row in range(1, self.mantissa_bits + 1):
            plane = self.mantissas >> (self.mantissa_bits - row) & 1
            rows[..., row, :] = np.packbits(plane.astype(np.bool_), axis=-1, bitorder="little")
        return rows

    @classmethod
    def _from_rows(cls, rows: NDArray[np.uint8], exponents: NDArray[np.uint8], length: int) -> Self:
        bits = np.unpackbits(rows, axis=-1, bitorder="little")
        mantissas = np.zeros((*exponents.shape, bits.shape[-1]), np.uint16)
        for row in range(1, rows.shape[-2]):
            mantissas = mantissas << 1 | bits[..., row, :]
        return cls(bits[..., 0, :].astype(np.bool_), exponents, mantissas, rows.shape[-2] - 1, length)
