"""Layers added up, each as often as it occurs: the totals of a result, and those of a phase or a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sim.cost.terms import Group
from sim.engine.activity import State
from sim.laws import ports, waterfall
from sim.laws.bounds import Bounds
from sim.limits import Limit, limit_of
from sim.machine.machine import Machine
from sim.result import FastForward, Module, Peak, PhaseTotals, Totals, UnitTime
from sim.result.layer import Done
from sim.result.rates import rates
from sim.result.times import unit_times
from sim.units.dram import model_of

Number = TypeVar("Number", int, float)


class Sum:
    """Layers of one machine added up.

    Attributes
    ----------
    counters, energy
        By counter, and picojoules by component.
    waterfall
        Of the multipliers' time.
    """

    def __init__(self, machine: Machine, done: Sequence[Done]) -> None:
        self._arch, self._costs, self._done = machine.arch, machine.costs, done
        self._cycles = self._sum(lambda one: one.run.cycles)
        self._macs = self._sum(lambda one: one.layer.macs)
        self._peak_cycles = sum((one.layer.count * one.work / one.layer.peak_macs_per_cycle for one in done), 0.0)
        self.waterfall = waterfall.total((one.layer.count, one.layer.waterfall) for one in done)
        self.counters: dict[str, int] = {}
        self.energy: dict[str, float] = {}
        self._states: dict[str, dict[State, int]] = {}
        for one in done:
            self._add(one)
        for states in self._states.values():
            # A unit that a piece of work does not use rests meanwhile.
            states[State.IDLE] += self._cycles - sum(states.values())

    def _sum(self, of: Callable[[Done], Number]) -> Number:
        return sum(one.layer.count * of(one) for one in self._done)

    def _add(self, one: Done) -> None:
        count = one.layer.count
        for name, value in one.run.counters.items():
            self.counters[name] = self.counters.get(name, 0) + count * value
        for component, picojoules in one.energy.items():
            self.energy[component] = self.energy.get(component, 0.0) + count * picojoules
        for unit, states in one.run.states.items():
            mine = self._states.setdefault(unit, dict.fromkeys(State, 0))
            for state, cycles in states.items():
                mine[state] += count * cycles

    def _moved_bytes(self, group: Group) -> int:
        return self._costs.moved_bytes(self.counters, group)

    def totals(self, area_square_millimetres: float) -> Totals:
        return Totals(
            cycles=self._cycles,
            seconds=float(self._cycles / self._arch.clock.hertz),
            macs=self._macs,
            bit_operations=self._sum(lambda one: one.layer.bit_operations),
            dram_bytes=self._moved_bytes("dram"),
            sram_bytes=self._moved_bytes("sram"),
            energy_picojoules=sum(self.energy.values()),
            utilisation=self.waterfall.utilisation,
            share_of_what_ports_allow=self._peak_cycles / self._cycles,
            area_square_millimetres=area_square_millimetres,
        )

    def module(self) -> Module:
        lengths = {one.layer.mantissa_bits for one in self._done}
        widths = {one.layer.weight_bits for one in self._done}
        return Module(
            cycles=self._cycles,
            macs=self._macs,
            dram_bytes=self._moved_bytes("dram"),
            sram_bytes=self._moved_bytes("sram"),
            energy_picojoules=sum(self.energy.values()),
            utilisation=self.waterfall.utilisation,
            mantissa_bits=lengths.pop() if len(lengths) == 1 else None,
            weight_bits=widths.pop() if len(widths) == 1 else None,
            limit=self.limit().text,
            waterfall=self.waterfall,
        )

    def phase(self, name: str, run: Mapping[str, Any]) -> PhaseTotals:
        """Of the layers of one phase; `run` is what was asked of the model, empty where the workload is none."""
        seconds, energy = float(self._cycles / self._arch.clock.hertz), sum(self.energy.values())
        moved = self._moved_bytes("dram")
        return PhaseTotals(
            cycles=self._cycles,
            seconds=seconds,
            macs=self._macs,
            dram_bytes=moved,
            energy_picojoules=energy,
            utilisation=self.waterfall.utilisation,
            share_of_what_ports_allow=self._peak_cycles / self._cycles,
            limit=self.limit(),
            waterfall=self.waterfall,
            ports=self.ports(),
            rates=rates(run, name, seconds=seconds, picojoules=energy, dram_bytes=moved, macs=self._macs),
        )

    def ports(self) -> dict[str, float]:
        """Of each port, the share of its bits that it moved."""
        uses = ports.total((one.layer.count, one.uses) for one in self._done)
        return {unit: use.share for unit, use in uses.items()}

    def units(self) -> dict[str, UnitTime]:
        return unit_times(self._states)

    def limit(self) -> Limit:
        return limit_of(self.waterfall, self._arch.mxu.rows)

    def fast_forward(self) -> FastForward:
        return FastForward(
            skipped_cycles=self._sum(lambda one: one.layer.fast_forward.skipped_cycles),
            obstacles=tuple(sorted({one.run.obstacle for one in self._done if one.run.obstacle})),
            dram_rounding=self._dram_rounding(),
        )

    def _dram_rounding(self) -> float:
        """Share of the channel's time that the time quantum added."""
        return model_of(self._arch).rounding(self._moved_bytes("dram"), self.counters)

    def peak(self) -> Peak:
        work = self._macs or self._sum(lambda one: one.work)
        return Peak(
            macs_per_cycle=work / self._peak_cycles, dram_bytes_per_cycle=float(model_of(self._arch).bytes_per_cycle)
        )

    def bounds(self) -> Bounds:
        return Bounds(
            lower_cycles=self._sum(lambda one: one.layer.bounds.lower_cycles),
            upper_cycles=self._sum(lambda one: one.layer.bounds.upper_cycles),
        )
