"""Weight dispatcher and MXU, group by group; the activation dispatcher moves with the MXU."""

from __future__ import annotations

from numba import njit

from tests.oracle.nest import (
    at_first,
    at_last,
    ceil,
    chunk_bytes,
    chunk_groups,
    chunk_values,
    iterations,
    through,
    tile_columns,
    tile_rows,
    walk,
)
from tests.oracle.records import (
    ACTIVATION_BEATS,
    ACTIVATION_BITS,
    ACTIVATION_PORT,
    ACTIVATIONS,
    ALL,
    BLOCKS,
    BUSY,
    CHUNK,
    CHUNKS,
    CLOSED,
    EXPONENT_BITS,
    FILL_CYCLES,
    GROUP,
    GROUPS,
    IDLE,
    MACS,
    MXU,
    NEVER,
    NO_ACTIVATIONS,
    NO_OUTPUT_SPACE,
    NO_WEIGHTS,
    PE_CYCLES,
    PLACES,
    READY,
    REGISTERS,
    SCALE_BITS,
    SHADOW,
    SPACE,
    TILES_DONE,
    WAITED,
    WEIGHT_BEATS,
    WEIGHT_BITS,
    WEIGHT_PORT,
    WEIGHTS,
)
from tests.oracle.work import ended, start


@njit
def takes(s, at, operand):
    """Whether a chunk is used for the first time since it was loaded."""
    return at[GROUP] == 0 and at_first(at, CHUNKS & ~s.loops[operand])


@njit
def free(m, s, at, operand):
    """Release a chunk after its last group where it is not used again."""
    if at_last(m, at, 1 << GROUP) and at_last(m, at, CHUNKS & ~s.loops[operand]):
        s.have[SPACE + operand] += chunk_bytes(m, operand, at)[0]
        s.have[BLOCKS + operand] += at_last(m, at, s.inside[operand])


@njit
def weight_dispatcher(m, s, now):
    """Loads the weights of a group into the shadow registers while the MXU computes the group before."""
    at = s.at[WEIGHT_PORT]
    loaded = ended(s, WEIGHT_PORT, now)
    if loaded:
        s.have[SHADOW] = 1
        walk(m, at, ALL)
    if s.wake[WEIGHT_PORT] != NEVER:
        return False
    if s.have[SHADOW]:
        s.doing[WEIGHT_PORT] = NO_OUTPUT_SPACE
    elif through(m, at):
        s.doing[WEIGHT_PORT] = IDLE
    elif takes(s, at, WEIGHTS) and not s.have[READY + WEIGHTS]:
        s.doing[WEIGHT_PORT] = NO_WEIGHTS
    else:
        if at[GROUP] == 0:
            s.have[READY + WEIGHTS] -= takes(s, at, WEIGHTS)
            open_weights(m, s, at)
        start(s, WEIGHT_PORT, now, s.pace[WEIGHT_PORT])
        return True
    return loaded


@njit
def open_weights(m, s, at):
    """Each MXU has a port for the weights of its columns; scales and zero points enter beside them."""
    columns, bits, groups = tile_columns(m, at), m.group * m.digit_bits, iterations(m, at, GROUP)
    s.pace[WEIGHT_PORT] = port_cycles(m, at)
    s.counts[WEIGHT_BEATS] += groups * s.pace[WEIGHT_PORT]
    s.counts[WEIGHT_BITS] += m.passes * chunk_groups(m, at) * columns * (bits + m.scale_bits)


@njit
def port_cycles(m, at):
    """For the weights of a group; none after the last."""
    return (
        0 if through(m, at) else ceil(min(tile_columns(m, at), m.columns) * m.group * m.digit_bits, m.weight_port_bits)
    )


@njit
def wait(m, s, now, then):
    """Count what the MXU waits for between two events, beside a busy and beside an idle channel.

    Each group is owed the time that its weights need at the port, from when those before were taken; what comes before
    the first group is the fill.
    """
    cause = s.doing[MXU]
    if not s.counts[FILL_CYCLES] or not NO_WEIGHTS <= cause <= NO_OUTPUT_SPACE:
        return
    begin = max(now, s.port_until[0]) if cause == NO_WEIGHTS else now
    free = max(begin, ceil(s.channel[0], m.ticks_per_cycle))
    place = WAITED + 2 * (cause - NO_WEIGHTS)
    s.counts[place] += max(0, min(then, free) - begin)
    s.counts[place + 1] += max(0, then - free)


@njit
def mxu(m, s, now):
    """Swaps in the shadow weights and multiplies them with the words of one group."""
    at = s.at[MXU]
    multiplied = ended(s, MXU, now)
    if multiplied:
        s.doing[ACTIVATION_PORT] = IDLE
        free(m, s, at, ACTIVATIONS)
        if at_last(m, at, 1 << CHUNK | 1 << GROUP):
            s.counts[TILES_DONE] += 1
            s.ready_at[s.have[CLOSED] % PLACES] = now + m.pipeline_cycles
            s.have[CLOSED] += 1
        s.port_until[0] = now + port_cycles(m, s.at[WEIGHT_PORT]) - s.pace[MXU]
        walk(m, at, ALL)
    if s.wake[MXU] != NEVER:
        return False
    opens_tile = at[CHUNK] == at[GROUP] == 0
    if through(m, at):
        s.doing[MXU] = IDLE
    elif not s.have[SHADOW]:
        s.doing[MXU] = NO_WEIGHTS
    elif takes(s, at, ACTIVATIONS) and not s.have[READY + ACTIVATIONS]:
        s.doing[MXU] = NO_ACTIVATIONS
    elif opens_tile and not s.have[REGISTERS]:
        s.doing[MXU] = NO_OUTPUT_SPACE
    else:
        s.have[SHADOW] = 0
        free(m, s, at, WEIGHTS)
        if at[GROUP] == 0:
            s.have[READY + ACTIVATIONS] -= takes(s, at, ACTIVATIONS)
            s.have[REGISTERS] -= opens_tile
            open_activations(m, s, at)
        if not s.counts[FILL_CYCLES]:
            s.counts[FILL_CYCLES] = now
        start(s, MXU, now, s.pace[MXU])
        s.doing[ACTIVATION_PORT] = BUSY
        # Which of these cycles lack a word does not matter to anyone.
        s.time[MXU, BUSY] -= s.pace[MXU] - m.words
        s.time[MXU, NO_ACTIVATIONS] += s.pace[MXU] - m.words
        return True
    return multiplied


@njit
def open_activations(m, s, at):
    """A word a row a cycle where the activation port keeps up; exponents enter with the first word of a group."""
    rows, columns, groups = tile_rows(m, at), tile_columns(m, at), iterations(m, at, GROUP)
    fullest, work = min(rows, m.mxu_rows), m.passes * chunk_groups(m, at)
    word = ceil(fullest * m.word_bits, m.activation_port_bits)
    exponents = ceil(fullest * 5, m.exponent_port_bits) if m.exponent_port_bits else 0
    s.pace[MXU] = max(word, exponents) + (m.words - 1) * word
    s.counts[ACTIVATION_BEATS] += groups * s.pace[MXU]
    s.counts[ACTIVATION_BITS] += work * m.words * rows * m.word_bits
    s.counts[EXPONENT_BITS] += work * rows * 5 if m.exponent_port_bits else 0
    s.counts[SCALE_BITS] += rows * 16 if m.token_bits and at[CHUNK] == 0 else 0
    s.counts[GROUPS] += groups
    s.counts[PE_CYCLES] += work * rows * columns * m.words
    s.counts[MACS] += rows * columns * chunk_values(m, at)
