"""Makes the result of a workload on a machine out of the runs of its pieces: the dict that result.json holds.

Quantities of a layer are those of one instance; totals add count times the layer.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sim.cost.area import area_square_millimetres
from sim.cost.energy import by_group, energy_picojoules
from sim.engine.activity import State
from sim.laws.bounds import dram_floor
from sim.laws.expectation import Expectation, GemmExpectation, expect
from sim.limits import Limit, Occupancy, limit_of
from sim.machine.machine import Machine
from sim.runs.runs import Runs
from sim.workload.gemm import Gemm, Item, Workload

SCHEMA_VERSION = 1
Dict = dict[str, Any]
SRAM_BITS = (
    "activation_dispatcher.read_bits",
    "activation_dispatcher.exponent_read_bits",
    "weight_dispatcher.read_bits",
)
SRAM_BYTES = (
    "activation_buffer.filled_bytes",
    "activation_buffer.filled_side_bytes",
    "weight_buffer.filled_bytes",
)


def summarise(machine: Machine, workload: Workload, runs: Runs) -> Dict:
    """The result of a workload out of the runs of its pieces."""
    layers = [_layer(machine, phase.name, item, runs) for phase in workload.phases for item in phase.items]
    total = _Sum(machine)
    modules: dict[str, _Sum] = {}
    for layer in layers:
        total.add(layer)
        modules.setdefault(layer["module"], _Sum(machine)).add(layer)
    area = area_square_millimetres(machine.arch)
    whole = total.as_dict()
    return {
        "schema_version": SCHEMA_VERSION,
        "arch": machine.arch.model_dump(mode="json"),
        "workload": {"name": workload.name, **workload.resolved},
        "provenance": {"versions": _versions(), "seed": 0, **asdict(runs.options)},
        "clock_hertz": int(machine.arch.clock.hertz),
        "totals": {**whole["totals"], "area_square_millimetres": sum(area.values())},
        "units": whole["units"],
        "counters": whole["counters"],
        "energy": whole["energy"],
        "energy_groups": by_group(whole["energy"]),
        "area": area,
        "limit": whole["limit"],
        "fast_forward": whole["fast_forward"],
        "peak": whole["peak"],
        "bounds": whole["bounds"],
        "modules": {name: _module(group, layers, name) for name, group in modules.items()},
        "layers": [{key: value for key, value in layer.items() if not key.startswith("_")} for layer in layers],
    }


def _layer(machine: Machine, phase: str, item: Item, runs: Runs) -> Dict:
    arch, done = machine.arch, machine.piece(item)
    piece, run = done.work, runs[done]
    expected = expect(done.scheduled(run.schedule))
    gemm = item if isinstance(item, Gemm) else None
    on_mxu = isinstance(piece, Gemm)
    macs = gemm.m * gemm.k * gemm.n if gemm else 0
    energy = energy_picojoules(arch, run.counters, run.cycles)
    peak = _peak(machine, piece) if isinstance(piece, Gemm) else float(arch.vector.fpus)
    work = macs if on_mxu else run.counters["vector.operations"]
    occupancy = _occupancy(machine, expected)
    bits = machine.pe.activation_bits(gemm.mantissa_bits) * gemm.weights.bits if gemm and on_mxu else 256
    return {
        "name": item.name,
        "module": item.module,
        "phase": phase,
        "unit": "mxu" if on_mxu else "vector",
        "m": gemm.m if gemm else None,
        "k": gemm.k if gemm else None,
        "n": gemm.n if gemm else None,
        "count": item.count,
        "mantissa_bits": piece.mantissa_bits if isinstance(piece, Gemm) else None,
        "cycles": run.cycles,
        "macs": macs,
        "bit_operations": macs * bits,
        "dram_bytes": _dram_bytes(run.counters),
        "sram_bytes": _sram_bytes(run.counters),
        "energy_picojoules": sum(energy.values()),
        "utilisation": work / (peak * run.cycles),
        "peak_macs_per_cycle": peak,
        "limit": vars(limit_of(run.states, run.cycles, occupancy)),
        "bounds": vars(expected.bounds),
        "schedule": _schedule(expected),
        "dram_floor": _floor(machine, expected),
        "fast_forward": {
            "skipped_cycles": sum(skip.cycles for skip in run.skips),
            "levels": ", ".join(dict.fromkeys(skip.level for skip in run.skips)),
            "obstacle": run.obstacle,
        },
        "units": _units(run.states),
        "_run": run,
        "_bounds": expected.bounds,
        "_energy": energy,
        "_occupancy": occupancy,
    }


def _module(group: _Sum, layers: list[Dict], name: str) -> Dict:
    lengths = {layer["mantissa_bits"] for layer in layers if layer["module"] == name}
    whole = group.as_dict()
    keys = ("cycles", "macs", "dram_bytes", "sram_bytes", "energy_picojoules", "utilisation")
    return {
        **{key: whole["totals"][key] for key in keys},
        "mantissa_bits": lengths.pop() if len(lengths) == 1 else None,
        "limit": whole["limit"]["text"],
    }


class _Sum:
    """Layers added up, each as often as it occurs."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.states: dict[str, dict[State, int]] = {}
        self.counters: dict[str, int] = {}
        self.energy: dict[str, float] = {}
        self.cycles = self.macs = self.bit_operations = self.lower = self.upper = 0
        self.skipped = 0
        self.obstacles: set[str] = set()
        self.peak_cycles = 0.0
        self.row_time = self.column_time = self.busy_time = 0.0

    def add(self, layer: Dict) -> None:
        count, run = layer["count"], layer["_run"]
        self.cycles += count * run.cycles
        self.macs += count * layer["macs"]
        self.bit_operations += count * layer["bit_operations"]
        self.lower += count * layer["_bounds"].lower_cycles
        self.upper += count * layer["_bounds"].upper_cycles
        work = layer["macs"] or run.counters.get("vector.operations", 0)
        self.peak_cycles += count * work / layer["peak_macs_per_cycle"]
        self.skipped += count * sum(skip.cycles for skip in run.skips)
        if run.obstacle:
            self.obstacles.add(run.obstacle)
        for unit, states in run.states.items():
            mine = self.states.setdefault(unit, dict.fromkeys(State, 0))
            for state, cycles in states.items():
                mine[state] += count * cycles
        for name, value in run.counters.items():
            self.counters[name] = self.counters.get(name, 0) + count * value
        for component, picojoules in layer["_energy"].items():
            self.energy[component] = self.energy.get(component, 0.0) + count * picojoules
        busy = count * run.states.get("mxu", {}).get(State.BUSY, 0)
        self.busy_time += busy
        self.row_time += busy * layer["_occupancy"].rows
        self.column_time += busy * layer["_occupancy"].columns

    def _dram_rounding(self) -> float:
        """Share of the channel's time that the time quantum added."""
        exact = _dram_bytes(self.counters) / self.machine.arch.dram_bytes_per_cycle
        ticks = self.machine.arch.dram.time_quantum or self.machine.arch.dram_bytes_per_cycle.numerator
        return float(self.counters.get("dram.busy_ticks", 0) / (exact * ticks) - 1) if exact else 0.0

    def as_dict(self) -> Dict:
        arch, busy = self.machine.arch, self.busy_time or 1.0
        for states in self.states.values():
            # A unit that a piece of work does not use rests meanwhile.
            states[State.IDLE] += self.cycles - sum(states.values())
        occupancy = Occupancy(
            self.row_time / busy if self.busy_time else 1.0,
            self.column_time / busy if self.busy_time else 1.0,
            arch.mxu.rows,
            arch.mxu.columns * arch.mxu.count,
        )
        limit: Limit = limit_of(self.states, self.cycles, occupancy)
        work = self.macs or self.counters.get("vector.operations", 0)
        return {
            "totals": {
                "cycles": self.cycles,
                "seconds": float(self.cycles / arch.clock.hertz),
                "macs": self.macs,
                "bit_operations": self.bit_operations,
                "dram_bytes": _dram_bytes(self.counters),
                "sram_bytes": _sram_bytes(self.counters),
                "energy_picojoules": sum(self.energy.values()),
                "utilisation": self.peak_cycles / self.cycles,
            },
            "units": _units(self.states),
            "counters": self.counters,
            "energy": self.energy,
            "limit": vars(limit),
            "fast_forward": {
                "skipped_cycles": self.skipped,
                "obstacles": sorted(self.obstacles),
                "dram_rounding": self._dram_rounding(),
            },
            "peak": {
                "macs_per_cycle": work / self.peak_cycles,
                "dram_bytes_per_cycle": float(arch.dram_bytes_per_cycle),
            },
            "bounds": {"lower_cycles": self.lower, "upper_cycles": self.upper},
        }


