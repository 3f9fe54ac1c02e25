"""NF4: a table of 16 values, quantiles of a normal distribution, under a binary32 scale every 64 weights (QLoRA).

weight = table[code] * scale          scale = max |weight| of the block (QLoRA, arXiv 2305.14314, app. E)
encode   weight / scale to the nearest entry, in binary32; the lower one of two
memory   codes dense, column by column; then scales
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.formats.table_weights import TableWeights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENTRIES = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
    *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725),
    *(0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
"""As binary32 numbers: QLoRA, app. E."""


@dataclass(frozen=True)
class Nf4(TableWeights):
    kind = "nf4"
    summary = "NF4: 64 weights of a table of 16 normal quantiles, under a binary32 scale"
    bits = 4
    span = 64
    scale_bits = 32
    scale_type = "<f4"

    @property
    def table(self) -> NDArray[np.float64]:
        import numpy as np

        return np.array(ENTRIES)

    def scales(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        import numpy as np

        return stored.astype(np.float64)

    def quantised(self, weights: NDArray[np.float32], size: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        import numpy as np

        from sim.formats.scaled_codes import largest, spread

        scales, table = largest(weights, size), self.table
        over = np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=scales != 0)
        scaled = weights * spread(over, size, weights.shape[-1])
        return np.searchsorted((table[1:] + table[:-1]) / 2, scaled, side="left").astype(np.uint8), scales
