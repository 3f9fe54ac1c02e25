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
    counters, across = run.counters, column_tiles(plan)
    words = beats = 0
    for size, times in tile_sizes(plan.tokens):
        groups = times * across * plan.steps
        words += groups * pace.words * ceil_div(size * pace.word_bits, hardware.activation_dispatcher.port_bits)
        beats += groups * word_cycles(hardware, pace, size)
    busy = run.states["mxu"][State.BUSY]
    stalls = {
        "activation_port": words - busy,
        "exponent_port": beats - words,
        "weight_port": pacing.steady - beats,
        "fill_and_drain": counters["mxu.fill_cycles"] + run.states["mxu"][State.IDLE],
    }
    for cause in ("weights", "activations", "output_space"):
        for channel in CHANNEL:
            stalls[f"{cause}_channel_{channel}"] = counters[f"mxu.{cause}_wait_channel_{channel}_cycles"]
    require_equal("mxu", "busy + ports + waits + fill and drain = total", busy + sum(stalls.values()), run.cycles)
    return stalls


def vector_stalls(run: Counted) -> dict[str, int]:
    """Of work of the vector unit: all of the time."""
    stalls = {"vector_work": run.states["vector"][State.BUSY]}
    for channel in CHANNEL:
        waits = (f"vector.{cause}_wait_channel_{channel}_cycles" for cause in ("activations", "output_space"))
        stalls[f"vector_channel_{channel}"] = sum(run.counters[name] for name in waits)
    stalls["fill_and_drain"] = run.states["vector"][State.IDLE]
    require_equal("vector", "busy + waits + fill and drain = total", sum(stalls.values()), run.cycles)
    return stalls
