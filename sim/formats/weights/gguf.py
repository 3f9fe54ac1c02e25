"""Blocks of 32 weights as GGUF files hold them (ggml, ggml-quants.c: quantize_row_*_ref; ggml-common.h: block_*).

    q4_0   scale FP16, 16 bytes of nibbles                weight = (code - 8) * scale         18 bytes
    q4_1   scale FP16, minimum FP16, 16 bytes of nibbles  weight = code * scale + minimum     20 bytes
    q8_0   scale FP16, 32 bytes of two's complement       weight = code * scale               34 bytes
    nibbles  byte i holds weight i low and weight i + 16 high;  K is a multiple of 32, or its last block is filled up

Encoding follows ggml's arithmetic in binary32, operation by operation, its scales (negative ones too) with it.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sim.formats.weight import WeightFormat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.formats.integer import IntegerTensor

    Float32 = NDArray[np.float32]
    Bytes = NDArray[np.uint8]

BLOCK = 32


@dataclass(frozen=True)
class _Blocks(WeightFormat):
    """Blocks of scale, perhaps minimum, and codes."""

    integers = True
    span = BLOCK
    zero: ClassVar[int]

    @property
    def block_bytes(self) -> int:
        return (BLOCK * self.bits + self.side_bits(BLOCK)) // 8

    def column_bits(self, values: int) -> int:
        return -(-values // BLOCK) * self.block_bytes * 8

    def side_bits(self, values: int) -> int:
        return -(-values // BLOCK) * (32 if self.minimum else 16)

    def encode(self, weights: NDArray[np.floating[Any]]) -> IntegerTensor:
        import numpy as np

        from sim.formats import fp16, groups

        fp16.refuse_nonfinite(weights, "weights")
        blocks = groups.split(weights.astype(np.float32), BLOCK)
        codes, scales, minimums = self._quantised(blocks)
        with np.errstate(over="ignore"):
            return self._tensor(codes, scales.astype(np.float16), minimums, weights.shape[-1])

    @abstractmethod
    def _quantised(self, blocks: Float32) -> tuple[Bytes, Float32, Float32 | None]:
        """Codes, scales and minimums, as ggml finds them."""

    def _tensor(
        self, codes: Bytes, scales: NDArray[np.float16], minimums: NDArray[np.floating[Any]] | None, length: int
    ) -> IntegerTensor:
        import numpy as np

        from sim.formats.integer import IntegerTensor

        zeros = np.full(scales.shape, self.zero, np.uint8)
        halves = None if minimums is None else minimums.astype(np.float16)
        return IntegerTensor(codes, scales, zeros, length, self.bits, halves)

    def image(self, weights: IntegerTensor) -> bytes:
        import numpy as np

        codes = weights.codes
        packed = codes ^ 0x80 if self.bits == 8 else codes[..., :16] | codes[..., 16:] << 4
        heads = [weights.scales, *([] if weights.minimums is None else [weights.minimums])]
        halves = [head.astype("<f2")[..., np.newaxis].view(np.uint8) for head in heads]
        return np.concatenate([*halves, packed], axis=-1).tobytes()

    def from_image(self, image: bytes, shape: tuple[int, int]) -> IntegerTensor:
        import numpy as np

        from sim.formats.memory import check_size

        columns, length = shape
        count = -(-length // BLOCK)
        check_size("weights", image, columns * count * self.block_bytes)
        blocks = np.frombuffer(image, np.uint8).reshape(columns, count, self.block_bytes)
        head = 4 if self.minimum else 2
        halves = np.ascontiguousarray(blocks[..., :head]).view("<f2").astype(np.float16)
        packed = blocks[..., head:]
        codes = (
            packed ^ np.uint8(0x80)
            if self.bits == 8
            else np.concatenate([packed & np.uint8(15), packed >> np.uint8(4)], axis=-1)
        )
        return self._tensor(codes, halves[..., 0], halves[..., 1] if self.minimum else None, length)


def _over(scales: Float32) -> Float32:
    """1 / scale in binary32, 0 for 0."""
    import numpy as np

    return np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=scales != 0)[..., np.newaxis]


@dataclass(frozen=True)
class Q4_0(_Blocks):  # noqa: N801 (GGUF's name)
    kind = "q4_0"
    summary = "GGUF: 32 symmetric weights of 4 bits under an FP16 scale"
    bits = 4
    zero = 8

    def _quantised(self, blocks: Float32) -> tuple[Bytes, Float32, Float32 | None]:
        import numpy as np

        at = np.abs(blocks).argmax(axis=-1, keepdims=True)
        scales = np.take_along_axis(blocks, at, -1)[..., 0] / np.float32(-8)
        codes = np.clip(np.trunc(blocks * _over(scales) + np.float32(8.5)), 0, 15)
        return codes.astype(np.uint8), scales, None


@dataclass(frozen=True)
class Q4_1(_Blocks):  # noqa: N801 (GGUF's name)
    kind = "q4_1"
    summary = "GGUF: 32 weights of 4 bits under an FP16 scale, above an FP16 minimum"
    minimum = True
    bits = 4
    zero = 0

    def _quantised(self, blocks: Float32) -> tuple[Bytes, Float32, Float32 | None]:
        import numpy as np

        low = blocks.min(axis=-1)
        scales = (blocks.max(axis=-1) - low) / np.float32(15)
        codes = np.clip(np.trunc((blocks - low[..., np.newaxis]) * _over(scales) + np.float32(0.5)), 0, 15)
        return codes.astype(np.uint8), scales, low


@dataclass(frozen=True)
class Q8_0(_Blocks):  # noqa: N801 (GGUF's name)
    kind = "q8_0"
    summary = "GGUF: 32 weights of 8 bits under an FP16 scale"
    bits = 8
    zero = 128

    def _quantised(self, blocks: Float32) -> tuple[Bytes, Float32, Float32 | None]:
        import numpy as np

        scales = np.abs(blocks).max(axis=-1) / np.float32(127)
        scaled = blocks * _over(scales)
        away = np.copysign(np.floor(np.abs(scaled) + np.float32(0.5)), scaled)  # roundf: halves away from zero
        return (away + 128).astype(np.uint8), scales, None
