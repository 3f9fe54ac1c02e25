"""What schedules are searched for: each objective's value of a run, and what no run of a plan can go below.

    best                 the fewest DRAM bytes among schedules no slower than the published one
    best-cycles          cycles, and bytes among equals
    best-dram-bytes      bytes, and cycles among equals
    best-energy          energy
    best-energy-delay    energy x cycles

Bytes, work and what is read follow from the plan, so only the cycles of a bound are less than a run's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sim.arch.schema import Arch, Hardware, Objective
from sim.machine.costs import Costs

Score = tuple[float, ...]
Value = Callable[[Mapping[str, int], int], Score]

DRAM_BYTES = tuple(f"dram.{side}_bytes" for side in ("weight", "activation", "output"))


def dram_bytes(counters: Mapping[str, int]) -> int:
    """Of a run, or of what a plan makes the units count."""
    return sum(counters.get(name, 0) for name in DRAM_BYTES)


def value_of(hardware: Hardware, objective: Objective) -> Value:
    """The score of counters and cycles, the least the best; of fewer counts or cycles it is no larger."""
    if objective == "best-cycles":
        return lambda counters, cycles: (cycles, dram_bytes(counters))
    if objective not in ("best-energy", "best-energy-delay"):
        return lambda counters, cycles: (dram_bytes(counters), cycles)
    assert isinstance(hardware, Arch)
    costs = Costs(hardware)

    def energy(counters: Mapping[str, int], cycles: int) -> float:
        return sum(costs.energy_picojoules(counters, cycles).values())

    if objective == "best-energy":
        return lambda counters, cycles: (energy(counters, cycles), cycles)
    return lambda counters, cycles: (energy(counters, cycles) * cycles, cycles)
