"""How far outputs have come, by the way they take (`Lane`), for units that wait until what they read is there.

On each lane outputs finish in the order of the program, so a unit waits for one number: outputs of one lane, from the
start of the program, those of skipped loops included.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Protocol

from simpy.events import Event

from sim.engine.environment import Environment
from sim.mapping.stream import Awaited, Lane


class Dependent(Protocol):
    """A position in a program at which something is waited for."""

    @property
    def awaited(self) -> Awaited: ...


class Progress:
    """Outputs finished, by lane, and who waits for more."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.outputs = [0] * len(Lane)
        self.simulated = [0] * len(Lane)
        """Of them, those that no skip passed."""
        self._waiting: list[tuple[Dependent, Event]] = []

    def met(self, position: Dependent) -> bool:
        """Whether what is waited for there has come."""
        awaited = position.awaited
        return self.outputs[awaited.lane] >= awaited.outputs

    def reached(self, position: Dependent) -> Event:
        """The event of its having come, wherever a skip moves the position meanwhile."""
        event = Event(self._environment)
        self._waiting.append((position, event))
        return event

    def advance(self, lane: Lane) -> None:
        """One output more is finished."""
        self.outputs[lane] += 1
        self.simulated[lane] += 1
        for one in [one for one in self._waiting if self.met(one[0])]:
            self._waiting.remove(one)
            one[1].succeed()

    def room(self, outputs: Sequence[int], moved: Container[object]) -> int | None:
        """How often so many outputs of each lane may be skipped before one that a position not moved waits for."""
        rooms = []
        for position, _ in self._waiting:
            lane, awaited = position.awaited
            if outputs[lane] and position not in moved:
                rooms.append((awaited - self.outputs[lane] - 1) // outputs[lane])
        return min(rooms, default=None)

    def skip(self, outputs: Sequence[int]) -> None:
        """Take so many outputs of each lane as finished."""
        self.outputs = [so_far + more for so_far, more in zip(self.outputs, outputs, strict=True)]

    @property
    def is_late(self) -> bool:
        """Whether what a unit waits for has come without its being told."""
        return any(self.met(position) for position, _ in self._waiting)
