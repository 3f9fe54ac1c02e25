"""Laws that every run obeys: nothing is lost, made twice, or done in no time. A breach is a defect of the simulator."""

from __future__ import annotations

from collections.abc import Mapping

from sim.arch.schema import Hardware
from sim.engine.activity import State
from sim.laws.bounds import Bounds, DramFloor, Traffic
from sim.units.dram import model_of


class BrokenLawError(Exception):
    """A law that a run broke: the unit, and both sides of the equation."""

    def __init__(self, unit: str, law: str, left: object, right: object) -> None:
        self.unit, self.law, self.left, self.right = unit, law, left, right
        super().__init__(f"{unit}: {law}: {left} against {right}")


def require_equal(unit: str, law: str, left: int, right: int) -> None:
    if left != right:
        raise BrokenLawError(unit, law, left, right)


def check_time(states: Mapping[str, Mapping[State, int]], cycles: int) -> None:
    """Busy, stalled and idle cycles of every unit add up to the run's, and none is negative."""
    for unit, spent in states.items():
        require_equal(unit, "busy + stalled + idle = total", sum(spent.values()), cycles)
        require_equal(unit, "negative times", sum(n < 0 for n in spent.values()), 0)


def check_bounds(cycles: int, bounds: Bounds) -> None:
    if not bounds.lower_cycles <= cycles <= bounds.upper_cycles:
        raise BrokenLawError("machine", "lower <= cycles <= upper", cycles, bounds)


def check_floor(asked: Traffic, floor: DramFloor) -> None:
    """No schedule moves less than the operands once, nor less than the memory on the chip allows."""
    least = max(floor.compulsory_bytes, floor.communication_bytes)
    if asked.bytes < least:
        raise BrokenLawError("dram", "bytes moved >= floor", asked.bytes, least)


def check_counters(counters: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Every unit counted what the plan asks for: work done, bytes moved, requested, received and read."""
    for name, wanted in expected.items():
        require_equal(name.split(".")[0], f"{name} counted = asked for", counters[name], wanted)


def check_promises(hardware: Hardware, counters: Mapping[str, int], cycles: int) -> None:
    """What the machine's kind of DRAM says of every run."""
    requests = sum(counters.get(f"{unit}_loader.requests", 0) for unit in ("weight", "activation"))
    requests += counters["writer.blocks"]
    for law, least, counted, most in model_of(hardware).promises(counters, cycles, requests):
        if not least <= counted <= most:
            raise BrokenLawError("dram", law, counted, f"{least} to {most}")
