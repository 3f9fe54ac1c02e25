"""Integers of 1 to 8 bits in groups along K, each under an FP16 scale, with a zero point or an FP16 minimum or neither.

weight = (code - zero) * scale             zero 2^(bits - 1) where none is stored: symmetric
weight = code * scale + minimum            with `minimum_bits`
memory   codes dense, column by column; for every group begun a scale, and a zero point or a minimum
         one of each a column (`channel`), or a scale for all weights, kept in a register (`tensor`)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sim.errors import InputError
from sim.formats.weight import Grouping, WeightFormat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.formats.integer import IntegerTensor, Scheme


@dataclass(frozen=True)
class IntegerWeights(WeightFormat):
    """The default is the W4A16 of the paper with groups of 128 (Anda, HPCA 2025).

    `zero_point_bits` are as many as a code's unless told, or 0 beside a minimum; 0: no zero point is stored.
    """

    kind = "integer"
    summary = "integers of 1 to 8 bits, a scale a group, channel or tensor; symmetric, with zero points or a minimum"
    integers = True
    bits: int = 4
    group_size: Grouping = 128
    scale_bits: int = 16
    zero_point_bits: int = -1
    minimum_bits: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise InputError(f"integers of {self.bits} bits", field="bits", facts={"allowed": "1 to 8"})
        if self.zero_point_bits < 0:
            alone = self.minimum_bits or self.group_size == "tensor"
            object.__setattr__(self, "zero_point_bits", 0 if alone else self.bits)
        if self.zero_point_bits and self.minimum_bits:
            raise InputError("a zero point and a minimum exclude one another", field="minimum_bits")
        if self.group_size == "tensor" and self.minimum_bits:
            raise InputError("one minimum for all weights is not modelled", field="minimum_bits")

    @property
    def minimum(self) -> bool:  # type: ignore[override]
        return self.minimum_bits > 0

    @property
    def span(self) -> int | None:  # type: ignore[override]
        shared = self.scale_bits or self.zero_point_bits or self.minimum_bits
        return self.group_size if isinstance(self.group_size, int) and shared else None

    def column_bits(self, values: int) -> int:
        return values * self.bits + self.side_bits(values)

    def side_bits(self, values: int) -> int:
        if self.group_size == "tensor":
            return 0
        groups = 1 if self.group_size == "channel" else -(-values // self.group_size)
        return groups * (self.scale_bits + self.zero_point_bits + self.minimum_bits)

    def of_bits(self, bits: int) -> WeightFormat:
        own = self.zero_point_bits
        return replace(self, bits=bits, zero_point_bits=bits if own == self.bits else own)

    @property
    def scheme(self) -> Scheme:
        """What of a group is kept beside its scale."""
        return "minimum" if self.minimum else "zero-point" if self.zero_point_bits else "symmetric"

    def encode(self, weights: NDArray[np.floating[Any]]) -> IntegerTensor:
        from sim.formats.integer import IntegerTensor

        return IntegerTensor.quantise(weights, self.scheme, self.group_size, bits=self.bits)

    def image(self, weights: IntegerTensor) -> bytes:
        return self._codes_image(weights) + self._side_image(weights)

    def from_image(self, image: bytes, shape: tuple[int, int]) -> IntegerTensor:
        from sim.formats.memory import check_size

        codes, side = self._sizes(shape)
        check_size("weights", image, codes + side)
        return self._tensor(image[:codes], image[codes:], shape)

    def _sizes(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Bytes of the codes of weights (columns, K), and of what stands beside them."""
        groups = shape[0] * -(-shape[1] // self._group(shape[1]))
        scales = 2 if self.group_size == "tensor" else 2 * groups
        zeros = -(-groups * self.bits // 8) if self.zero_point_bits else 0
        return -(-shape[0] * shape[1] * self.bits // 8), scales + zeros + (2 * groups if self.minimum else 0)

    def _group(self, length: int) -> int:
        return self.group_size if isinstance(self.group_size, int) else length

    def _codes_image(self, weights: IntegerTensor) -> bytes:
        from sim.formats.groups import join
        from sim.formats.integer import packed

        return packed(join(weights.codes, weights.length), self.bits)

    def _codes(self, image: bytes, count: int) -> NDArray[np.uint8]:
        """Undo `_codes_image`."""
        from sim.formats.integer import unpacked

        return unpacked(image, self.bits, count)

    def _side_image(self, weights: IntegerTensor) -> bytes:
        parts = weights.memory_image()
        own = parts.minimums if self.minimum else parts.zeros if self.zero_point_bits else b""
        return (parts.scales[:2] if self.group_size == "tensor" else parts.scales) + own

    def _tensor(self, codes: bytes, side: bytes, shape: tuple[int, int]) -> IntegerTensor:
        """Weights out of the images of both parts."""
        import numpy as np

        from sim.formats.integer import IntegerTensor, filled, unpacked

        columns, length = shape
        size = self._group(length)
        grouped = columns, -(-length // size)
        count = grouped[0] * grouped[1]
        scales = np.frombuffer(side, "<f2", 1 if self.group_size == "tensor" else count).astype(np.float16)
        rest = side[scales.nbytes :]
        zeros = np.full(grouped, 1 << self.bits - 1 if self.scheme == "symmetric" else 0, np.uint8)
        if self.zero_point_bits:
            zeros = unpacked(rest, self.bits, count).reshape(grouped)
        return IntegerTensor(
            filled(self._codes(codes, columns * length).reshape(shape), zeros, size),
            np.broadcast_to(scales, count).reshape(grouped),
            zeros,
            length,
            self.bits,
            np.frombuffer(rest, "<f2").astype(np.float16).reshape(grouped) if self.minimum else None,
        )

    def __str__(self) -> str:
        return f"integers of {self.bits} bits ({self.scheme}, group_size {self.group_size})"
