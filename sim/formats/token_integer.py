"""INT8, INT4 or INT3 values under one FP16 scale a token: activations, keys and values that are quantised at run time.

value  = code * scale,  code -L .. L,  L = 2^(bits - 1) - 1
scale    the smallest FP16 number with L scale >= the token's largest |x|; 2^-24 for a token of zeros
code     x / scale to nearest, halves away from zero: never beyond L, so nothing is clipped
memory   codes of a token dense, in two's complement, the least significant bits of a byte first (of 4 bits two a
         byte, the even one low), filled up to a byte; then the scales, 16 bits each
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats import fp16
from sim.formats.integer import packed, unpacked
from sim.formats.memory import check_size
from sim.formats.registry import FormatCard
from sim.formats.widths import FP16_BITS

WIDTHS = (3, 4, 8)
_SMALLEST = 2.0**-24

FORMAT = FormatCard("token-int8", "activations of 8 (or 4) bits, an FP16 scale a token", lambda _: Fraction(8))


@dataclass(frozen=True, eq=False)
class TokenIntegers:
    """Activations of shape (tokens, K).

    Attributes
    ----------
    codes : int8, (tokens, K)
    scales : float16, (tokens,)
    bits
        Of a code, 3, 4 or 8.

    Raises
    ------
    InputError
        For another width, codes beyond it, with the index of the first, and scales that are not finite.
    """

    codes: NDArray[np.int8]
    scales: NDArray[np.float16]
    bits: int = 8

    def __post_init__(self) -> None:
        if self.bits not in WIDTHS:
            raise InputError(f"found {self.bits}", field="bits of a token's integers", facts={"allowed": "3, 4 or 8"})
        if self.codes.ndim != 2 or self.scales.shape != self.codes.shape[:1]:
            raise ValueError(f"no tokens with a scale each: shapes {self.codes.shape} and {self.scales.shape}")
        fp16.refuse_nonfinite(self.scales, "scales")
        beyond = np.abs(self.codes.astype(np.int16)) > self.largest
        if beyond.any():
            where = np.unravel_index(int(np.argmax(beyond)), beyond.shape)
            place = ", ".join(map(str, where))
            facts = {"allowed": f"-{self.largest}..{self.largest}"}
            raise InputError(f"found {self.codes[where]} at index [{place}]", field="codes", facts=facts)

    @classmethod
    def quantise(cls, values: NDArray[np.float16], bits: int = 8, name: str = "activations") -> Self:
        """Quantise finite FP16 values (tokens, K).

        Raises
        ------
        InputError
            For Inf or NaN, and for another width.
        """
        fp16.check(values, name)
        exact, largest = np.abs(values.astype(np.float64)), largest_code(bits)
        scales = token_scales(exact.max(axis=-1, initial=0), largest)
        # In binary64 no quotient of numbers of 11 bits falls on a half, or off one, that is not.
        magnitudes = np.floor(exact / scales.astype(np.float64)[:, np.newaxis] + 0.5)
        return cls(np.where(np.signbit(values), -magnitudes, magnitudes).astype(np.int8), scales, bits)

    @property
    def largest(self) -> int:
        """L."""
        return largest_code(self.bits)

    def decode(self) -> NDArray[np.float64]:
        """The values, exact."""
        return self.codes * self.scales.astype(np.float64)[:, np.newaxis]

    def image(self) -> bytes:
        """The bytes in memory."""
        rows = (packed(row.view(np.uint8) & np.uint8((1 << self.bits) - 1), self.bits) for row in self.codes)
        return b"".join(rows) + self.scales.astype("<f2").tobytes()

    @classmethod
    def from_image(cls, image: bytes, shape: tuple[int, int], bits: int = 8) -> Self:
        """Undo `image` for activations of shape (tokens, K).

        Raises
        ------
        InputError
            For an image of another size.
        """
        tokens, length = shape
        row = token_bytes(length, bits)
        check_size("activations", image, tokens * (row + FP16_BITS // 8))
        codes = [unpacked(image[at : at + row], bits, length) for at in range(0, tokens * row, row)]
        # The sign bit moves up, and back down with its copies.
        signed = (np.array(codes, np.uint8).reshape(shape) << np.uint8(8 - bits)).view(np.int8) >> np.int8(8 - bits)
        return cls(signed, np.frombuffer(image, "<f2", tokens, tokens * row).astype(np.float16, copy=False), bits)


def largest_code(bits: int) -> int:
    """L of codes of so many bits."""
    return (1 << bits - 1) - 1


def token_bytes(length: int, bits: int) -> int:
    """Bytes of the codes of a token."""
    return -(-length * bits // 8)


def token_scales(largest_values: NDArray[Any], largest: int) -> NDArray[np.float16]:
    """The scales of tokens whose largest magnitudes these are."""
    nearest = np.maximum((largest_values / largest).astype(np.float16), np.float16(_SMALLEST))
    short = largest * nearest.astype(np.float64) < largest_values
    return np.where(short, np.nextafter(nearest, np.float16(np.inf)), nearest)
