"""Reasons for differences, from remarks.yaml; a cell that misses without one is `unexplained`."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

import yaml
from pydantic import TypeAdapter

from sim.reproduce.cells import UNEXPLAINED, PaperCell, PaperSection
from sim.section import Section


class Remark(Section):
    """A reason and the cells it is about; `rows` and `columns` name them, all where absent."""

    section: str
    table: str
    rows: list[str] | None = None
    columns: list[str] | None = None
    reason: str
    exempt: bool = False

    def about(self, section: str, table: str, cell: PaperCell) -> bool:
        return (
            (self.section, self.table) == (section, table)
            and (self.rows is None or cell.row in self.rows)
            and (self.columns is None or cell.column in self.columns)
        )


@cache
def remarks() -> list[Remark]:
    """All remarks."""
    text = files("sim.reproduce").joinpath("remarks.yaml").read_text(encoding="utf-8")
    return TypeAdapter(list[Remark]).validate_python(yaml.safe_load(text))


def explained(section: PaperSection) -> PaperSection:
    """The section with a reason in every cell that needs one."""
    tables = (
        replace(table, cells=tuple(_explained(section.name, table.name, cell) for cell in table.cells))
        for table in section.tables
    )
    return replace(section, tables=tuple(tables))


def _explained(section: str, table: str, cell: PaperCell) -> PaperCell:
    if not cell.needs_reason:
        return replace(cell, reason="") if cell.reason else cell
    if cell.reason:
        return cell
    remark = next((remark for remark in remarks() if remark.about(section, table, cell)), None)
    if remark is None:
        return replace(cell, reason=UNEXPLAINED)
    return replace(cell, reason=remark.reason, exempt=remark.exempt)
