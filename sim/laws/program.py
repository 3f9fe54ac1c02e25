"""What a program must come to: work, bytes and ports add up over its operations; fill and drain come once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise

from sim.engine.activity import State
from sim.laws.attention import AttentionExpectation
from sim.laws.bounds import Bounds, compress_cycles, first_fill, last_drain, run_widths, tile_sizes, word_cycles
from sim.laws.conservation import (
    check_bounds,
    check_counters,
    check_floor,
    check_promises,
    check_time,
    require_equal,
)
from sim.laws.expectation import Expectation, GemmExpectation, VectorExpectation, expect
from sim.laws.stalls import CHANNEL, Counted, port_cycles, waits
from sim.mapping.course import Course, row_blocks
from sim.mapping.operands import ceil_div
from sim.mapping.program import LayerProgram, Operation
from sim.units.dram import model_of

OnMxu = GemmExpectation | AttentionExpectation


class ProgramExpectation:
    """Of a program.

    Raises
    ------
    InputError
        Where one of its operations does not fit the machine.
    """

    def __init__(self, program: LayerProgram) -> None:
        self.program, self.hardware = program, program.hardware
        made: dict[object, Expectation] = {}
        for operation, _ in program.times():
            if _key(operation) not in made:
                made[_key(operation)] = _expect(operation)
        self.sections = tuple(tuple(made[_key(one)] for one in section.operations) for section in program.sections)
        self.course = Course(program)

    @property
    def times(self) -> Iterator[tuple[Operation, Expectation, int]]:
        """Operations, what each must come to, and how often it is done."""
        expected = (one for section in self.sections for one in section)
        for (operation, times), one in zip(self.program.times(), expected, strict=True):
            yield operation, one, times

    @cached_property
    def counters(self) -> Mapping[str, int]:
        """Every counter that the plans alone decide."""
        found: Counter[str] = Counter()
        for _, one, times in self.times:
            found.update({name: times * count for name, count in one.counters.items()})
        return found

    @cached_property
    def port_lag(self) -> int:
        """Cycles by which first weight blocks come later than the group before ends, where operations follow."""
        rounds, total = self.program.rounds, 0
        layers = [[one for one in section if not isinstance(one, VectorExpectation)] for section in self.sections]
        for number, (section, stack) in enumerate(zip(layers, self.program.sections, strict=True)):
            inside = sum(self._lag(*pair) for pair in pairwise(section))
            following = layers[(number + 1) % len(layers)]
            total += rounds * (stack.layers * inside + (stack.layers - 1) * self._lag(section[-1], section[0]))
            total += (rounds - (number + 1 == len(layers))) * self._lag(section[-1], following[0])
        return total

    def _lag(self, here: OnMxu, after: OnMxu) -> int:
        if isinstance(here, AttentionExpectation):
            group = here.last_group
        else:
            size, tile = here.plan.tokens.block_size(here.plan.tokens.blocks - 1), here.plan.tokens.tile
            group = word_cycles(self.hardware, here.pace, min(size % tile or tile, here.plan.mxu_rows))
        first = after.first_block if isinstance(after, AttentionExpectation) else after.pacing.first_block
        return max(0, first - group)

    @cached_property
    def bounds(self) -> Bounds:
        """Limits on the cycles: below, the busiest of MXU, vector unit, compressor and channel; above, one by one."""
        launch, counters = self.hardware.controller.launch_cycles, self.counters
        steady = self.port_lag + sum(times * _steady(one) for _, one, times in self.times)
        mxu = [one for _, one, _ in self.times if not isinstance(one, VectorExpectation)]
        first, last = mxu[0], mxu[-1]
        fill = launch
        if isinstance(first, GemmExpectation):
            fill = first_fill(self.hardware, first.plan, first.pacing.first_block)
        drain = last_drain(self.hardware, last.plan, last.pace) if isinstance(last, GemmExpectation) else 0
        moved = sum(counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))
        memory = launch + 1 + model_of(self.hardware).least_cycles(moved)
        compressor = launch + sum(times * self._compressing(one) for _, one, times in self.times)
        lower = max(fill + steady + drain, memory, self.vector_cycles, compressor)
        return Bounds(lower, sum(times * one.bounds.upper_cycles for _, one, times in self.times))

    def _compressing(self, one: Expectation) -> int:
        if isinstance(one, AttentionExpectation):
            return one.compressor_cycles
        if isinstance(one, VectorExpectation):
            return 0
        runs = [
            (rows, columns, rc * cc) for rows, rc in tile_sizes(one.plan.tokens) for columns, cc in run_widths(one.plan)
        ]
        return sum(
            times * compress_cycles(self.hardware, one.pace, rows, columns, one.plan.roots)
            for rows, columns, times in runs
        )

    @cached_property
    def vector_cycles(self) -> int:
        """Cycles of the vector unit at work."""
        return sum(self.vector_busy.values())

    @cached_property
    def vector_busy(self) -> Mapping[str, int]:
        """The same, by the label of the operation."""
        found: Counter[str] = Counter()
        for operation, one, times in self.times:
            if isinstance(one, AttentionExpectation):
                found[operation.label] += times * one.vector_cycles
            elif isinstance(one, VectorExpectation):
                parts = (ceil_div(block.operations, one.a_cycle) * count for block, count in one.blocks.kinds)
                found[operation.label] += times * sum(parts)
        return found

    @cached_property
    def moved_bytes(self) -> Mapping[str, int]:
        """Bytes to and from DRAM, by the label of the operation."""
        found: Counter[str] = Counter()
        for operation, one, times in self.times:
            sides = (one.counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))
            found[operation.label] += times * sum(sides)
        return found

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
        check_promises(self.hardware, run.counters, run.cycles)
        for _, one, _ in self.times:
            if isinstance(one, GemmExpectation):
                check_floor(one.traffic, one.floor)
        self.stalls(run)
        for label, wanted in self.busy_cycles.items():
            found = run.counters[f"mxu.{label}.busy_cycles"]
            require_equal("mxu", f"busy cycles of {label} = words of its groups", found, wanted)
        for state, cycles in run.states["mxu"].items():
            found = sum(run.counters[f"mxu.{label}.{state.name.lower()}_cycles"] for label in self.busy_cycles)
            require_equal("mxu", f"{state.name.lower()} cycles of all operations = total", found, cycles)
        if "vector" in run.states:
            require_equal("vector", "busy = its parts", run.states["vector"][State.BUSY], self.vector_cycles)

    @cached_property
    def busy_cycles(self) -> Mapping[str, int]:
        """Words that the MXU takes, by the label of the operation."""
        found: Counter[str] = Counter()
        for operation, one, times in self.times:
            if isinstance(one, GemmExpectation):
                found[operation.label] += times * one.plan.steps * one.pacing.tiles * one.pace.words
            elif isinstance(one, AttentionExpectation):
                found[operation.label] += times * one.words
        return found

    def stalls(self, run: Counted) -> dict[str, int]:
        """Cycles of a run in which the MXU takes no word, by cause; see `sim.laws.stalls`."""
        ports: Counter[str] = Counter({"weight_port": self.port_lag})
        for _, one, times in self.times:
            if isinstance(one, GemmExpectation):
                found = port_cycles(self.hardware, one.plan, one.pace, one.pacing)
            elif isinstance(one, AttentionExpectation):
                found = one.ports
            else:
                continue
            ports.update({name: times * cycles for name, cycles in found.items()})
        busy, waited = run.states["mxu"][State.BUSY], waits(run)
        names = (f"mxu.dependency_wait_channel_{channel}_cycles" for channel in CHANNEL)
        waited["softmax"] = sum(run.counters.get(name, 0) for name in names)
        stalls = {**ports, **waited}
        require_equal("mxu", "busy + ports + waits + fill and drain = total", busy + sum(stalls.values()), run.cycles)
        return stalls


def _key(operation: Operation) -> tuple[str, int, int]:
    return operation.piece.key, operation.rows, operation.rows_a_block


def _expect(operation: Operation) -> Expectation:
    if operation.on_mxu:
        return expect(operation.piece)
    return VectorExpectation(operation.piece, row_blocks(operation)[0])


def _steady(one: Expectation) -> int:
    """Cycles of the MXU, were all operands there."""
    if isinstance(one, AttentionExpectation):
        return one.port_cycles + one.weight_port_cycles
    return one.pacing.steady if isinstance(one, GemmExpectation) else 0
