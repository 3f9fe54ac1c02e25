"""What a program of GeMMs must come to: work, bytes and ports add up over its operations; fill and drain come once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cached_property

from sim.engine.activity import State
from sim.laws.bounds import Bounds, first_fill, last_drain, word_cycles
from sim.laws.conservation import check_bounds, check_counters, check_floor, check_time, require_equal
from sim.laws.expectation import GemmExpectation
from sim.laws.stalls import Counted, port_cycles, waits
from sim.mapping.program import Course, GemmProgram
from sim.units.dram import model_of


class ProgramExpectation:
    """Of a program.

    Raises
    ------
    InputError
        Where one of its GeMMs does not fit the machine.
    """

    def __init__(self, program: GemmProgram) -> None:
        self.program, self.hardware = program, program.hardware
        self.operations = tuple(GemmExpectation(operation.piece) for operation in program.operations)
        self.course = Course(program)

    @cached_property
    def counters(self) -> Mapping[str, int]:
        """Every counter that the plans alone decide."""
        found: Counter[str] = Counter()
        for operation in self.operations:
            found.update({name: self.program.layers * count for name, count in operation.counters.items()})
        return found

    @cached_property
    def port_lag(self) -> int:
        """Cycles by which first weight blocks come later than the group before ends, where operations follow."""
        lags = []
        for here, after in zip(self.operations, (*self.operations[1:], self.operations[0]), strict=True):
            size, tile = here.plan.tokens.block_size(here.plan.tokens.blocks - 1), here.plan.tokens.tile
            group = word_cycles(self.hardware, here.pace, min(size % tile or tile, here.plan.mxu_rows))
            lags.append(max(0, after.pacing.first_block - group))
        return self.program.layers * sum(lags) - lags[-1]

    @cached_property
    def bounds(self) -> Bounds:
        """Limits on the cycles; above: every operation by itself."""
        first, last, layers = self.operations[0], self.operations[-1], self.program.layers
        steady = layers * sum(one.pacing.steady for one in self.operations) + self.port_lag
        compute = (
            first_fill(self.hardware, first.plan, first.pacing.first_block)
            + steady
            + last_drain(self.hardware, last.plan, last.pace)
        )
        moved = layers * sum(one.traffic.bytes for one in self.operations)
        memory = self.hardware.controller.launch_cycles + 1 + model_of(self.hardware).least_cycles(moved)
        return Bounds(max(compute, memory), layers * sum(one.bounds.upper_cycles for one in self.operations))

    def check(self, run: Counted) -> None:
        """Hold a run against all of it.

        Raises
        ------
        BrokenLawError
            Names the unit, the law, and both sides.
        """
        check_time(run.states, run.cycles)
        check_bounds(run.cycles, self.bounds)
        check_counters(run.counters, self.counters)
        for one in self.operations:
            check_floor(one.traffic, one.floor)
        self.stalls(run)
        for label, wanted in self.busy_cycles.items():
            found = run.counters[f"mxu.{label}.busy_cycles"]
            require_equal("mxu", f"busy cycles of {label} = words of its groups", found, wanted)
        for state, cycles in run.states["mxu"].items():
            found = sum(run.counters[f"mxu.{label}.{state.name.lower()}_cycles"] for label in self.busy_cycles)
            require_equal("mxu", f"{state.name.lower()} cycles of all operations = total", found, cycles)

    @cached_property
    def busy_cycles(self) -> Mapping[str, int]:
        """Words that the MXU takes, by the label of the operation."""
        found: Counter[str] = Counter()
        for operation, one in zip(self.program.operations, self.operations, strict=True):
            found[operation.label] += self.program.layers * one.plan.steps * one.pacing.tiles * one.pace.words
        return found

    def stalls(self, run: Counted) -> dict[str, int]:
        """Cycles of a run in which the MXU takes no word, by cause; see `sim.laws.stalls`."""
        ports: Counter[str] = Counter({"weight_port": self.port_lag})
        for one in self.operations:
            found = port_cycles(self.hardware, one.plan, one.pace, one.pacing)
            ports.update({name: self.program.layers * cycles for name, cycles in found.items()})
        busy = run.states["mxu"][State.BUSY]
        stalls = {**ports, **waits(run)}
        require_equal("mxu", "busy + ports + waits + fill and drain = total", busy + sum(stalls.values()), run.cycles)
        return stalls
