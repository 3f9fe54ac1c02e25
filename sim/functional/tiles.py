"""Output tiles of a plan in the order in which the MXU finishes them, and panels that gather them for fast products.

A panel is made of whole outer blocks: a rectangle that its tiles fill without gap or overlap. No output depends on
how tiles are gathered, since each runs over its groups of K in order whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sim.mapping.nest import TileCursor
from sim.mapping.plan import Plan

PANEL_OUTPUTS = 1 << 21


class Tile(NamedTuple):
    """Outputs [row, row + rows) x [column, column + columns)."""

    row: int
    column: int
    rows: int
    columns: int


class Panel(NamedTuple):
    row: int
    column: int
    rows: int
    columns: int
    tiles: int


class CoverageError(Exception):
    """The tiles of a plan leave an output out, or write one twice."""


def output_tiles(plan: Plan) -> Iterator[Tile]:
    """The output tiles that close, in order."""
    cursor = TileCursor(plan)
    while not cursor.done:
        op = cursor.present()
        if op.closes_tile:
            outer, inner = cursor.outer, cursor.inner
            token_block, output_block = (outer, inner) if plan.order == "tokens_outer" else (inner, outer)
            yield Tile(
                token_block * plan.tokens.block + cursor.row * plan.tokens.tile,
                output_block * plan.outputs.block + cursor.column * plan.outputs.tile,
                op.rows,
                op.columns,
            )
        cursor.step()


def panels(plan: Plan) -> Iterator[Panel]:
    """Rectangles of at least PANEL_OUTPUTS outputs, the last perhaps smaller, that the tiles fill in turn.

    Raises
    ------
    CoverageError
        Where an output is written twice or never.
    """
    gathered: list[Tile] = []
    top = left = area = begin = 0
    bottom = right = 0
    for tile in output_tiles(plan):
        if not gathered:
            top, left, bottom, right = tile.row, tile.column, 0, 0
        gathered.append(tile)
        area += tile.rows * tile.columns
        top, left = min(top, tile.row), min(left, tile.column)
        bottom, right = max(bottom, tile.row + tile.rows), max(right, tile.column + tile.columns)
        if area >= PANEL_OUTPUTS and area == (bottom - top) * (right - left):
            panel = Panel(top, left, bottom - top, right - left, len(gathered))
            if _whole(panel, plan):
                begin = _checked(panel, gathered, begin, plan)
                yield panel
                gathered, area = [], 0
    if gathered:
        panel = Panel(top, left, bottom - top, right - left, len(gathered))
        begin = _checked(panel, gathered, begin, plan)
        yield panel
    if begin != plan.outer.size:
        raise CoverageError(f"{plan.gemm.name}: outputs beyond {begin} of {plan.outer.size} are never written")


def _whole(panel: Panel, plan: Plan) -> bool:
    """Whether a full panel ends with an outer block."""
    if plan.order == "tokens_outer":
        return panel.columns == plan.outputs.size
    return panel.rows == plan.tokens.size


def _checked(panel: Panel, tiles: list[Tile], begin: int, plan: Plan) -> int:
    """Where the next panel has to begin, in the outer dimension.

    Raises
    ------
    CoverageError
        Where the panel does not follow the one before, or its tiles do not fill it exactly once.
    """
    outer = panel.row if plan.order == "tokens_outer" else panel.column
    size = panel.rows if plan.order == "tokens_outer" else panel.columns
    if outer != begin or not _whole(panel, plan):
        raise CoverageError(f"{plan.gemm.name}: outputs between {begin} and {outer} are never written, or twice")
    # On the grid of all edges of tiles, a cell is written by a tile or not at all: sums of corners count how often.
    edges = np.array(tiles)
    ends = edges[:, :2] + edges[:, 2:]
    rows, columns = np.unique([edges[:, 0], ends[:, 0]]), np.unique([edges[:, 1], ends[:, 1]])
    corners = np.zeros((len(rows), len(columns)), np.int64)
    for row, column, sign in ((edges, edges, 1), (edges, ends, -1), (ends, edges, -1), (ends, ends, 1)):
        np.add.at(corners, (np.searchsorted(rows, row[:, 0]), np.searchsorted(columns, column[:, 1])), sign)
    written = corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    if not (written == 1).all():
        problem = "written twice" if (written > 1).any() else "never written"
        raise CoverageError(f"{plan.gemm.name}: an output of {panel} is {problem}")
    return outer + size
