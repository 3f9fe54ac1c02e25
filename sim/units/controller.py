"""Controller: reads a GeMM's descriptor, then lets the loaders go; the units run by themselves until the last write."""

from __future__ import annotations

from simpy.events import Event

from sim.engine.activity import State
from sim.units.unit import Bench, Steps, Unit


class Controller(Unit):
    """Launches one piece of work, `launch_cycles` after the start."""

    def __init__(self, bench: Bench, launch_cycles: int) -> None:
        super().__init__(bench, "controller")
        self.launch_cycles = launch_cycles
        self.launched = Event(bench.environment)

    def run(self) -> Steps:
        yield self.activity.work(self.launch_cycles)
        self.launched.succeed()
        self.activity.enter(State.IDLE)
