"""Integers in nested planes: a weight's most significant bits can be read without the others.

weight   as of `integer` where all `bits` planes are read; of fewer, the mean of what the unread ones would tell:
         (2 code + one - zero) * scale * 2^(bits - read_bits - 1), a code of the planes read (IntegerTensor.planes)
memory   scales, then zero points or minimums, then the planes, most significant first, each column by column:
         what is read is the beginning of what is stored

Any-Precision LLM (arXiv 2402.10517) and PMPD (arXiv 2410.13461) read weights so, by tables of values where this has
integers; planes that are not read cost neither bytes nor bits of the weight port. The PE multiplies one bit more than
it is sent: a constant in place of the others, which a machine with `weight_dispatcher.fills_planes` fills in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sim.errors import InputError
from sim.formats.weights.integer import IntegerWeights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.formats.integer import IntegerTensor


@dataclass(frozen=True)
class PlaneWeights(IntegerWeights):
    """Integers of `bits` planes, of which the first `read_bits` are read; all unless told."""

    kind = "planes"
    summary = (
        "the integers of `integer` in nested planes, most significant first, of which the first `read_bits` are read"
    )
    nested = True
    read_bits: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.read_bits == 0:
            object.__setattr__(self, "read_bits", self.bits)
        if not 1 <= self.read_bits <= self.bits:
            facts = {"allowed": f"1 to {self.bits}, the planes stored"}
            raise InputError(f"{self.read_bits} planes read", field="read_bits", facts=facts)

    @property
    def filled(self) -> bool:
        return self.read_bits < self.bits

    @property
    def factor_bits(self) -> int:
        return min(self.read_bits + 1, self.bits)

    def column_bits(self, values: int) -> int:
        return values * self.read_bits + self.side_bits(values)

    def stored_column_bits(self, values: int) -> int:
        return values * self.bits + self.side_bits(values)

    def of_bits(self, bits: int) -> PlaneWeights:
        return replace(self, read_bits=bits)

    def read(self, weights: IntegerTensor) -> IntegerTensor:
        return weights.planes(self.read_bits)

    def image(self, weights: IntegerTensor) -> bytes:
        return self._side_image(weights) + self._codes_image(weights)

    def from_image(self, image: bytes, shape: tuple[int, int]) -> IntegerTensor:
        from sim.formats.memory import check_size

        codes, side = self._sizes(shape)
        check_size("weights", image, codes + side)
        return self._tensor(image[side:], image[:side], shape)

    def _codes_image(self, weights: IntegerTensor) -> bytes:
        import numpy as np

        from sim.formats.groups import join

        codes = join(weights.codes, weights.length).reshape(1, -1)
        planes = codes >> np.arange(self.bits - 1, -1, -1, dtype=np.uint8)[:, np.newaxis] & np.uint8(1)
        return np.packbits(planes.reshape(-1), bitorder="little").tobytes()

    def _codes(self, image: bytes, count: int) -> NDArray[np.uint8]:
        import numpy as np

        stream = np.unpackbits(np.frombuffer(image, np.uint8), count=count * self.bits, bitorder="little")
        planes = stream.reshape(self.bits, count)
        weights = np.uint8(1) << np.arange(self.bits - 1, -1, -1, dtype=np.uint8)
        codes: NDArray[np.uint8] = (planes * weights[:, np.newaxis]).sum(axis=0, dtype=np.uint8)
        return codes

    def __str__(self) -> str:
        return f"{self.read_bits} of {self.bits} nested planes ({self.scheme}, group_size {self.group_size})"
