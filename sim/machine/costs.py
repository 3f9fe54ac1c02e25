"""Energy and area of a machine: what its units say that they cost, added up by component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from types import MappingProxyType

from sim.arch.schema import Arch
from sim.cost.terms import CostTerms, Group
from sim.units.catalogue import unit_kinds

PICOJOULES_PER_MILLIJOULE = 1e9
BITS = {"bits": 1, "bytes": 8}
"""Measures of traffic, as they stand at the end of a counter's name."""
GROUPS: tuple[Group, ...] = ("compute", "sram", "dram")


@cache
def components() -> Mapping[str, Group]:
    """Every component that a machine may have and its group, group after group, upstream first."""
    found = {component: group for unit in unit_kinds() for component, group in unit.components.items()}
    return MappingProxyType(dict(sorted(found.items(), key=lambda entry: GROUPS.index(entry[1]))))


def cost_terms(arch: Arch) -> Iterator[CostTerms]:
    """What each unit says of its cost.

    Raises
    ------
    InputError
        For hardware that the machine's figures neither describe nor scale to.
    """
    for unit in unit_kinds():
        yield from unit.costs(arch)


def area_square_millimetres(arch: Arch) -> dict[str, float]:
    """Area by component; DRAM is off the chip.

    Raises
    ------
    InputError
        As `cost_terms`, and for a component whose figure is smaller than the hardware that it is said to contain.
    """
    area: dict[str, float] = {}
    for terms in cost_terms(arch):
        if terms.area_square_millimetres is not None:
            area[terms.component] = area.get(terms.component, 0.0) + terms.area_square_millimetres
    for component, square_millimetres in area.items():
        if square_millimetres <= 0:
            problem = f"the area of {component} is smaller than the registers that it describes and this machine lacks"
            raise arch.refuse("cost", problem, left=f"{square_millimetres:.6f} square millimetres")
    return _ordered(area)


class Costs:
    """What the units of one machine say that they cost, asked once: for many runs of it.

    Raises
    ------
    InputError
        As `cost_terms`.
    """

    def __init__(self, arch: Arch) -> None:
        self._terms = tuple(cost_terms(arch))
        self._hertz = arch.clock.hertz

    def energy_picojoules(self, counters: Mapping[str, int], cycles: int) -> dict[str, float]:
        """Energy of a run by component, in picojoules.

        Parameters
        ----------
        counters
            The run's counters; those of units that did not take part may be missing.
        """
        milliwatt_cycles = float(cycles / self._hertz) * PICOJOULES_PER_MILLIJOULE
        energy: dict[str, float] = {}
        for terms in self._terms:
            spent = sum(counters.get(counter, 0) * price for counter, price in terms.picojoules.items())
            spent += terms.standing_milliwatts * milliwatt_cycles
            energy[terms.component] = energy.get(terms.component, 0.0) + spent
        return _ordered(energy)

    def moved_bytes(self, counters: Mapping[str, int], group: Group) -> int:
        """Bytes read from and written into the memories of a group: those that their energy is paid by.

        Bits of a byte begun count as a byte.
        """
        bits = sum(counters.get(counter, 0) * size for counter, size in self._traffic[group].items())
        return -(-bits // 8)

    @cached_property
    def _traffic(self) -> dict[Group, dict[str, int]]:
        """Bits of one, by group and counter."""
        group_of = components()
        traffic: dict[Group, dict[str, int]] = {group: {} for group in GROUPS}
        for terms in self._terms:
            for counter in terms.picojoules:
                measure = counter.rpartition("_")[2]
                if measure in BITS:
                    traffic[group_of[terms.component]][counter] = BITS[measure]
        return traffic


def energy_picojoules(arch: Arch, counters: Mapping[str, int], cycles: int) -> dict[str, float]:
    """Energy of a single run; see `Costs`."""
    return Costs(arch).energy_picojoules(counters, cycles)


def by_group(energy: Mapping[str, float]) -> dict[str, float]:
    """Energy of compute, sram and dram."""
    group_of = components()
    groups: dict[str, float] = dict.fromkeys(GROUPS, 0.0)
    for component, picojoules in energy.items():
        groups[group_of[component]] += picojoules
    return groups


def _ordered(values: Mapping[str, float]) -> dict[str, float]:
    return {component: values[component] for component in components() if component in values}
