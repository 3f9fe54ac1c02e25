"""MX blocks of 32 weights under a power of two (OCP Microscaling Formats v1.0): FP4, FP6, FP8 and INT8 elements.

weight = element * 2^(code - 127)      code of E8M0, 0 to 254
encode   the scale's exponent is that of the block's largest magnitude less the largest element's (FLOOR, sec. 6.3), not
         below -127; elements to nearest even, larger ones become the largest
INT8     element = two's complement / 64, -127 to 127
memory   codes dense, column by column; then a byte a block begun
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sim.formats.table_weights import TableWeights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.formats.minifloat import Minifloat

BIAS = 127


@dataclass(frozen=True)
class _MxWeights(TableWeights):
    """Blocks of elements."""

    span = 32
    scale_bits = 8
    scale_type = "u1"

    @property
    @abstractmethod
    def largest_exponent(self) -> int:
        """Of an element."""

    def scales(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        import numpy as np

        return np.where(stored == 255, np.nan, np.ldexp(1.0, stored.astype(np.int32) - BIAS))

    def quantised(self, weights: NDArray[np.float32], size: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        import numpy as np

        from sim.formats.scaled_codes import largest, spread

        highest = (largest(weights, size).view(np.uint32) >> 23).astype(np.int32) - BIAS
        stored = np.maximum(highest - self.largest_exponent + BIAS, 0).astype(np.uint8)
        return self.elements(weights / spread(self.scales(stored), size, weights.shape[-1])), stored

    @abstractmethod
    def elements(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Codes of values under their scale."""


@dataclass(frozen=True)
class MxFp4(_MxWeights):
    kind = "mxfp4"
    summary = "MX: 32 weights of FP4 (E2M1) under a power of two"
    type_name: ClassVar[str] = "E2M1"
    bits = 4

    @property
    def number(self) -> Minifloat:
        from sim.formats import minifloat

        found: Minifloat = getattr(minifloat, self.type_name)
        return found

    @property
    def table(self) -> NDArray[np.float64]:
        return self.number.values

    @property
    def largest_exponent(self) -> int:
        return self.number.largest_exponent

    def elements(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        return self.number.round(values)


@dataclass(frozen=True)
class MxFp6E2M3(MxFp4):
    kind = "mxfp6_e2m3"
    summary = "MX: 32 weights of FP6 (E2M3) under a power of two"
    type_name = "E2M3"
    bits = 6


@dataclass(frozen=True)
class MxFp6E3M2(MxFp4):
    kind = "mxfp6_e3m2"
    summary = "MX: 32 weights of FP6 (E3M2) under a power of two"
    type_name = "E3M2"
    bits = 6


@dataclass(frozen=True)
class MxFp8E4M3(MxFp4):
    kind = "mxfp8_e4m3"
    summary = "MX: 32 weights of FP8 (E4M3) under a power of two"
    type_name = "E4M3"
    bits = 8


@dataclass(frozen=True)
class MxFp8E5M2(MxFp4):
    kind = "mxfp8_e5m2"
    summary = "MX: 32 weights of FP8 (E5M2) under a power of two"
    type_name = "E5M2"
    bits = 8


@dataclass(frozen=True)
class MxInt8(_MxWeights):
    kind = "mxint8"
    summary = "MX: 32 weights of INT8 under a power of two"
    bits = 8

    @property
    def table(self) -> NDArray[np.float64]:
        import numpy as np

        return np.arange(256).astype(np.uint8).view(np.int8) / 64

    @property
    def largest_exponent(self) -> int:
        return 0

    def elements(self, values: NDArray[np.float64]) -> NDArray[np.uint8]:
        import numpy as np

        return np.clip(np.rint(values * 64), -127, 127).astype(np.int8).view(np.uint8)
