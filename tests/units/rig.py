"""A bench for one unit: the test plays its neighbours and reads the cycle of everything that comes out.

rig.at(cycle, action)      stimulus
rig.taken(channel)         consumer that takes each item at once, and when it did
rig.run(unit, ...)         until nothing moves any more, or up to a cycle
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from types import SimpleNamespace
from typing import Any

from sim.engine.activity import State
from sim.engine.channel import Channel, Credits
from sim.engine.environment import Environment
from sim.mapping.nest import Chunk, TileOp
from sim.units.collector import OutputBlock
from sim.units.unit import Bench, Grain, Unit


class Rig:
    """An empty machine at one grain."""

    def __init__(self, grain: Grain) -> None:
        self.grain = grain
        self.environment = Environment()
        self.bench = Bench(self.environment, grain)

    @property
    def now(self) -> int:
        return self.bench.now

    def at(self, cycle: int, action: Callable[[], object]) -> None:
        self.environment.after(lambda _: action(), cycle - self.now)

    def process(self, steps: Generator[Any, Any, Any]) -> None:
        self.environment.process(steps)

    def taken(self, channel: Channel[Any]) -> list[tuple[int, Any]]:
        """Take every item in the cycle it is put; cycles and items, in order."""
        found: list[tuple[int, Any]] = []

        def take() -> Generator[Any, Any, None]:
            while True:
                while not channel.items:
                    yield channel.filled()
                found.append((self.now, channel.pop()))

        self.process(take())
        return found

    def run(self, *units: Unit, until: int | None = None) -> None:
        """Start the units, let cycles 0 to `until` pass (or all), and close the ledgers."""
        for unit in units:
            unit.start()
        self.environment.run(until=None if until is None else until + 1)
        for unit in units:
            unit.activity.settle()


class Sink:
    """Where outputs go: places, and what was put there. Places are taken from it by the unit under test."""

    def __init__(self, rig: Rig, places: int) -> None:
        self.space = Credits(rig.environment, places)
        self.blocks: Channel[OutputBlock] = Channel(rig.environment)
        self.arrived = rig.taken(self.blocks)


class Memory:
    """A DRAM that answers every request after the same number of cycles, and remembers the requests."""

    def __init__(self, rig: Rig, answer_cycles: int, *, burst_bytes: int = 64, outstanding_loads: int = 10**6) -> None:
        self.rig, self.answer_cycles = rig, answer_cycles
        self.config = SimpleNamespace(outstanding_loads=outstanding_loads)
        self.burst_bytes = burst_bytes
        self.asked: list[tuple[int, int]] = []

    def bus_bytes(self, size: int) -> int:
        return -(-size // self.burst_bytes) * self.burst_bytes

    def read(self, port: object, size: int, done: Callable[[], None]) -> None:
        self.write(size, done)

    def write(self, size: int, done: Callable[[], None]) -> None:
        self.asked.append((self.rig.now, size))
        self.rig.at(self.rig.now + self.answer_cycles, done)


class Script:
    """A cursor that reads from a list."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items, self.index = items, 0

    @property
    def done(self) -> bool:
        return self.index == len(self.items)

    def present(self) -> Any:
        return self.items[self.index]

    def step(self) -> None:
        self.index += 1


class LoadScript(Script):
    """Chunks to load, each with whether it opens a block."""

    holds_heads = False

    def present(self) -> Chunk:
        return self.items[self.index][0]

    @property
    def opens_block(self) -> bool:
        return self.items[self.index][1]


def tile_op(*, groups: int = 1, **changes: Any) -> TileOp:
    """A whole 16 x 16 tile whose operands are there, with changes."""
    plain: dict[str, Any] = {
        "rows": 16,
        "columns": 16,
        "groups": groups,
        "values": 64 * groups,
        "opens_tile": True,
        "closes_tile": True,
        "takes_weights": False,
        "takes_activations": False,
        "frees_weights": 0,
        "frees_activations": 0,
        "closes_weights": False,
        "closes_activations": False,
        "run_opens": True,
        "run_columns": 16,
    }
    return TileOp(**plain | changes)


def stalls(unit: Unit) -> dict[State, int]:
    """Stalled cycles by cause, causes that did not occur left out."""
    ledger = enumerate(unit.activity.cycles)
    return {State(state): n for state, n in ledger if n and state not in (State.BUSY, State.IDLE)}


def busy(unit: Unit) -> int:
    return unit.activity.cycles[State.BUSY]
