"""Controller: reads a GeMM's descriptor, then lets the loaders go; the units run by themselves until the last write."""

from __future__ import annotations

from types import MappingProxyType

from simpy.events import Event

from sim.arch.schema import Arch
from sim.cost.scaling import registers
from sim.cost.terms import CostTerms
from sim.engine.activity import State
from sim.mapping.operands import ceil_div
from sim.units.unit import Bench, Steps, Unit


class Controller(Unit):
    """Launches one piece of work, `launch_cycles` after the start."""

    names = ("controller",)
    flow = 100
    components = MappingProxyType({"controller": "compute"})

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """The described controller, and registers for what it reads of a descriptor a cycle."""
        cost = arch.cost.controller
        read, described = (
            ceil_div(cost.descriptor_bits, launch.launch_cycles) for launch in (arch.controller, cost.describes)
        )
        added = registers(arch, read - described)
        return (
            CostTerms(
                "controller",
                standing_milliwatts=cost.power_milliwatts + added.milliwatts,
                area_square_millimetres=cost.area_square_millimetres + added.square_millimetres,
            ),
        )

    def __init__(self, bench: Bench, launch_cycles: int) -> None:
        super().__init__(bench, "controller")
        self.launch_cycles = launch_cycles
        self.launched = Event(bench.environment)

    def run(self) -> Steps:
        yield self.activity.work(self.launch_cycles)
        self.launched.succeed()
        self.activity.enter(State.IDLE)