def _peak(machine: Machine, gemm: Gemm) -> float:
    """MACs a cycle of a GeMM with every row and column at work and all operands there."""
    arch, mxu = machine.arch, machine.arch.mxu
    words = machine.pe.cycles(gemm.mantissa_bits)
    word = -(-mxu.rows * machine.pe.word_bits // arch.activation_dispatcher.port_bits)
    block = -(-mxu.columns * mxu.dot_length * gemm.weights.bits // arch.weight_dispatcher.port_bits)
    return mxu.rows * mxu.columns * mxu.count * mxu.dot_length / max(words * word, block)


def _occupancy(machine: Machine, expected: Expectation) -> Occupancy:
    if not isinstance(expected, GemmExpectation):
        return Occupancy()
    shares = []
    for extent in (expected.plan.tokens, expected.plan.outputs):
        whole, rest = divmod(extent.size, extent.block)
        tiles = whole * extent.tiles(extent.block) + extent.tiles(rest)
        shares.append(extent.size / (tiles * extent.tile))
    mxu = machine.arch.mxu
    return Occupancy(shares[0], shares[1], mxu.rows, mxu.columns * mxu.count)


def _floor(machine: Machine, expected: Expectation) -> Dict | None:
    """With all of the machine's memory, whatever the schedule uses of it."""
    if not isinstance(expected, GemmExpectation):
        return None
    return vars(dram_floor(machine.arch, expected.plan, expected.pace))


def _schedule(expected: Expectation) -> Dict | None:
    if not isinstance(expected, GemmExpectation):
        return None
    plan = expected.plan
    return {
        "token_block": plan.tokens.block,
        "output_block": plan.outputs.block,
        "k_block": plan.chunk_groups * plan.group_size,
        "order": plan.order,
        "activations": "resident" if plan.activations_resident else "streamed",
        "weights": "resident" if plan.weights_resident else "streamed",
    }


def _units(states: Mapping[str, Mapping[State, int]]) -> Dict:
    return {
        unit: {
            "busy_cycles": cycles[State.BUSY],
            "idle_cycles": cycles[State.IDLE],
            "stalled_cycles": {s.name.lower(): n for s, n in cycles.items() if n and s not in (State.BUSY, State.IDLE)},
        }
        for unit, cycles in states.items()
    }


def _dram_bytes(counters: Mapping[str, int]) -> int:
    return sum(counters.get(f"dram.{side}_bytes", 0) for side in ("weight", "activation", "output"))


def _sram_bytes(counters: Mapping[str, int]) -> int:
    """Bytes read from and written into both buffers; bits of a byte begun count as a byte."""
    bits = sum(counters.get(name, 0) for name in SRAM_BITS)
    return -(-bits // 8) + sum(counters.get(name, 0) for name in SRAM_BYTES)


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("anda-sim", "numpy", "simpy", "pydantic", "pyyaml"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
