"""Weights that are entries of one table under a scale a group: small floats, MX blocks, NF4.

weight = table[code] * scale of its group of `size` along K
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats import fp16


@dataclass(frozen=True, eq=False)
class CodeTensor:
    """Weights of shape (columns, K).

    Attributes
    ----------
    codes : uint8, (columns, K)
    stored_scales : (columns, groups)
        As memory holds them: codes of E8M0 or E4M3, or binary32.
    scales : float64, (columns, groups)
        What they are worth, exact.
    table : float64
        What each code is worth.
    size
        Weights of a group along K; the last may have fewer.
    whole
        A scale of all weights, which those of groups contain; 1: there is none.

    Raises
    ------
    InputError
        For codes that are no numbers, with the index of the first, and scales that are none or of another count.
    """

    codes: NDArray[np.uint8]
    stored_scales: NDArray[Any]
    scales: NDArray[np.float64]
    table: NDArray[np.float64]
    size: int
    whole: float = 1.0

    def __post_init__(self) -> None:
        wanted = (len(self.codes), -(-self.codes.shape[1] // self.size))
        if self.scales.shape != wanted or self.stored_scales.shape != wanted:
            facts = {"found": str(self.scales.shape), "needed": f"{wanted}, one every {self.size} weights of a column"}
            raise InputError("scales of another count than groups", field="weights", facts=facts)
        for part, values in (("code", self.table[self.codes]), ("scale", self.scales)):
            if not np.isfinite(values).all():
                column, place = np.argwhere(~np.isfinite(values))[0]
                facts = {"found": f"{part} {(self.codes if part == 'code' else self.stored_scales)[column, place]}"}
                raise InputError(f"{part} {place} of column {column} is no number", field="weights", facts=facts)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.codes.shape

    @property
    def length(self) -> int:
        """K."""
        return int(self.codes.shape[-1])

    def rows(self, which: slice) -> Self:
        kept = {"codes": self.codes[which], "scales": self.scales[which], "stored_scales": self.stored_scales[which]}
        return replace(self, **kept)  # type: ignore[arg-type]

    def decode(self) -> NDArray[np.float64]:
        """The weights; exact but for NF4's, whose entries and scales both have 24 bits."""
        values: NDArray[np.float64] = self.table[self.codes] * spread(self.scales, self.size, self.length)
        return values

    def dequantise_fp16(self) -> NDArray[np.float16]:
        """The values, to nearest even; an InputError where one is beyond FP16."""
        with np.errstate(over="ignore"):
            halves = self.decode().astype(np.float16)
        fp16.refuse_nonfinite(halves, "weights in FP16")
        return halves


def spread(scales: NDArray[Any], size: int, length: int) -> NDArray[Any]:
    """Of each group (columns, groups), for each weight (columns, K)."""
    return scales.repeat(size, axis=-1)[..., :length]


def largest(weights: NDArray[np.floating[Any]], size: int) -> NDArray[np.float32]:
    """Largest magnitude of each group, in binary32."""
    from sim.formats import groups

    found: NDArray[np.float32] = np.abs(groups.split(weights.astype(np.float32), size)).max(axis=-1)
    return found
