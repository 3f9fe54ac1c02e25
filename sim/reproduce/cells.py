"""A number of the paper, the simulated one, and how far they are apart.

    Section  a table or figure of the paper, or a question beyond it
      Table    rows x columns of one quantity
        Cell     simulated value, paper's value where there is one, its role, verdict

Only predictions are judged, by their relative error. What went into the simulator, what follows from that by
arithmetic, and what was chosen so that it comes out is shown beside the paper's numbers and never counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median


class Role(StrEnum):
    """What a number of the paper is to the simulator."""

    INPUT = "input"
    """It went in, is 1 by definition, or follows by arithmetic from what went in; no time is involved."""
    FITTED = "fitted"
    """Something was chosen so that it, or what it follows from, comes out."""
    PREDICTED = "predicted"
    """Simulated without it."""


class Verdict(StrEnum):
    WITHIN = "within"
    OUTSIDE = "outside"
    EXEMPT = "exempt"
    """Outside, where the paper contradicts itself."""
    FITTED = "fitted"
    INPUT = "input"
    ALONE = "no counterpart"
    """Simulated, and not in the paper."""


@dataclass(frozen=True)
class Tolerance:
    """How large a relative error may be; above `reason_above` it needs a reason."""

    limit: float
    reason_above: float = 0.02

    @property
    def name(self) -> str:
        return f"{100 * self.limit:g} %"


RATIO = Tolerance(0.02)
ENERGY = Tolerance(0.05)
UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class PaperCell:
    """One number; `reason` says why it differs by more than `tolerance.reason_above`.

    Attributes
    ----------
    role
        None: of a simulated number without a counterpart, or of two that the paper prints.
    """

    row: str
    column: str
    simulated: float
    paper: float | None = None
    role: Role | None = None
    tolerance: Tolerance = RATIO
    reason: str = ""
    exempt: bool = False

    @property
    def difference(self) -> float | None:
        """Relative error."""
        return None if self.paper is None else self.simulated / self.paper - 1

    @property
    def verdict(self) -> Verdict:
        if self.difference is None or self.role is None:
            return Verdict.ALONE
        if self.role is not Role.PREDICTED:
            return Verdict(self.role.value)
        if abs(self.difference) <= self.tolerance.limit:
            return Verdict.WITHIN
        return Verdict.EXEMPT if self.exempt else Verdict.OUTSIDE

    @property
    def needs_reason(self) -> bool:
        """Whether the error is larger than may stay without a word; inputs never are results that miss."""
        if self.difference is None or self.role in (None, Role.INPUT):
            return False
        return abs(self.difference) > self.tolerance.reason_above


def alone(row: str, column: str, simulated: float) -> PaperCell:
    """A simulated number that the paper has no counterpart of."""
    return PaperCell(row, column, simulated)


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


@dataclass(frozen=True)
class Score:
    """How the predictions among some cells came out: their number, those within, and relative errors without a sign."""

    predictions: int
    within: int
    median: float
    largest: float


def score(cells: Iterable[PaperCell]) -> Score | None:
    """Of the predictions; None where there are none."""
    judged = [cell for cell in cells if cell.role is Role.PREDICTED and cell.difference is not None]
    if not judged:
        return None
    errors = [abs(cell.difference) for cell in judged if cell.difference is not None]
    within = sum(cell.verdict is Verdict.WITHIN for cell in judged)
    return Score(len(judged), within, median(errors), max(errors))
