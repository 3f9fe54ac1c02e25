"""What weights made of a table and a scale a group share: bytes, and how they come back."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sim.formats.weight import WeightFormat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.formats.scaled_codes import CodeTensor


@dataclass(frozen=True)
class TableWeights(WeightFormat):
    """Codes dense, column by column, then the scales of all groups begun.

    Attributes
    ----------
    scale_bits
        Of a group's scale in memory.
    scale_type
        NumPy's name of that.
    """

    half = False
    scale_bits: ClassVar[int]
    scale_type: ClassVar[str]

    def group(self, length: int) -> int:
        """Weights of a group in columns of `length`."""
        assert self.span is not None
        return self.span

    def column_bits(self, values: int) -> int:
        return values * self.bits + self.side_bits(values)

    def side_bits(self, values: int) -> int:
        return -(-values // self.group(values)) * self.scale_bits

    @property
    @abstractmethod
    def table(self) -> NDArray[np.float64]:
        """What each code is worth."""

    @abstractmethod
    def scales(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """What scales in memory are worth."""

    @abstractmethod
    def quantised(self, weights: NDArray[np.float32], size: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Codes (columns, K), and scales (columns, groups) as memory holds them."""

    def encode(self, weights: NDArray[np.floating[Any]]) -> CodeTensor:
        import numpy as np

        from sim.formats import fp16

        fp16.refuse_nonfinite(weights, "weights")
        with np.errstate(over="ignore"):
            singles = weights.astype(np.float32)
        fp16.refuse_nonfinite(singles, "weights in binary32")
        return self._tensor(*self.quantised(singles, self.group(weights.shape[-1])))

    def image(self, weights: CodeTensor) -> bytes:
        from sim.formats.integer import packed

        return packed(weights.codes, self.bits) + weights.stored_scales.astype(self.scale_type).tobytes()

    def from_image(self, image: bytes, shape: tuple[int, int]) -> CodeTensor:
        import numpy as np

        from sim.formats.integer import unpacked
        from sim.formats.memory import check_size

        columns, length = shape
        size = self.group(length)
        count, codes = columns * -(-length // size), -(-columns * length * self.bits // 8)
        check_size("weights", image, codes + count * self.scale_bits // 8)
        stored = np.frombuffer(image[codes:], self.scale_type).reshape(columns, -1)
        return self._tensor(unpacked(image[:codes], self.bits, columns * length).reshape(shape), stored)

    def _tensor(self, codes: NDArray[np.uint8], stored: NDArray[Any]) -> CodeTensor:
        from sim.formats.scaled_codes import CodeTensor

        return CodeTensor(codes, stored, self.scales(stored), self.table, self.group(codes.shape[1]))
