"""Energy, area and leakage of an SRAM macro, from a table made with CACTI 7 (sram_cacti.csv, its source in line 1).

Between the table's sizes and widths figures are interpolated linearly in logarithms; outside it is an error.
"""

from __future__ import annotations

import csv
import math
from bisect import bisect_left
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("sram_cacti.csv")


@dataclass(frozen=True)
class Macro:
    """Figures of one macro: energy an access of its full width, area, leakage."""

    read_picojoules: float
    write_picojoules: float
    area_square_millimetres: float
    leakage_milliwatts: float


class OutsideSramTableError(LookupError):
    """A macro that the table does not cover: what was asked for and what there is."""

    def __init__(self, quantity: str, asked: int, smallest: int, largest: int) -> None:
        self.quantity, self.asked, self.smallest, self.largest = quantity, asked, smallest, largest
        super().__init__(f"{quantity} {asked} outside {smallest} to {largest}")


@cache
def _table() -> dict[int, dict[tuple[int, int], Macro]]:
    rows: dict[int, dict[tuple[int, int], Macro]] = {}
    with TABLE.open(newline="") as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            key = (int(row["capacity_bytes"]), int(row["width_bits"]))
            macro = Macro(*(float(row[field.name]) for field in fields(Macro)))
            rows.setdefault(int(row["node_nanometres"]), {})[key] = macro
    return rows


@cache
def macro(node_nanometres: int, capacity_bytes: int, width_bits: int) -> Macro:
    """Figures of a macro of a size and width.

    Raises
    ------
    OutsideTableError
        Where size or width lie outside the table.
    """
    table = _table()[node_nanometres]
    corners = [
        (capacity, width, capacity_share * width_share)
        for capacity, capacity_share in _neighbours("bytes", sorted({c for c, _ in table}), capacity_bytes)
        for width, width_share in _neighbours("width in bits", sorted({w for _, w in table}), width_bits)
    ]
    return Macro(
        *(
            math.exp(sum(share * math.log(getattr(table[c, w], field.name)) for c, w, share in corners))
            for field in fields(Macro)
        )
    )


def _neighbours(quantity: str, known: list[int], asked: int) -> list[tuple[int, float]]:
    """The known values on both sides, and the share of each."""
    if not known[0] <= asked <= known[-1]:
        raise OutsideSramTableError(quantity, asked, known[0], known[-1])
    above = bisect_left(known, asked)
    if known[above] == asked:
        return [(asked, 1.0)]
    low, high = known[above - 1], known[above]
    share = math.log(asked / low) / math.log(high / low)
    return [(low, 1 - share), (high, share)]
