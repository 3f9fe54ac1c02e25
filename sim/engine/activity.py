"""What a process does with its time. Every cycle of it is busy, idle or stalled for one cause.

work(n)         busy for n cycles
wait(event)     stalled for a cause until the event; sleep(n) for n cycles
rest(event)     idle: nothing has been asked of the unit
spend(parts)    several of these in a row as one event
book(parts)     the same for a unit that another one's process drives
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from simpy.events import Event, Timeout

from sim.engine.environment import Environment


class State(IntEnum):
    """Busy, idle, or the cause of a stall."""

    IDLE = 0
    BUSY = 1
    WEIGHTS = 2
    ACTIVATIONS = 3
    OUTPUT_SPACE = 4
    BUFFER_SPACE = 5
    DRAM = 6
    DEPENDENCY = 7


class Recorder(Protocol):
    """Takes the spans of an activity, for a trace."""

    def span(self, unit: str, state: str, start_cycle: int, end_cycle: int) -> None: ...


class Activity:
    """The ledger of one process: cycles by state, adding up to the time since its start."""

    __slots__ = ("_environment", "_recorder", "cycles", "name", "since", "state", "wake")

    def __init__(self, environment: Environment, name: str, recorder: Recorder | None = None) -> None:
        self._environment, self._recorder = environment, recorder
        self.name = name
        self.cycles = [0] * len(State)
        self.state = State.IDLE
        self.since = 0
        self.wake = 0

    def enter(self, state: State) -> None:
        """Close the running interval; the next one is spent in `state`."""
        now = self._environment._now
        if now > self.since:
            self.cycles[self.state] += now - self.since
            if self._recorder is not None:
                self._recorder.span(self.name, self.state.name.lower(), self.since, now)
            self.since = now
        self.state = state

    def work(self, cycles: int) -> Timeout:
        return self.sleep(cycles, State.BUSY)

    def wait(self, event: Event, cause: State) -> Event:
        self.enter(cause)
        return event

    def sleep(self, cycles: int, cause: State) -> Timeout:
        """Stalled for a known number of cycles."""
        self.enter(cause)
        self.wake = self._environment._now + cycles
        return Timeout(self._environment, cycles)

    def rest(self, event: Event) -> Event:
        self.enter(State.IDLE)
        return event

    def spend(self, *parts: tuple[State, int]) -> Timeout:
        """Spend time in several states one after another; booked at once, finished at the event."""
        return Timeout(self._environment, self.book(*parts))

    def book(self, *parts: tuple[State, int]) -> int:
        """Book time to come, by state; returns its cycles."""
        self.enter(self.state)
        start = now = self._environment._now
        for state, cycles in parts:
            if cycles:
                self.cycles[state] += cycles
                if self._recorder is not None:
                    self._recorder.span(self.name, state.name.lower(), start, start + cycles)
                start += cycles
        self.since = self.wake = start
        return start - now

    def move(self, here: State, there: State, cycles: int) -> None:
        """Book past time that was booked to one state to another, where only now it is known what it was."""
        self.settle()
        self.cycles[here] -= cycles
        self.cycles[there] += cycles

    def relative_state(self) -> tuple[int, int]:
        """State, and cycles until the process wakes by itself (0 where something else wakes it)."""
        return self.state, max(self.wake - self._environment._now, 0)

    def settle(self) -> None:
        """Book the running interval up to now."""
        self.enter(self.state)
