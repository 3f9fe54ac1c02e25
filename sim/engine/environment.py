"""Simulated time: SimPy's event queue, integer cycles, and a phase after all other events of a cycle.

normal events   units act, in any order: what they do must not depend on it
claims          what several units ask for in a cycle is given to them (sim/engine/sharing.py); they go on in it
end of cycle    arbiters decide, knowing every request of the cycle
"""

from __future__ import annotations

from collections.abc import Callable

import simpy
from simpy.events import Event, EventPriority

CLAIMS = EventPriority(2)
END_OF_CYCLE = EventPriority(3)
AFTER_ARBITRATION = EventPriority(4)


class Environment(simpy.Environment):
    """SimPy's environment with callbacks at a cycle and at its end; time is whole cycles."""

    _now: int

    def at_end_of_cycle(self, callback: Callable[[Event], None], delay: int = 0) -> None:
        """Call back after every normal event of the cycle `delay` cycles from now."""
        self._call(callback, delay, END_OF_CYCLE)

    def at_claims(self, callback: Callable[[Event], None]) -> None:
        """Call back in this cycle, after all that units do in it of themselves."""
        self._call(callback, 0, CLAIMS)

    def after(self, callback: Callable[[Event], None], delay: int) -> None:
        """Call back among the normal events of the cycle `delay` cycles from now."""
        self._call(callback, delay, EventPriority(1))

    def _call(self, callback: Callable[[Event], None], delay: int, priority: EventPriority) -> None:
        event = Event(self)
        event._ok, event._value = True, None
        event.callbacks = [callback]
        self.schedule(event, priority, delay)
