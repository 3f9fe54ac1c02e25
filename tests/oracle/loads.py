"""Loaders and buffers: chunks from DRAM to where they are ready."""

from __future__ import annotations

from numba import njit

from tests.oracle.channel import request
from tests.oracle.nest import at_first, ceil, chunk_bytes, through, walk
from tests.oracle.records import (
    ARRIVED,
    BLOCKS,
    BUFFER,
    FILL_BEATS,
    FILLED,
    FILLED_SIDE,
    IDLE,
    IN_DRAM,
    LAUNCHED,
    LOADER,
    LOADS,
    NEVER,
    NO_BUFFER_SPACE,
    READY,
    REQUESTED,
    REQUESTS,
    SPACE,
)
from tests.oracle.work import ended, start


@njit
def loader(m, s, now, operand):
    """A block, then bytes, then a load must be free; the request leaves a cycle later."""
    unit = LOADER + operand
    at = s.at[unit]
    asked = ended(s, unit, now)
    if asked:
        data, side = chunk_bytes(m, operand, at)
        s.counts[REQUESTS + operand] += 1
        s.counts[REQUESTED + operand] += request(m, s, now, operand, data + side)
        walk(m, at, s.loops[operand])
        look_ahead(m, s, operand)
    if s.wake[unit] != NEVER:
        return False
    if not s.have[LAUNCHED] or through(m, at):
        s.doing[unit] = IDLE
        return asked
    opens, data = s.next_opens[operand], s.next_bytes[operand]
    if (opens and not s.have[BLOCKS + operand]) or s.have[SPACE + operand] < data:
        s.doing[unit] = NO_BUFFER_SPACE
    elif not s.have[LOADS + operand]:
        s.doing[unit] = IN_DRAM
    else:
        s.have[BLOCKS + operand] -= opens
        s.have[SPACE + operand] -= data
        s.have[LOADS + operand] -= 1
        start(s, unit, now, 1)
        return True
    return asked


@njit
def look_ahead(m, s, operand):
    """What the next chunk needs."""
    at = s.at[LOADER + operand]
    if not through(m, at):
        s.next_bytes[operand] = chunk_bytes(m, operand, at)[0]
        s.next_opens[operand] = at_first(at, s.inside[operand])


@njit
def fill(m, s, now, operand):
    """A chunk passes the fill port, without what lies in the memory beside the buffer."""
    unit = BUFFER + operand
    filled = ended(s, unit, now)
    if filled:
        s.have[READY + operand] += 1
        walk(m, s.at[unit], s.loops[operand])
    if s.wake[unit] != NEVER:
        return False
    if not s.have[ARRIVED + operand]:
        s.doing[unit] = IDLE
        return filled
    s.have[ARRIVED + operand] -= 1
    data, side = chunk_bytes(m, operand, s.at[unit])
    beats = ceil(8 * data, m.fill_port_bits[operand])
    s.counts[FILLED + operand] += data
    s.counts[FILLED_SIDE + operand] += side
    s.counts[FILL_BEATS + operand] += beats
    start(s, unit, now, beats)
    return True
