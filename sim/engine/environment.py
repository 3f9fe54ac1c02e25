"""Simulated time: SimPy's event queue, integer cycles, and a phase after all other events of a cycle.

normal events   units act, in any order: what they do must not depend on it
end of cycle    arbiters decide, knowing every request of the cycle
"""

from __future__ import annotations

from collections.abc import Callable

import simpy
from simpy.events import Event, EventPriority

END_OF_CYCLE = EventPriority(2)


class Environment(simpy.Environment):
    """SimPy's environment with callbacks at a cycle and at its end; time is whole cycles."""

    _now: int

    def at_end_of_cycle(self, callback: Callable[[Event], None], delay: int = 0) -> None:
        """Call back after every normal event of the cycle `delay` cycles from now."""
        self._call(callback, delay, END_OF_CYCLE)

    def after(self, callback: Callable[[Event], None], delay: int) -> None:
        """Call back among the normal events of the cycle `delay` cycles from now."""
        self._call(callback, delay, EventPriority(1))

    def _call(self, callback: Callable[[Event], None], delay: int, priority: EventPriority) -> None:
        event = Event(self)
        event._ok, event._value = True, None
        event.callbacks = [callback]
        self.schedule(event, priority, delay)
