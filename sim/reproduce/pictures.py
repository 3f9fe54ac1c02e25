"""A table drawn: bars by row, stacks of its columns, or lines along them; the paper's numbers are marks on top."""

from __future__ import annotations

import math
from itertools import cycle

from sim.report.markup import Html
from sim.report.vocabulary import SPARE
from sim.reproduce import svg
from sim.reproduce.cells import PaperCell, Table
from sim.reproduce.svg import Frame

PAPER = ("paper", "")
GROUPS = {"compute": "#0072B2", "sram": "#009E73", "dram": "#E69F00"}


def drawn(table: Table) -> Html | None:
    """The picture of a table; None where it has none."""
    kinds = {"bars": bars, "stacks": stacks, "lines": lines}
    return kinds[table.picture](table) if table.picture else None


def shown(table: Table, value: float) -> str:
    """A number as the table writes it."""
    return f"{value:.{table.digits}f}{'' if table.unit in ('', 'x') else ' '}{table.unit}"


def bars(table: Table) -> Html:
    """A group of bars a row, a bar a column."""
    frame, colours = Frame(280, bottom=30), _colours(table.columns)
    scale, grid = svg.upright(frame, _values(table))
    group = (frame.right - frame.left) / len(table.rows)
    width = 0.8 * group / len(table.columns)
    marks = [grid, svg.legend([*colours.items(), *_paper(table)], frame)]
    for index, row in enumerate(table.rows):
        start = frame.left + (index + 0.1) * group
        marks.append(svg.text(start + 0.4 * group, frame.floor + 18, row))
        for place, column in enumerate(table.columns):
            cell = table.at(row, column)
            if cell is None:
                continue
            x, y = start + place * width, scale(cell.simulated)
            told = _told(table, cell)
            marks.append(svg.rectangle(x, y, 0.94 * width, frame.floor - y, colours[column], told))
            if cell.paper is not None:
                level = scale(cell.paper)
                marks.append(svg.segment(x - 2, level, x + 0.94 * width + 2, level, stroke_width="2.5"))
    return svg.picture(frame, marks, table.quantity)


def stacks(table: Table) -> Html:
    """Two bars a row, simulated over printed, each a stack of the columns."""
    pitch, thick, paper = 46.0, 16.0, any(cell.paper is not None for cell in table.cells)
    frame = Frame(svg.TOP + pitch * len(table.rows) + 56, bottom=52, left=100)
    sums = [sum(cell.simulated for cell in table.cells if cell.row == row) for row in table.rows]
    factor = (frame.right - frame.left) / (1.05 * max(sums))
    colours = {column: GROUPS.get(column, colour) for column, colour in _colours(table.columns).items()}
    marks = [svg.legend([*colours.items()], frame)]
    for value in svg.ticks(1.05 * max(sums)):
        x = frame.left + factor * value
        marks.append(svg.segment(x, svg.TOP, x, frame.floor, stroke_opacity="0.18"))
        marks.append(svg.text(x, frame.floor + 16, f"{value:g}"))
    marks.append(svg.text(frame.left, frame.height - 12, _stack_title(table, paper), "start"))
    for index, row in enumerate(table.rows):
        y = svg.TOP + pitch * index + 6
        marks.append(svg.text(frame.left - 8, y + thick + 2, row, "end"))
        cells = [cell for cell in table.cells if cell.row == row]
        simulated = [(cell, cell.simulated) for cell in cells]
        printed = [(cell, cell.paper) for cell in cells if cell.paper is not None]
        for top, opacity, stack in ((y, 1.0, simulated), (y + thick + 1, 0.45, printed)):
            x = frame.left
            for cell, value in stack:
                length, told = factor * value, _told(table, cell)
                marks.append(svg.rectangle(x, top, length, thick, colours[cell.column], told, opacity))
                x += length
    return svg.picture(frame, marks, table.quantity)


def _stack_title(table: Table, paper: bool) -> str:
    return f"{table.quantity}; simulated above, paper below and paler" if paper else table.quantity


def lines(table: Table) -> Html:
    """A line a row along columns that are numbers; rings are the paper's."""
    frame, colours = Frame(300, bottom=48), _colours(table.rows)
    scale, grid = svg.upright(frame, _values(table))
    place = math.log2 if table.log_x else float
    xs = [place(float(column)) for column in table.columns]
    first, last = min(xs), max(xs)

    def across(column: str) -> float:
        share = (place(float(column)) - first) / (last - first or 1)
        return frame.left + 20 + share * (frame.right - frame.left - 40)

    marks = [grid, svg.legend([*colours.items()], frame)]
    marks += [svg.text(across(column), frame.floor + 18, column) for column in table.columns]
    marks.append(svg.text((frame.left + frame.right) / 2, frame.floor + 40, table.x_title))
    for row in table.rows:
        cells = [cell for cell in table.cells if cell.row == row]
        marks.append(svg.path([(across(cell.column), scale(cell.simulated)) for cell in cells], colours[row]))
        for cell in cells:
            x, told = across(cell.column), _told(table, cell)
            marks.append(svg.dot(x, scale(cell.simulated), colours[row], told))
            if cell.paper is not None:
                marks.append(svg.dot(x, scale(cell.paper), colours[row], told, filled=False))
    return svg.picture(frame, marks, table.quantity)


def _paper(table: Table) -> list[tuple[str, str]]:
    return [PAPER] if any(cell.paper is not None for cell in table.cells) else []


def _values(table: Table) -> list[float]:
    return [value for cell in table.cells for value in (cell.simulated, cell.paper) if value is not None]


def _colours(names: list[str]) -> dict[str, str]:
    return dict(zip(names, cycle(SPARE), strict=False))


def _told(table: Table, cell: PaperCell) -> str:
    paper = "" if cell.paper is None else f", paper {shown(table, cell.paper)}"
    return f"{cell.row}, {cell.column}: {shown(table, cell.simulated)}{paper}"
