"""NVFP4: blocks of 16 weights of FP4 (E2M1) under a scale of E4M3, all of them under one of binary32.

weight = element * block scale * tensor scale
encode   tensor scale = max |weight| / (448 * 6), 1 for zeros only; block scale = max of the block / 6 / tensor scale to
         nearest even, from 2^-6 to 448; element = weight * ((1 / tensor scale) / block scale) to nearest even, all in
         binary32 (torchao 0.18, nvfp4_quantize)
memory   codes dense, column by column; then a byte a block begun; last the tensor's scale, which is kept in a register
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sim.formats.table_weights import TableWeights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.formats.scaled_codes import CodeTensor

SMALLEST_SCALE = 2.0**-6
"""E4M3's smallest number with a whole fraction."""


@dataclass(frozen=True)
class NvFp4(TableWeights):
    kind = "nvfp4"
    summary = "NVFP4: 16 weights of FP4 (E2M1) under a scale of FP8 (E4M3), all under one of binary32"
    bits = 4
    span = 16
    scale_bits = 8
    scale_type = "u1"

    @property
    def table(self) -> NDArray[np.float64]:
        from sim.formats.minifloat import E2M1

        return E2M1.values

    def scales(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        from sim.formats.minifloat import E4M3

        values: NDArray[np.float64] = E4M3.values[stored]
        return values

    def encode(self, weights: NDArray[np.floating[Any]]) -> CodeTensor:
        return self._under(super().encode(weights), self._whole(weights.astype("float32")))

    def quantised(self, weights: NDArray[np.float32], size: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        import numpy as np

        from sim.formats.minifloat import E2M1, E4M3
        from sim.formats.scaled_codes import largest, spread

        whole = self._whole(weights)
        asked = np.clip(largest(weights, size) / np.float32(E2M1.largest) / whole, SMALLEST_SCALE, E4M3.largest)
        stored = E4M3.round(asked)
        over = np.float32(1) / whole / E4M3.values[stored].astype(np.float32)
        return E2M1.round(weights * spread(over, size, weights.shape[-1])), stored

    def image(self, weights: CodeTensor) -> bytes:
        import numpy as np

        return super().image(weights) + np.array(weights.whole, "<f4").tobytes()

    def from_image(self, image: bytes, shape: tuple[int, int]) -> CodeTensor:
        import numpy as np

        from sim.formats.memory import check_size

        check_size(
            "weights", image, -(-shape[0] * shape[1] * self.bits // 8) + shape[0] * -(-shape[1] // self.span) + 4
        )
        return self._under(super().from_image(image[:-4], shape), np.frombuffer(image[-4:], "<f4")[0])

    @staticmethod
    def _under(tensor: CodeTensor, whole: np.float32) -> CodeTensor:
        return replace(tensor, scales=tensor.scales * float(whole), whole=float(whole))

    @staticmethod
    def _whole(weights: NDArray[np.float32]) -> np.float32:
        import numpy as np

        from sim.formats.minifloat import E2M1, E4M3

        found = np.abs(weights).max() / np.float32(E4M3.largest * E2M1.largest)
        return np.float32(found) if found > 0 else np.float32(1)
