"""FP8 weights, E4M3 or E5M2 (OCP OFP8), under a binary32 scale a channel or a group, as FP8 checkpoints have them.

weight = number * scale              scale = max |weight| / the largest number, 1 for zeros only
encode   weight / scale in binary32, rounded to nearest even
memory   codes a byte each, column by column; then scales
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sim.errors import InputError
from sim.formats.table_weights import TableWeights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.formats.minifloat import Minifloat


@dataclass(frozen=True)
class Fp8E4M3(TableWeights):
    kind = "fp8_e4m3"
    summary = "FP8 with 4 bits of exponent and 3 of fraction, a binary32 scale a channel or group"
    type_name: ClassVar[str] = "E4M3"
    bits = 8
    scale_bits = 32
    scale_type = "<f4"
    group_size: int | Literal["channel"] = "channel"

    def __post_init__(self) -> None:
        if self.group_size != "channel" and (not isinstance(self.group_size, int) or self.group_size % 16):
            facts = {"found": self.group_size, "allowed": "channel, or multiples of 16"}
            raise InputError("groups that FP8 weights do not have here", field="group_size", facts=facts)

    @property
    def span(self) -> int | None:  # type: ignore[override]
        return self.group_size if isinstance(self.group_size, int) else None

    def group(self, length: int) -> int:
        return self.group_size if isinstance(self.group_size, int) else length

    @property
    def number(self) -> Minifloat:
        from sim.formats import minifloat

        found: Minifloat = getattr(minifloat, self.type_name)
        return found

    @property
    def table(self) -> NDArray[np.float64]:
        return self.number.values

    def scales(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        import numpy as np

        return stored.astype(np.float64)

    def quantised(self, weights: NDArray[np.float32], size: int) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        import numpy as np

        from sim.formats.scaled_codes import largest, spread

        scales = largest(weights, size) / np.float32(self.number.largest)
        scales = np.where(scales == 0, np.float32(1), scales)
        return self.number.round(weights / spread(scales, size, weights.shape[-1])), scales

    def __str__(self) -> str:
        return f"{self.kind} (group_size {self.group_size})"


@dataclass(frozen=True)
class Fp8E5M2(Fp8E4M3):
    kind = "fp8_e5m2"
    summary = "FP8 with 5 bits of exponent and 2 of fraction, a binary32 scale a channel or group"
    type_name = "E5M2"
