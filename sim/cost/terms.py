"""What a unit says of its cost: a price for each of its counters, standing power, and area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Group = Literal["compute", "sram", "dram"]
"""As in the paper's energy figure."""


@dataclass(frozen=True)
class CostTerms:
    """What one unit adds to one component of a machine.

    Parameters
    ----------
    component
        Whose energy and area it is, as results name it.
    picojoules
        Price of one, by counter.
    standing_milliwatts
        At work or not.
    area_square_millimetres
        None for what is not on the chip, or has no area of its own.
    """

    component: str
    picojoules: Mapping[str, float] = field(default_factory=dict)
    standing_milliwatts: float = 0.0
    area_square_millimetres: float | None = None
