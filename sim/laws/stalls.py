"""Cycles in which the MXU takes no word, by what it takes to have fewer: a port, the DRAM channel, larger work.

    activation port    words that take the port more than a cycle
    exponent port      the first word of a group, where its exponents take longer than the word
    weight port        groups whose successor's weights take the port longer than the group
    waits              what the operands and the outputs make it longer than that, beside a busy or an idle channel
    fill and drain     before the first operation and after the last

The ports' part follows from the plan alone, the waits are counted; with the busy cycles they are all there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sim.arch.schema import Hardware
from sim.engine.activity import State
from sim.laws.bounds import Pacing, column_tiles, tile_sizes, word_cycles
from sim.laws.conservation import require_equal
from sim.mapping.operands import ceil_div
from sim.mapping.pace import Pace
from sim.mapping.plan import Plan

CHANNEL = ("busy", "idle")


class Counted(Protocol):
    """What a run counted."""

    @property
    def cycles(self) -> int: ...
    @property
    def states(self) -> Mapping[str, Mapping[State, int]]: ...
    @property
    def counters(self) -> Mapping[str, int]: ...


def gemm_stalls(hardware: Hardware, plan: Plan, pace: Pace, pacing: Pacing, run: Counted) -> dict[str, int]:
    """Of a GeMM.

    Raises
    ------
    BrokenLawError
        Where they and the busy cycles do not add up to the run's.
    """
    busy = run.states["mxu"][State.BUSY]
    stalls = {**port_cycles(hardware, plan, pace, pacing), **waits(run)}
    require_equal("mxu", "busy + ports + waits + fill and drain = total", busy + sum(stalls.values()), run.cycles)
    return stalls


def port_cycles(hardware: Hardware, plan: Plan, pace: Pace, pacing: Pacing) -> dict[str, int]:
    """Cycles in which the ports make the MXU take no word, from the plan alone."""
    groups = words = beats = 0
    for size, times in tile_sizes(plan.tokens):
        here, size = times * column_tiles(plan) * plan.steps, min(size, plan.mxu_rows)
        groups += here * pace.words
        words += here * pace.words * ceil_div(size * pace.word_bits, hardware.activation_dispatcher.port_bits)
        beats += here * word_cycles(hardware, pace, size)
    return {"activation_port": words - groups, "exponent_port": beats - words, "weight_port": pacing.steady - beats}


def waits(run: Counted) -> dict[str, int]:
    """Cycles counted while the MXU waited, and those before its first and after its last operation."""
    found = {"fill_and_drain": run.counters["mxu.fill_cycles"] + run.states["mxu"][State.IDLE]}
    for cause in ("weights", "activations", "output_space"):
        for channel in CHANNEL:
            found[f"{cause}_channel_{channel}"] = run.counters[f"mxu.{cause}_wait_channel_{channel}_cycles"]
    return found


def vector_stalls(run: Counted, unit: str) -> dict[str, int]:
    """Of work of the vector unit, or of the quantiser: all of the time."""
    stalls = {f"{unit}_work": run.states[unit][State.BUSY]}
    for channel in CHANNEL:
        waits = (f"{unit}.{cause}_wait_channel_{channel}_cycles" for cause in ("activations", "output_space"))
        stalls[f"{unit}_channel_{channel}"] = sum(run.counters[name] for name in waits)
    stalls["fill_and_drain"] = run.states[unit][State.IDLE]
    require_equal(unit, "busy + waits + fill and drain = total", sum(stalls.values()), run.cycles)
    return stalls
