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


EMPTY = Panel(0, 0, 0, 0, 0)


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
    written = np.zeros((plan.tokens.size, plan.outputs.size), np.bool_)
    panel, area = EMPTY, 0
    for tile in output_tiles(plan):
        region = written[tile.row : tile.row + tile.rows, tile.column : tile.column + tile.columns]
        if region.any():
            raise CoverageError(f"{plan.gemm.name}: an output of {tile} is written twice")
        region[:] = True
        panel = _around(panel, tile)
        area += tile.rows * tile.columns
        if area >= PANEL_OUTPUTS and area == panel.rows * panel.columns and _whole(panel, plan):
            yield panel
            panel, area = EMPTY, 0
    if not written.all():
        raise CoverageError(f"{plan.gemm.name}: {written.size - int(written.sum())} outputs are never written")
    if area:
        yield panel


def _whole(panel: Panel, plan: Plan) -> bool:
    """Whether a full panel ends with an outer block."""
    if plan.order == "tokens_outer":
        return panel.columns == plan.outputs.size
    return panel.rows == plan.tokens.size


def _around(panel: Panel, tile: Tile) -> Panel:
    """The smallest panel that holds both."""
    if not panel.tiles:
        return Panel(*tile, tiles=1)
    row, column = min(panel.row, tile.row), min(panel.column, tile.column)
    rows = max(panel.row + panel.rows, tile.row + tile.rows) - row
    columns = max(panel.column + panel.columns, tile.column + tile.columns) - column
    return Panel(row, column, rows, columns, panel.tiles + 1)
