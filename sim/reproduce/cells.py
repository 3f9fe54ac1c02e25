"""A number of the paper, the simulated one, and how far they are apart.

    Section  a table or figure of the paper, or a question beyond it
      Table    rows x columns of one quantity
        Cell     simulated value, paper's value where there is one, verdict

An input (a number of the paper that a cost table was made of) is shown and never counted as a match.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Verdict(StrEnum):
    WITHIN = "within"
    OUTSIDE = "outside"
    EXEMPT = "exempt"
    """Outside, where the paper contradicts itself."""
    INPUT = "input"
    ALONE = "no counterpart"
    """Simulated, and not in the paper."""


@dataclass(frozen=True)
class Tolerance:
    """How a difference is measured and how large it may be; above `reason_above` it needs a reason."""

    name: str
    limit: float
    reason_above: float
    relative: bool = False

    def difference(self, simulated: float, paper: float) -> float:
        """Relative, else in the cell's own unit of measure."""
        return simulated / paper - 1 if self.relative else simulated - paper


RATIO = Tolerance("2 %", 0.02, 0.02, relative=True)
ENERGY = Tolerance("5 %", 0.05, 0.02, relative=True)
SAVING = Tolerance("0.01", 0.01, 0.01)
POINTS = Tolerance("2 points", 2, 2)
EXACT = Tolerance("equal", 0, 0)


@dataclass(frozen=True)
class AtLeast(Tolerance):
    """The paper gives a limit from below."""

    def difference(self, simulated: float, paper: float) -> float:
        return min(simulated - paper, 0.0)


FLOOR = AtLeast("at least", 0, 0)
UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class PaperCell:
    """One number; `reason` says why it differs by more than `tolerance.reason_above`."""

    row: str
    column: str
    simulated: float
    paper: float | None = None
    tolerance: Tolerance | None = RATIO
    is_input: bool = False
    reason: str = ""
    exempt: bool = False

    @property
    def difference(self) -> float | None:
        if self.paper is None:
            return None
        return (self.tolerance or RATIO).difference(self.simulated, self.paper)

    @property
    def verdict(self) -> Verdict:
        if self.difference is None or self.tolerance is None:
            return Verdict.ALONE
        if self.is_input:
            return Verdict.INPUT
        if abs(self.difference) <= self.tolerance.limit:
            return Verdict.WITHIN
        return Verdict.EXEMPT if self.exempt else Verdict.OUTSIDE

    @property
    def needs_reason(self) -> bool:
        """Whether the difference is larger than may stay without a word; inputs never are results that miss."""
        if self.difference is None or self.tolerance is None or self.is_input:
            return False
        return abs(self.difference) > self.tolerance.reason_above


def alone(row: str, column: str, simulated: float) -> PaperCell:
    """A simulated number that the paper has no counterpart of."""
    return PaperCell(row, column, simulated, tolerance=None)


@dataclass(frozen=True)
class Table:
    """Cells of one quantity.

    Parameters
    ----------
    quantity
        What the cells hold, with its unit of measure; the axis title of the picture.
    digits
        Decimals shown.
    picture
        How it is drawn: `bars`, `stacks`, `lines` (columns are numbers), or not at all.
    corner
        What the rows are.
    """

    name: str
    quantity: str
    cells: tuple[PaperCell, ...]
    digits: int = 2
    unit: str = ""
    picture: str = ""
    corner: str = "machine"
    note: str = ""
    x_title: str = ""
    log_x: bool = False

    @property
    def rows(self) -> list[str]:
        return list(dict.fromkeys(cell.row for cell in self.cells))

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(cell.column for cell in self.cells))

    def at(self, row: str, column: str) -> PaperCell | None:
        return next((cell for cell in self.cells if (cell.row, cell.column) == (row, column)), None)


@dataclass(frozen=True)
class PaperSection:
    """One part of the reproduction; `place` is where the paper has it, empty beyond the paper."""

    name: str
    title: str
    tables: tuple[Table, ...]
    place: str = ""
    note: str = ""

    def with_tables(self, tables: Sequence[Table]) -> PaperSection:
        return replace(self, tables=tuple(tables))
