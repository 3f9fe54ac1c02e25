"""The units of a machine put together for one piece of work, run to the end, and read out.

controller -> loaders -> DRAM -> buffers -> dispatchers -> MXU -> collector -> [compressor] -> writer -> DRAM
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from sim.arch.schema import Hardware, Schedule
from sim.engine.activity import Recorder, State
from sim.engine.environment import Environment
from sim.engine.fast_forward import Cursor, FastForwarder, Skip
from sim.laws.conservation import BrokenLawError, require_equal
from sim.mapping.stream import Lane
from sim.units.buffer import Buffer
from sim.units.controller import Controller
from sim.units.dram import model_of
from sim.units.progress import Progress
from sim.units.unit import Bench, Grain, Unit
from sim.units.vector import Vector
from sim.units.weight_dispatcher import WeightDispatcher
from sim.units.writer import Writer


@dataclass(frozen=True)
class SimulationOptions:
    """How to simulate; none of it changes a counter.

    Parameters
    ----------
    grain
        `tile`: one event an operation; `beat`: one event a port beat.
    fast_forward
        Skip loop iterations that repeat (tile grain only).
    verify
        Skip only after two equal periods in a row, and stop where they differ.
    """

    grain: Grain = "tile"
    fast_forward: bool = True
    verify: bool = False


@dataclass(frozen=True)
class Run:
    """What one piece of work did on one machine.

    Parameters
    ----------
    states
        Cycles by unit and state; each unit's add up to `cycles`.
    counters
        Every counter, by name; units of measure in the names.
    skips
        Where fast-forward jumped.
    obstacle
        Why it did not.
    schedule
        The blocks of a GeMM; None for vector work.
    """

    cycles: int
    states: Mapping[str, Mapping[State, int]]
    counters: Mapping[str, int]
    skips: tuple[Skip, ...] = ()
    obstacle: str | None = None
    schedule: Schedule | None = None


class Assembly:
    """The units that every kind of work needs; the others join `units`."""

    def __init__(self, hardware: Hardware, options: SimulationOptions, recorder: Recorder | None) -> None:
        self.hardware, self.options, self.recorder = hardware, options, recorder
        shifted = _Shifted(recorder, self) if recorder else None
        self.bench = Bench(Environment(), options.grain, shifted)
        self.controller = Controller(self.bench, hardware.controller.launch_cycles)
        self.dram = model_of(hardware).unit(self.bench)
        self.activation_buffer = Buffer(self.bench, "activation_buffer", hardware.buffers.activation)
        self.progress = Progress(self.bench.environment)
        self.units: list[Unit] = [self.controller, self.activation_buffer]
        self.fast_forward: FastForwarder | None = None
        self.skipped: list[int] = []

    def add_writer(self, blocks: int, *, shared: bool = False) -> Writer:
        slots = self.hardware.writer.blocks
        self.writer = Writer(self.bench, self.dram, slots=slots, blocks=blocks, progress=self.progress, shared=shared)
        self.units.append(self.writer)
        return self.writer

    def watch(self, leader: WeightDispatcher | Vector, followers: Sequence[Cursor]) -> None:
        """Have the loops of a unit's cursor watched for periods to skip; see `FastForwarder`."""
        if self.options.grain != "tile" or not self.options.fast_forward:
            return
        self.fast_forward = leader.watch = FastForwarder(
            self.bench.environment,
            leader.cursor,
            followers,
            lambda: [(unit.name, unit.relative_state()) for unit in (*self.units, self.dram)],
            self._totals,
            self._skip,
            lambda delta, moved: self.progress.room(delta[self._ledgers_end : self._ledgers_end + len(Lane)], moved),
            self.dram.slow_phase,
            verify=self.options.verify,
        )

    def _counters(self) -> dict[str, int]:
        counters: dict[str, int] = {}
        for unit in (*self.units, self.dram):
            counters |= unit.counters()
        return counters

    def _totals(self) -> tuple[int, ...]:
        """Cycles, the ledgers of the units in order, outputs by lane, all counters; what was skipped is counted in."""
        ledgers: list[int] = []
        for unit in self.units:
            unit.activity.settle()
            ledgers += unit.activity.cycles
        local = (self.bench.now, *ledgers, *self.progress.simulated, *self._counters().values())
        if not self.skipped:
            return local
        return tuple(here + skipped for here, skipped in zip(local, self.skipped, strict=True))

    @property
    def _ledgers_end(self) -> int:
        """Where in the totals the outputs begin."""
        return 1 + len(self.units) * len(State)

    def _skip(self, delta: tuple[int, ...], times: int) -> None:
        self.skipped = [so_far + times * d for so_far, d in zip(self.skipped or [0] * len(delta), delta, strict=True)]
        if self.recorder is not None:
            start = self.bench.now + self.skipped[0] - times * delta[0]
            self.recorder.span("fast_forward", f"{times} periods skipped", start, start + times * delta[0])
        outputs, counted = self._ledgers_end, self._ledgers_end + len(Lane)
        counters = dict(zip(self._counters(), delta[counted:], strict=True))
        self.writer.skip(times * counters["writer.blocks"])
        self.progress.skip([times * more for more in delta[outputs:counted]])
        # What waits is moved along, or waits for what is not skipped.
        require_equal("writer", "a skip passes no output that a unit waits for", self.progress.is_late, False)

    def _standstill(self) -> BrokenLawError:
        """All processes wait for one another: who, and for what."""
        waiting = {unit.name: unit.activity.state for unit in self.units if unit.activity.state > State.BUSY}
        units = ", ".join(waiting) or "machine"
        causes = ", ".join(f"{unit} waits for {state.name.lower()}" for unit, state in waiting.items())
        return BrokenLawError(units, f"goes on until its work is done (cycle {self.bench.now})", causes, "the end")

    def run(self) -> Run:
        """Run to the end of all work, and read out.

        Raises
        ------
        BrokenLawError
            Where the units wait for one another.
        """
        for unit in self.units:
            unit.start()
        for unit in (*self.units, self.dram):
            end = unit.end()
            if end is not None and not end.processed:
                try:
                    self.bench.environment.run(until=end)
                except RuntimeError as stopped:  # SimPy: no events left
                    raise self._standstill() from stopped
        totals = self._totals()
        cycles, rest = totals[0], iter(totals[1:])
        states = {unit.name: {state: next(rest) for state in State} for unit in self.units}
        for _ in Lane:
            next(rest)
        counters = dict(zip(self._counters(), rest, strict=True))
        busy = self.dram.busy_in(counters)
        states["dram"] = dict.fromkeys(State, 0) | {State.BUSY: busy, State.IDLE: cycles - busy}
        watched = self.fast_forward
        if watched and watched.slip_cycles:
            counters["dram.slip_cycles"] = ceil(watched.slip_cycles)
        skips = tuple(watched.skips) if watched else ()
        return Run(cycles, states, counters, skips, watched.obstacle() if watched else None)


class _Shifted:
    """A recorder in the time of the result: local time and what was skipped."""

    def __init__(self, recorder: Recorder, assembly: Assembly) -> None:
        self._recorder, self._assembly = recorder, assembly

    def span(self, unit: str, state: str, start_cycle: int, end_cycle: int) -> None:
        skipped = self._assembly.skipped[0] if self._assembly.skipped else 0
        self._recorder.span(unit, state, start_cycle + skipped, end_cycle + skipped)
