"""How far outputs are from those of FP16 activations: sums that add up over panels, layers and modules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Quality:
    """Sums over the finite outputs y and their references r."""

    count: int = 0
    overflows: int = 0
    references_squared: float = 0.0
    outputs_squared: float = 0.0
    products: float = 0.0
    errors_squared: float = 0.0
    errors: float = 0.0
    largest_error: float = 0.0

    @classmethod
    def of(cls, outputs: NDArray[np.floating[Any]], references: NDArray[np.float64]) -> Self:
        """Compare arrays of one shape."""
        finite = np.isfinite(outputs)
        y, r = outputs[finite].astype(np.float64), references[finite]
        error = np.abs(y - r)
        return cls(
            count=y.size,
            overflows=outputs.size - y.size,
            references_squared=float(r @ r),
            outputs_squared=float(y @ y),
            products=float(y @ r),
            errors_squared=float(error @ error),
            errors=float(error.sum()),
            largest_error=float(error.max(initial=0)),
        )

    def __add__(self, other: Quality) -> Quality:
        return Quality(
            self.count + other.count,
            self.overflows + other.overflows,
            self.references_squared + other.references_squared,
            self.outputs_squared + other.outputs_squared,
            self.products + other.products,
            self.errors_squared + other.errors_squared,
            self.errors + other.errors,
            max(self.largest_error, other.largest_error),
        )

    @property
    def sqnr_decibels(self) -> float:
        """Signal to quantisation noise: 10 log10(sum r^2 / sum (y - r)^2); infinite where nothing differs."""
        if self.errors_squared == 0:
            return math.inf
        return 10 * math.log10(self.references_squared / self.errors_squared) if self.references_squared else -math.inf

    @property
    def mean_error(self) -> float:
        """Mean |y - r|."""
        return self.errors / self.count if self.count else 0.0

    @property
    def cosine(self) -> float:
        """Of the angle between y and r; 1 where both are zero."""
        norms = math.sqrt(self.outputs_squared * self.references_squared)
        return self.products / norms if norms else float(self.outputs_squared == self.references_squared)
