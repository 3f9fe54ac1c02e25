"""The simulator's units at the beat grain, with the stalls of a test bench at their ports and every handshake noted.

A unit's port is where it works for one cycle. Its ledger is replaced by one in which such a cycle begins only when the
port is open, so that the units themselves run as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simpy.events import Timeout

from sim.arch.schema import Arch
from sim.engine.activity import Activity
from sim.engine.channel import Channel, Credits
from sim.engine.environment import Environment
from sim.mapping.nest import Chunk, TileOp
from sim.units.activation_dispatcher import ActivationDispatcher
from sim.units.bpc import Bpc
from sim.units.buffer import Buffer
from sim.units.collector import Collector, OutputBlock, Sink
from sim.units.mxu import Mxu
from sim.units.processing_element import ProcessingElement
from sim.units.unit import Bench
from sim.units.weight_dispatcher import WeightDispatcher

UNLIMITED = 1 << 40
Integers = NDArray[Any]


@dataclass
class Stalls:
    """What holds up the ports of a case; see driver.h for the meaning of gaps and patterns.

    Attributes
    ----------
    weight_chunks, activation_chunks
        Cycles in which the chunks are there.
    weight_gaps, activation_gaps
        Of each beat.
    space
        Cycles in which room for an output block is given.
    pattern
        Readiness for outputs, repeated.
    """

    weight_chunks: Integers
    activation_chunks: Integers
    weight_gaps: Integers
    activation_gaps: Integers
    space: Integers
    pattern: Integers


@dataclass
class HandshakeTrace:
    """Cycles of the handshakes, by port."""

    handshakes: dict[str, list[int]] = field(default_factory=dict)

    def open(self, port: str) -> list[int]:
        return self.handshakes.setdefault(port, [])


class SourcePort(Activity):
    """A ledger whose cycles of work are the beats of a source with gaps."""

    __slots__ = ("_cycles", "_gaps")

    def __init__(self, environment: Environment, name: str, gaps: Integers, cycles: list[int]) -> None:
        super().__init__(environment, name)
        self._gaps, self._cycles = gaps, cycles

    def work(self, cycles: int) -> Timeout:
        after = self._cycles[-1] + 1 if self._cycles else 0
        gap = int(self._gaps[len(self._cycles)]) if len(self._cycles) < len(self._gaps) else 0
        beat = max(self._environment._now, after + gap)
        self._cycles.append(beat)
        return super().work(beat + cycles - self._environment._now)


class SinkPort(Activity):
    """A ledger whose cycles of work are the beats of a sink with a ready pattern."""

    __slots__ = ("_cycles", "_pattern")

    def __init__(self, environment: Environment, name: str, pattern: Integers, cycles: list[int]) -> None:
        super().__init__(environment, name)
        self._pattern, self._cycles = pattern, cycles

    def work(self, cycles: int) -> Timeout:
        beat = self._environment._now
        while not self._pattern[beat % len(self._pattern)]:
            beat += 1
        self._cycles.append(beat)
        return super().work(beat + cycles - self._environment._now)


class RowPort(SinkPort):
    """The compressor's: its rows leave through the port, the hand-over does not."""

    __slots__ = ("_bpc", "_handovers")

    def __init__(
        self, environment: Environment, bpc: Bpc, pattern: Integers, rows: list[int], handovers: list[int]
    ) -> None:
        super().__init__(environment, bpc.name, pattern, rows)
        self._bpc, self._handovers = bpc, handovers

    def work(self, cycles: int) -> Timeout:
        if self._bpc.groups_left > 0:
            return super().work(cycles)
        self._handovers.append(self._environment._now)
        return Activity.work(self, cycles)


class NotedChannel(Channel[Any]):
    """A channel that notes when it is popped."""

    __slots__ = ("popped",)

    def __init__(self, environment: Environment, capacity: int | None, popped: list[int]) -> None:
        super().__init__(environment, capacity)
        self.popped = popped

    def pop(self) -> Any:
        self.popped.append(self._environment._now)
        return super().pop()


