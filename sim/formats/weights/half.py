"""Weights that are not quantised: FP16, and BF16 with the exponents of binary32.

fp16   sign, 5 bits of exponent, 10 of fraction
bf16   sign, 8 bits of exponent, 7 of fraction: the upper half of binary32, rounded to nearest even
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sim.formats.weight import WeightFormat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class HalfTensor:
    """Weights of 16 bits: codes (columns, K) and what they are worth, exact."""

    codes: NDArray[np.uint16]
    values: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.codes.shape

    @property
    def length(self) -> int:
        """K."""
        return int(self.codes.shape[-1])

    def rows(self, which: slice) -> Self:
        return type(self)(self.codes[which], self.values[which])

    def decode(self) -> NDArray[np.float64]:
        return self.values

    def dequantise_fp16(self) -> NDArray[np.float16]:
        """The values, to nearest even; an InputError where one is beyond FP16."""
        import numpy as np

        from sim.formats import fp16

        with np.errstate(over="ignore"):
            halves = self.values.astype(np.float16)
        fp16.refuse_nonfinite(halves, "weights in FP16")
        return halves


@dataclass(frozen=True)
class Fp16Weights(WeightFormat):
    kind = "fp16"
    summary = "IEEE 754 binary16, as models are published"
    bits = 16

    def column_bits(self, values: int) -> int:
        return 16 * values

    def encode(self, weights: NDArray[np.floating[Any]]) -> HalfTensor:
        import numpy as np

        with np.errstate(over="ignore"):
            return self._tensor(weights.astype(np.float16).view(np.uint16))

    def image(self, weights: HalfTensor) -> bytes:
        return weights.codes.astype("<u2").tobytes()

    def from_image(self, image: bytes, shape: tuple[int, int]) -> HalfTensor:
        import numpy as np

        from sim.formats.memory import check_size

        check_size("weights", image, 2 * shape[0] * shape[1])
        return self._tensor(np.frombuffer(image, "<u2").astype(np.uint16).reshape(shape))

    def _tensor(self, codes: NDArray[np.uint16]) -> HalfTensor:
        import numpy as np

        from sim.formats import fp16

        values = self._values(codes)
        fp16.refuse_nonfinite(values, "weights")
        return HalfTensor(codes, values.astype(np.float64))

    def _values(self, codes: NDArray[np.uint16]) -> NDArray[np.floating[Any]]:
        import numpy as np

        return codes.view(np.float16)


@dataclass(frozen=True)
class Bf16Weights(Fp16Weights):
    kind = "bf16"
    summary = "the upper half of binary32: 8 bits of exponent, 7 of fraction"
    half = False

    def encode(self, weights: NDArray[np.floating[Any]]) -> HalfTensor:
        import numpy as np

        from sim.formats import fp16

        fp16.refuse_nonfinite(weights, "weights")
        codes = np.ascontiguousarray(weights, np.float32).view(np.uint32).astype(np.uint64)
        return self._tensor((codes + 0x7FFF + (codes >> 16 & 1) >> 16).astype(np.uint16))

    def _values(self, codes: NDArray[np.uint16]) -> NDArray[np.floating[Any]]:
        import numpy as np

        return (codes.astype(np.uint32) << 16).view(np.float32)
