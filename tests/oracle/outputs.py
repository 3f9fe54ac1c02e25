"""Collector, compressor and writer: finished tiles to DRAM."""

from __future__ import annotations

from numba import njit

from tests.oracle.channel import request
from tests.oracle.nest import activation_bytes, at_last, ceil, run_columns, tile_columns, tile_rows, walk
from tests.oracle.records import (
    ADDITIONS,
    BPC,
    BPC_GROUPS,
    BPC_ROWS,
    CLOSED,
    COLLECTOR,
    DEPENDENCY,
    DRAIN_BEATS,
    DRAINED,
    EMITTING,
    FINISHED,
    GATHER,
    GATHERED,
    IDLE,
    IN_DRAM,
    NEVER,
    NO_OUTPUT_SPACE,
    OUTPUTS,
    PLACES,
    REGISTERS,
    RUNS,
    SLOTS,
    STORED,
    STORES,
    TILE,
    TILES,
    VALUES,
    WRITER,
    WRITTEN,
)
from tests.oracle.work import ended, start


@njit
def collector(m, s, now):
    """Drains tiles into the gather registers of the compressor, or straight into a slot of the writer."""
    space, gathered = (GATHER, GATHERED) if m.lanes else (SLOTS, FINISHED)
    at = s.at[COLLECTOR]
    delayed = s.doing[COLLECTOR] == DEPENDENCY
    drained = ended(s, COLLECTOR, now) and not delayed
    if drained:
        s.have[DRAINED] += 1
        s.have[REGISTERS] += 1
        s.have[gathered] += at_last(m, at, 1 << TILE)
        walk(m, at, TILES)
    if s.wake[COLLECTOR] != NEVER:
        return False
    ready_at = s.ready_at[s.have[DRAINED] % PLACES]
    if s.have[DRAINED] == s.have[CLOSED]:
        s.doing[COLLECTOR] = IDLE
    elif ready_at > now:
        s.doing[COLLECTOR] = DEPENDENCY
        s.wake[COLLECTOR] = ready_at
    elif at[TILE] == 0 and not s.have[space]:
        s.doing[COLLECTOR] = NO_OUTPUT_SPACE
    else:
        s.have[space] -= at[TILE] == 0
        beats = ceil(min(tile_rows(m, at), m.mxu_rows) * m.columns * (32 if m.parts > 1 else 16), m.collector_port_bits)
        s.counts[ADDITIONS] += tile_rows(m, at) * tile_columns(m, at) * (m.parts - 1)
        s.counts[DRAIN_BEATS] += beats
        start(s, COLLECTOR, now, beats)
        return True
    return drained


@njit
def bpc(m, s, now):
    """One cycle hands a run to the lanes; then a sign row and the planes of as many groups at a time as lanes."""
    at = s.at[BPC]
    acted = ended(s, BPC, now)
    if acted and s.have[EMITTING]:
        s.have[EMITTING] = 0
        s.have[FINISHED] += 1
        walk(m, at, RUNS)
    elif acted:
        s.have[EMITTING] = 1
        s.have[GATHER] += 1
        groups = tile_rows(m, at) * ceil(run_columns(m, at), m.group)
        rows = ceil(groups, m.lanes) * (1 + m.output_mantissa_bits)
        s.counts[BPC_GROUPS] += groups
        s.counts[BPC_ROWS] += rows
        start(s, BPC, now, rows)
    if s.wake[BPC] != NEVER:
        return acted
    if not s.have[GATHERED]:
        s.doing[BPC] = IDLE
    elif not s.have[SLOTS]:
        s.doing[BPC] = NO_OUTPUT_SPACE
    else:
        s.have[GATHERED] -= 1
        s.have[SLOTS] -= 1
        start(s, BPC, now, 1)
        return True
    return acted


@njit
def writer(m, s, now):
    """Sends one run at a time to DRAM."""
    at = s.at[WRITER]
    stored = s.have[STORED] == 1
    if stored:
        s.have[STORED] = 0
        s.have[SLOTS] += 1
        s.counts[STORES] += 1
        s.doing[WRITER] = IDLE
        walk(m, at, RUNS)
    if s.doing[WRITER] == IN_DRAM or not s.have[FINISHED]:
        return stored
    s.have[FINISHED] -= 1
    rows, columns = tile_rows(m, at), run_columns(m, at)
    data, side = activation_bytes(m.output_mantissa_bits, m.group, rows, ceil(columns, m.group), columns)
    s.counts[WRITTEN] += request(m, s, now, OUTPUTS, data + side)
    s.counts[VALUES] += rows * columns
    s.doing[WRITER] = IN_DRAM
    return True
