"""Integers of 1 to 8 bits in groups along K, each under an FP16 scale, with a zero point or an FP16 minimum or neither.

weight = (code - zero) * scale             zero 2^(bits - 1) where none is stored: symmetric
weight = code * scale + minimum            with `minimum_bits`
memory   codes dense, column by column; for every group begun a scale, and a zero point or a minimum
         one of each a column (`channel`), or a scale for all weights, kept in a register (`tensor`)
"""

from __future__ import annotations

from dataclasses import dataclass
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

    @property
    def scheme(self) -> Scheme:
        """What of a group is kept beside its scale."""
        return "minimum" if self.minimum else "zero-point" if self.zero_point_bits else "symmetric"

    def encode(self, weights: NDArray[np.floating[Any]]) -> IntegerTensor:
        from sim.formats.integer import IntegerTensor

        return IntegerTensor.quantise(weights, self.scheme, self.group_size, bits=self.bits)

    def image(self, weights: IntegerTensor) -> bytes:
        parts = weights.memory_image()
        own = parts.minimums if self.minimum else parts.zeros if self.zero_point_bits else b""
        scales = parts.scales[:2] if self.group_size == "tensor" else parts.scales
        return parts.codes + scales + own

    def from_image(self, image: bytes, shape: tuple[int, int]) -> IntegerTensor:
        import numpy as np

        from sim.formats.integer import IntegerTensor, WeightImage, packed
        from sim.formats.memory import check_size

        columns, length = shape
        size = self.group_size if isinstance(self.group_size, int) else length
        groups = columns * -(-length // size)
        codes = -(-groups * size * self.bits // 8)
        scales = 2 if self.group_size == "tensor" else 2 * groups
        zeros = -(-groups * self.bits // 8) if self.zero_point_bits else 0
        check_size("weights", image, codes + scales + zeros + (2 * groups if self.minimum else 0))
        stored, rest = image[codes : codes + scales], image[codes + scales :]
        fixed = packed(np.full(groups, 1 << self.bits - 1 if self.scheme == "symmetric" else 0), self.bits)
        parts = WeightImage(
            codes=image[:codes],
            scales=stored * (groups if self.group_size == "tensor" else 1),
            zeros=rest if self.zero_point_bits else fixed,
            minimums=rest if self.minimum else b"",
        )
        return IntegerTensor.from_memory(parts, shape, size, self.bits)

    def __str__(self) -> str:
        return f"integers of {self.bits} bits ({self.scheme}, group_size {self.group_size})"
