"""The loop nest that every automaton walks, and the bytes of what lies at a position.

outer block > inner block > row tile > run of column tiles > tile > chunk of K > digit of a group
"""

from __future__ import annotations

import numpy as np
from numba import njit

from tests.oracle.records import ACTIVATIONS, CHUNK, CHUNKS, GROUP, INNER, LEVELS, OUTER, ROW, RUN, TILE, WEIGHTS


@njit
def ceil(dividend, divisor):
    return -(-dividend // divisor)


@njit
def block_tokens(m, at):
    return min(m.token_block, m.tokens - m.token_block * at[OUTER if m.tokens_outer else INNER])


@njit
def block_outputs(m, at):
    return min(m.output_block, m.outputs - m.output_block * at[INNER if m.tokens_outer else OUTER])


@njit
def run_columns(m, at):
    width = m.run_tiles * m.tile_columns
    return min(width, block_outputs(m, at) - at[RUN] * width)


@njit
def tile_rows(m, at):
    return min(m.rows, block_tokens(m, at) - at[ROW] * m.rows)


@njit
def tile_columns(m, at):
    return min(m.tile_columns, run_columns(m, at) - at[TILE] * m.tile_columns)


@njit
def chunk_values(m, at):
    """Values of K, padding not counted."""
    return min(m.chunk_groups * m.group, m.k - at[CHUNK] * m.chunk_groups * m.group)


@njit
def iterations(m, at, level):
    """Of a level's loop, in the present body of the loops around it."""
    if level == OUTER:
        return m.outer_blocks
    if level == INNER:
        return m.inner_blocks
    if level == ROW:
        return ceil(block_tokens(m, at), m.rows)
    if level == RUN:
        return ceil(block_outputs(m, at), m.run_tiles * m.tile_columns)
    if level == TILE:
        return ceil(run_columns(m, at), m.tile_columns)
    if level == CHUNK:
        return m.chunks
    return m.passes * ceil(chunk_groups(m, at), m.parts)


@njit
def chunk_groups(m, at):
    return min(m.chunk_groups, m.groups - at[CHUNK] * m.chunk_groups)


@njit
def walk(m, at, loops):
    """One step through some of the loops; the outermost is always among them."""
    for level in range(GROUP, OUTER, -1):
        if loops >> level & 1:
            at[level] += 1
            if at[level] < iterations(m, at, level):
                return
            at[level] = 0
    at[OUTER] += 1


@njit
def through(m, at):
    return at[OUTER] == m.outer_blocks


@njit
def at_first(at, loops):
    first = True
    for level in range(LEVELS):
        if loops >> level & 1:
            first &= at[level] == 0
    return first


@njit
def at_last(m, at, loops):
    last = True
    for level in range(LEVELS):
        if loops >> level & 1:
            last &= at[level] + 1 == iterations(m, at, level)
    return last


@njit
def activation_bytes(mantissa_bits, group, rows, groups, values):
    """Sign and mantissa planes of whole groups, and exponents beside them; or FP16."""
    if mantissa_bits:
        return rows * groups * group * (1 + mantissa_bits) // 8, ceil(rows * groups * 5, 8)
    return 2 * rows * values, 0


@njit
def chunk_bytes(m, operand, at):
    """In the operand's buffer, and in the memory beside it."""
    values = chunk_values(m, at)
    if operand == WEIGHTS:
        scales = ceil(values, m.weight_group) * m.scale_bits
        return ceil(tile_columns(m, at) * (values * m.weight_bits + scales), 8), 0
    if m.token_bits:
        return tile_rows(m, at) * (ceil(values * m.token_bits, 8) + 2), 0
    return activation_bytes(m.mantissa_bits, m.group, tile_rows(m, at), ceil(values, m.group), values)


@njit
def plan(m, s, operand):
    """Keep an operand's block, tile by tile, where all of it fits its buffer; else stream it for every tile."""
    across = 1 << ROW if operand == WEIGHTS else 1 << RUN | 1 << TILE
    if (operand == ACTIVATIONS) == (m.tokens_outer == 1):
        across |= 1 << INNER
    loops = CHUNKS & ~across
    at = np.zeros(LEVELS, np.int64)
    data = side = 0
    while at[OUTER] == at[INNER] == 0:
        here, beside = chunk_bytes(m, operand, at)
        data += here
        side += beside
        walk(m, at, loops)
    fits = data <= m.buffer_bytes[operand] and side <= m.side_bytes[operand]
    s.loops[operand] = loops if fits else CHUNKS
    s.inside[operand] = loops & ~(1 << OUTER | 1 << INNER) if fits else 1 << CHUNK