class GivenCredits(Credits):
    """Credits that come at given cycles, whoever took them; notes when they are taken."""

    __slots__ = ("taken",)

    def __init__(self, environment: Environment, at: Iterable[int], taken: list[int]) -> None:
        super().__init__(environment, UNLIMITED)
        self.available, self.taken = 0, taken
        for cycle in at:
            environment.after(lambda _: self.give(), int(cycle))

    def take(self, amount: int = 1) -> None:
        self.taken.append(self._environment._now)
        super().take(amount)


class Gather:
    """What stands behind the last unit: room for blocks, and the blocks."""

    def __init__(self, environment: Environment, at: Iterable[int], taken: list[int]) -> None:
        self.space: Credits = GivenCredits(environment, at, taken)
        self.blocks: Channel[OutputBlock] = Channel(environment)


class Operations:
    """A cursor over given operations."""

    def __init__(self, operations: Sequence[TileOp]) -> None:
        self._operations, self._index = operations, 0

    @property
    def done(self) -> bool:
        return self._index == len(self._operations)

    @property
    def opens_run(self) -> bool:
        return self._operations[self._index].run_opens

    def present(self) -> TileOp:
        return self._operations[self._index]

    def step(self) -> None:
        self._index += 1


def supply(bench: Bench, name: str, config: Any, at: Iterable[int]) -> Buffer:
    """A buffer whose chunks are there at given cycles; takes back any space."""
    buffer = Buffer(bench, name, config)
    for credits in ("space", "blocks"):
        setattr(buffer, credits, GivenCredits(bench.environment, (), []))
    for cycle in at:
        bench.environment.after(lambda _: buffer.ready.put(Chunk(0, 0)), int(cycle))
    return buffer


def run_matrix(arch: Arch, pe: ProcessingElement, operations: Sequence[TileOp], stalls: Stalls) -> HandshakeTrace:
    """Run operations through the dispatchers, the MXU, the collector and, where they are encoded, the BPC."""
    bench, trace = Bench(Environment(), "beat"), HandshakeTrace()
    environment = bench.environment
    weight_buffer = supply(bench, "weight_buffer", arch.buffers.weight, stalls.weight_chunks)
    activation_buffer = supply(bench, "activation_buffer", arch.buffers.activation, stalls.activation_chunks)
    cursor: Any = Operations(operations)
    weights = WeightDispatcher(
        bench,
        cursor,
        weight_buffer,
        port_bits=arch.weight_dispatcher.port_bits,
        mxu_columns=arch.mxu.columns,
        mxu_group_cycles=lambda _: 0,
    )
    weights.shadow = NotedChannel(environment, 1, trace.open("group"))
    weights.activity = SourcePort(environment, weights.name, stalls.weight_gaps, trace.open("weight"))
    activations = ActivationDispatcher(bench, arch.activation_dispatcher, pe.word_bits)
    activations.activity = SourcePort(environment, activations.name, stalls.activation_gaps, trace.open("activation"))
    mxu = Mxu(
        bench,
        weights,
        activations,
        activation_buffer,
        output_registers=arch.mxu.output_registers,
        pipeline_cycles=arch.mxu.pipeline_cycles,
        channel_busy=lambda: 0,
    )
    sink: Sink
    taken = trace.open("space")
    gather: Any = Gather(environment, stalls.space, taken)
    sink, units = gather, [weights, activations, mxu]
    encoded = operations[0].stream.compressed_rows > 0
    if encoded and arch.bpc is not None:
        sink = bpc = Bpc(bench, gather, lanes=arch.bpc.lanes, group_size=arch.bpc.group_size)
        bpc.activity = RowPort(environment, bpc, stalls.pattern, trace.open("row"), trace.open("handover"))
        units.append(bpc)
    collector = Collector(
        bench, mxu.pipeline, mxu.registers, sink, port_bits=arch.collector.port_bits, mxu_columns=arch.mxu.columns
    )
    pattern = np.ones(1) if encoded else stalls.pattern
    collector.activity = SinkPort(environment, collector.name, pattern, trace.open("output"))
    for unit in (*units, collector):
        unit.start()
    environment.run()
    return trace
