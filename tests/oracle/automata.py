"""The machine that multiplies a GeMM, as compiled automata that step from event to event: an oracle for its timing.

    controller > loaders > DRAM > buffers > dispatcher > MXU > collector > [compressor] > writer > DRAM

Written from what the units' docstrings say, at a grain of its own: one group of K at a time. Every automaton walks the
loop nest by itself and hands its neighbours tokens only. A chunk of an operand is taken on the first visit since it was
loaded and freed on the last. In each cycle the automata act until none can any more, each returning whether it did
something; then the DRAM channel is arbitrated, and time moves to the next event.
"""

from __future__ import annotations

from numba import njit

from tests.oracle.channel import arbitrate, deliver, next_arrival_or_grant
from tests.oracle.loads import fill, loader, look_ahead
from tests.oracle.multiply import mxu, wait, weight_dispatcher
from tests.oracle.nest import plan, through
from tests.oracle.outputs import bpc, collector, writer
from tests.oracle.records import (
    ACTIVATIONS,
    BLOCKS,
    CONTROLLER,
    GATHER,
    IDLE,
    LAUNCHED,
    LOADS,
    NEVER,
    REGISTERS,
    SLOTS,
    SPACE,
    UNITS,
    WEIGHTS,
    WRITER,
)
from tests.oracle.work import ended, start


@njit(cache=True)
def run(m, s):
    """Cycles from the start to the last write; the rest is left in the state, which is all zeros before."""
    rest(m, s)
    now = 0
    start(s, CONTROLLER, now, m.launch_cycles)
    while True:
        while act(m, s, now):
            pass
        if through(m, s.at[WRITER]):
            return now
        arbitrate(m, s, now)
        then = next_event(m, s, now)
        for unit in range(len(UNITS)):
            s.time[unit, s.doing[unit]] += then - now
        wait(m, s, now, then)
        now = then


@njit
def rest(m, s):
    """Everything free, nothing to do."""
    s.wake[:] = NEVER
    for operand in (WEIGHTS, ACTIVATIONS):
        plan(m, s, operand)
        look_ahead(m, s, operand)
        s.have[SPACE + operand] = m.buffer_bytes[operand]
        s.have[BLOCKS + operand] = m.blocks[operand]
        s.have[LOADS + operand] = m.loads
    s.have[REGISTERS], s.have[GATHER], s.have[SLOTS] = m.registers, 1, m.slots


@njit
def act(m, s, now):
    """Let every automaton act once; whether one did."""
    launched = ended(s, CONTROLLER, now)
    if launched:
        s.have[LAUNCHED] = 1
        s.doing[CONTROLLER] = IDLE
    acted = launched | deliver(s, now)
    for operand in (WEIGHTS, ACTIVATIONS):
        acted |= loader(m, s, now, operand) | fill(m, s, now, operand)
    acted |= weight_dispatcher(m, s, now) | mxu(m, s, now)
    return acted | collector(m, s, now) | bpc(m, s, now) | writer(m, s, now)


@njit
def next_event(m, s, now):
    soonest = next_arrival_or_grant(m, s, now)
    for unit in range(len(UNITS)):
        soonest = min(soonest, s.wake[unit])
    if soonest == NEVER:
        raise RuntimeError("nothing can happen any more")
    return soonest
