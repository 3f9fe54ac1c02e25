"""What was packed: integers, zeros and scales of a layer, the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PackedLayer:
    """One layer of N outputs.

    Attributes
    ----------
    group_size
        -1: one group of all K.
    zeros
        Lowest zero point there is; None: symmetric, 2^(bits - 1) everywhere.
    mixed
        Rows of K in another order than their groups (desc_act).
    """

    name: str
    bits: int
    group_size: int
    n: int = 32
    k: int = 128
    zeros: int | None = 1
    mixed: bool = False

    @property
    def groups(self) -> int:
        return 1 if self.group_size < 0 else self.k // self.group_size

    def integers(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float16], NDArray[np.int32]]:
        """Codes [N, K], zeros and scales [N, groups], and the group of each row of K.

        Scales have 5 bits, so that (code - zero) * scale is an FP16 number and codes come back by rounding.
        """
        rng = np.random.RandomState(sum(self.name.encode()) + self.bits)  # its stream is frozen
        codes = rng.randint(0, 1 << self.bits, (self.n, self.k))
        zeros = np.full((self.n, self.groups), 1 << self.bits - 1)
        if self.zeros is not None:
            zeros = rng.randint(self.zeros, 1 << self.bits, (self.n, self.groups))
        scales = (rng.randint(16, 32, (self.n, self.groups)) * 2.0**-11).astype(np.float16)
        group_of = np.arange(self.k) * self.groups // self.k
        if self.mixed:
            group_of = rng.permutation(group_of)
        return codes, zeros, scales, group_of.astype(np.int32)

    def values(self) -> NDArray[np.float64]:
        """Weights [N, K], exact: integers of 9 bits times scales of 5."""
        codes, zeros, scales, group_of = self.integers()
        exact: NDArray[Any] = (codes - zeros[:, group_of]) * scales.astype(np.float64)[:, group_of]
        return exact


AUTOAWQ = tuple(PackedLayer(f"group-{size}", 4, size, n, k, zeros=0) for size, n, k in (
    (32, 64, 128), (64, 32, 192), (128, 32, 256), (-1, 96, 64),
))  # fmt: skip
AUTO_GPTQ = tuple(
    PackedLayer(f"bits-{bits}-group-{size}{'-mixed' * mixed}", bits, size, n=64 if bits == 4 else 32, mixed=mixed)
    for bits in (2, 3, 4, 8)
    for size, mixed in ((32, False), (-1, False), (32, True))
)
GPTQMODEL = tuple(
    PackedLayer(f"{packing}-bits-{bits}", bits, 32, n=64 if bits == 4 else 32, zeros=0)
    for packing in ("gptq", "gptq_v2")
    for bits in (2, 3, 4, 8)
)
COMPRESSED = tuple(
    PackedLayer(
        f"bits-{bits}-group-{size}{'-symmetric' * symmetric}",
        bits,
        size,
        *((64, 128) if (bits, size) == (4, 32) else (18, 96)),
        zeros=None if symmetric else 0,
    )
    for bits in (4, 8)
    for size, symmetric in ((32, True), (32, False), (-1, True), (-1, False))
)
