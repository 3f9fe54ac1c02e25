"""Matrix unit: rows x columns PEs, output stationary (Anda, Sec. IV).

    shadow weights --> PEs <-- activation words        PEs --> output registers --> pipeline --> collector

A group starts by swapping in the shadow weights and takes as many words as the PE kind needs cycles. With P the cycles
of a group's words and B those of a weight block, an operation of G groups takes, once its operands are there,

    (G - 1) * max(P, B) + P  cycles

A tile is worked on by several MXUs in step: some have other rows or columns of it, some other groups of its K. Sums of
those that split K go through a tree, which counts as pipeline.

A tile opens by taking an output register set and closes by handing its sums to the pipeline, which the MXU does not
wait for: the next tile starts in the next cycle.

Between operations the MXU waits for its neighbours. The first max(0, B' - P) cycles, B' of the next operation, are the
weight port's, which no operand could come too early to save; from then on what is waited for is counted by cause, and
by whether the DRAM channel was busy. What passes before the first operation is the fill.

RTL: sim/rtl/modules/mxu.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any, NamedTuple

from simpy.events import Event

from sim.arch.schema import Arch
from sim.cost.scaling import processing_element
from sim.cost.terms import CostTerms
from sim.engine.activity import State
from sim.engine.channel import Channel, Credits
from sim.engine.waits import Waits
from sim.mapping.nest import TileOp
from sim.mapping.stream import RAW, Stream
from sim.units.activation_dispatcher import ActivationDispatcher, Word
from sim.units.buffer import Buffer
from sim.units.unit import Bench, Loss, Steps, Unit
from sim.units.weight_dispatcher import WeightDispatcher

CAUSES = (State.WEIGHTS, State.ACTIVATIONS, State.OUTPUT_SPACE)
"""What operations wait for."""


class FinishedTile(NamedTuple):
    """A finished output tile in the pipeline."""

    ready_at: int
    rows: int
    run_opens: bool
    run_columns: int
    stream: Stream = RAW
    tiles: int = 1
    """The last of so many, of which the others have been drained meanwhile."""

    def relative_to(self, now: int) -> FinishedTile:
        """The same tile with the cycles until it is ready."""
        return self._replace(ready_at=max(self.ready_at - now, 0))


class MadeActivations:
    """Activations made on the chip, for operations with `of_made`: the softmax's weights, a row tile at a time.

    Parameters
    ----------
    places
        For row tiles that what makes them has not worked on yet.
    """

    def __init__(self, bench: Bench, places: int) -> None:
        self._environment = bench.environment
        self.space = Credits(bench.environment, 0)
        """Taken before the first part of a row tile is made; the MXU gives it back."""
        self.places = Credits(bench.environment, places)
        """For row tiles of scores and partial outputs: taken before the MXU begins one, given back by its reader."""
        self.ready: Channel[None] = Channel(bench.environment)

    def make_room(self, row_tiles: int) -> None:
        """For so many row tiles at a time, as an attention begins: none is in use then."""
        self.space = Credits(self._environment, row_tiles)

    def store(self, *, closes: bool) -> None:
        """A part of a row tile is there; with the last all of it is."""
        if closes:
            self.ready.put(None)

    def in_hand(self) -> tuple[Any, ...]:
        return (len(self.ready.items), self.space.available, self.places.available)


class Mxu(Unit):
    """All MXUs of the machine: they share the activations and run in step.

    Parameters
    ----------
    labels
        Of a program's operations: the time of each is counted, that of waiting for its operands included.
    channel_busy
        Cycles before the present one in which the DRAM channel moved something.
    made
        Where activations that are made on the chip come from.
    """

    names = ("mxu",)
    flow = 50
    label = "MXU"
    components = MappingProxyType({"mxu": "compute"})
    losses = MappingProxyType(
        {
            "rows_without_tokens": Loss(
                "row occupancy", "rows without a token, for the work has too few ({working} of {rows} rows work)",
                "batch", "more tokens at a time (batch, tokens), or fewer mxu.rows",
            ),
            "rows_cut_by_blocks": Loss(
                "row occupancy", "rows without a token, where a block ends early ({working} of {rows} rows work)",
                "schedule.token_block", "a schedule.token_block that is a multiple of mxu.rows",
            ),
            "columns_without_outputs": Loss(
                "column occupancy", "columns without an output", "mxu.columns", "mxu.columns that divide the outputs",
            ),
            "mxus_without_outputs": Loss(
                "idle MXUs", "MXUs without an output", "mxu.count",
                "an mxu.count x mxu.columns that divides the outputs", "MXUs without outputs",
            ),
            "mxus_left_out": Loss(
                "idle MXUs", "MXUs that the schedule leaves out", "schedule.split",
                "a schedule.split over more MXUs", "MXUs left out",
            ),
            "k_padding": Loss(
                "padding of K", "values of K that are padding", "mxu.dot_length",
                "an mxu.dot_length that divides K, and mxu.lanes that divide it", "padding of K",
            ),
            "fill_and_drain": Loss(
                "fill and drain", "the start and the end of short pieces of work", "batch",
                "larger pieces of work (batch, tokens), or less dram.latency_nanoseconds",
            ),
        }
    )  # fmt: skip

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        pe, count = processing_element(arch), arch.mxu.rows * arch.mxu.columns * arch.mxu.count
        return (
            CostTerms(
                "mxu",
                {"mxu.pe_cycles": pe.picojoules},
                standing_milliwatts=pe.milliwatts * count,
                area_square_millimetres=pe.square_millimetres * count,
            ),
        )

    def __init__(
        self,
        bench: Bench,
        weights: WeightDispatcher,
        activations: ActivationDispatcher,
        activation_buffer: Buffer,
        *,
        output_registers: int,
        pipeline_cycles: int,
        channel_busy: Callable[[], int],
        made: MadeActivations | None = None,
        labels: Iterable[str] = (),
    ) -> None:
        super().__init__(bench, "mxu")
        causes = CAUSES if made is None else (*CAUSES, State.DEPENDENCY)
        self.waits = Waits(bench.environment, self.activity, channel_busy, causes)
        self.made = made
        self.weights, self.activations, self.activation_buffer = weights, activations, activation_buffer
        self.pipeline_cycles = pipeline_cycles
        self.registers = Credits(bench.environment, output_registers)
        self.pipeline: Channel[FinishedTile] = Channel(bench.environment)
        self.op: TileOp | None = None
        self.started = self.computing = False
        self.fill_cycles = 0
        self.groups_left = self.words_left = 0
        self.macs = self.pe_cycles = self.groups = self.tiles = 0
        self.ledgers: dict[str, list[int]] = {label: [0] * len(State) for label in labels}
        self._booked = [0] * len(State)
        self.group_began = 0
        self._compute, self._lag = (
            (self.beat_compute, self.beat_lag) if bench.grain == "beat" else (self.tile_compute, self.tile_lag)
        )

    def run(self) -> Steps:
        while True:
            yield from self._wait_for_operation()
            self.op = self.weights.shadow.items[0]
            if self.op is None:
                break
            if self.op.takes_activations:
                while not self._source.ready.items:
                    yield self._wait(self._source.ready.filled(), self._cause)
                self._source.ready.pop()
            if self.op.takes_place and self.made is not None:
                while not self.made.places.available:
                    yield self._wait(self.made.places.given(), State.OUTPUT_SPACE)
                self.made.places.take()
            if self.op.opens_tile:
                while self.registers.available < (self.registers.capacity if self.op.alone else 1):
                    yield self._wait(self.registers.given(), State.OUTPUT_SPACE)
                self.registers.take()
            self.weights.shadow.pop()
            self._begin()
            yield from self._compute()
            self._finish(self.op)
        self.activity.enter(State.IDLE)

    @property
    def _source(self) -> Buffer | MadeActivations:
        """Where the present operation's activations come from."""
        of_made = self.op is not None and self.op.of_made
        return self.made if self.made is not None and of_made else self.activation_buffer

    @property
    def _cause(self) -> State:
        """What waiting for them is called."""
        return State.ACTIVATIONS if self._source is self.activation_buffer else State.DEPENDENCY

    def _wait_for_operation(self) -> Steps:
        """The next operation comes with its first block of weights."""
        while not self.weights.shadow.items:
            yield self._wait(self.weights.shadow.filled(), State.WEIGHTS, self._lag())

    def beat_lag(self) -> int:
        """Cycles from now that the weight port needs, were all weights there: it began when the last group did."""
        return max(0, self.weights.beats_ahead() - (self.bench.now - self.group_began)) if self.started else 0

    def tile_lag(self) -> int:
        if self.op is None or self.weights.op is None:
            return 0
        return max(0, self.weights.block_cycles(self.weights.op) - self.group_cycles(self.op))

    def _wait(self, event: Event, cause: State, port_cycles: int = 0) -> Event:
        """Wait for a neighbour, the first `port_cycles` not for it but for the port in between."""
        if self.started:
            return self.waits.wait(event, cause, port_cycles)
        return self.activity.wait(event, cause)

    def _begin(self) -> None:
        self.waits.close()
        if self.ledgers:
            self._book()
        self.computing = True
        if not self.started:
            self.started, self.fill_cycles = True, self.bench.now

    def _finish(self, op: TileOp) -> None:
        self.groups += op.groups * op.tiles
        self.macs += op.rows * op.columns * op.values
        self.pe_cycles += op.rows * op.columns * op.work * op.stream.words
        if op.frees_activations:
            self._source.space.give(op.frees_activations)
        if op.closes_activations:
            self.activation_buffer.blocks.give(self.activation_buffer.parts(False))
        if self.ledgers:
            self._book()
        self.computing = False
        if op.closes_tile:
            self.tiles += op.tiles
            ready_at = self.bench.now + self.pipeline_cycles + op.stream.reduction_cycles
            self.pipeline.put(FinishedTile(ready_at, op.rows, op.run_opens, op.run_columns, op.stream, op.tiles))

    def _book(self) -> None:
        """Count the time up to now for the operation that is at work, or the one that is waited for."""
        op = self.op if self.computing else self.weights.op
        ledger = self.ledgers[op.stream.label if op is not None else next(iter(self.ledgers))]
        self.activity.settle()
        for state, cycles in enumerate(self.activity.cycles):
            ledger[state] += cycles - self._booked[state]
        self._booked = list(self.activity.cycles)

    def beat_compute(self) -> Steps:
        assert self.op is not None
        self.groups_left = self.op.groups
        while True:
            self.group_began = self.bench.now
            self.words_left = self.op.stream.words
            while self.words_left:
                self.activations.requests.put(self._word())
                yield self.activity.work(1)
                while not self.activations.done.items:
                    yield self.activity.wait(self.activations.done.filled(), State.ACTIVATIONS)
                self.activations.done.pop()
                self.words_left -= 1
            self.groups_left -= 1
            if not self.groups_left:
                break
            while not self.weights.shadow.items:
                yield self.activity.wait(self.weights.shadow.filled(), State.WEIGHTS)
            self.weights.shadow.pop()

    def _word(self) -> Word:
        """The next one."""
        op = self.op
        assert op is not None
        group = self.words_left == op.stream.words
        first = group and op.opens_tile and self.groups_left == op.groups
        parts = op.parts_at(op.groups - self.groups_left)
        return Word(op.rows, op.stream.fullest(op.rows), parts, opens_group=group, opens_tile=first)

    def group_cycles(self, op: TileOp) -> int:
        """P of the equation above."""
        return self.activations.group_cycles(op.stream.fullest(op.rows), op.stream.words)

    def tile_compute(self) -> Steps:
        assert self.op is not None
        op, words, group = self.op, self.op.stream.words, self.group_cycles(self.op)
        groups, waiting = op.groups * op.tiles, (op.groups - 1) * max(0, self.weights.block_cycles(op) - group)
        self.activations.book(op, group, waiting)
        yield self.activity.spend(
            (State.BUSY, groups * words),
            (State.ACTIVATIONS, groups * (group - words)),
            (State.WEIGHTS, waiting),
        )

    def in_hand(self) -> tuple[Any, ...]:
        tiles = tuple(tile.relative_to(self.bench.now) for tile in self.pipeline.items)
        made = self.made.in_hand() if self.made is not None else ()
        return (self.op, self.started, self.waits.relative_state(), self.registers.available, tiles, made)

    def counters(self) -> dict[str, int]:
        self.waits.settle()
        if self.ledgers:
            self._book()
        return {
            "mxu.macs": self.macs,
            "mxu.groups": self.groups,
            "mxu.tiles": self.tiles,
            "mxu.pe_cycles": self.pe_cycles,
            "mxu.fill_cycles": self.fill_cycles,
            **self.waits.counters,
            **{
                f"mxu.{label}.{state.name.lower()}_cycles": ledger[state]
                for label, ledger in self.ledgers.items()
                for state in State
            },
        }
