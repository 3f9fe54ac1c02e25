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
    across = plan.inner.size
    written = np.zeros((plan.tokens.size, plan.outputs.size), np.bool_)
    gathered: list[Tile] = []
    area = done = 0
    for tile in output_tiles(plan):
        region = written[tile.row : tile.row + tile.rows, tile.column : tile.column + tile.columns]
        if region.any():
            raise CoverageError(f"{plan.gemm.name}: an output of {tile} is written twice")
        region[:] = True
        gathered.append(tile)
        area += tile.rows * tile.columns
        # Whole outer blocks only: there the outputs done are a multiple of what lies across.
        if area >= PANEL_OUTPUTS and area % across == 0 and _box(gathered).rows * _box(gathered).columns == area:
            yield _box(gathered)
            gathered, done, area = [], done + area, 0
    if gathered:
        yield _box(gathered)
    if done + area != written.size:
        raise CoverageError(f"{plan.gemm.name}: {written.size - done - area} outputs are never written")


def _box(tiles: list[Tile]) -> Panel:
    row, column = min(tile.row for tile in tiles), min(tile.column for tile in tiles)
    rows = max(tile.row + tile.rows for tile in tiles) - row
    columns = max(tile.column + tile.columns for tile in tiles) - column
    return Panel(row, column, rows, columns, len(tiles))
