"""Makes the result of a workload on a machine out of the runs of its pieces."""

from __future__ import annotations

import platform
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from sim.machine.costs import area_square_millimetres, by_group
from sim.machine.machine import Machine
from sim.result import SCHEMA_VERSION, Provenance, Result, WeightBytes
from sim.result.layer import Done, do
from sim.result.sums import Sum
from sim.runs.code import code_version
from sim.runs.runs import Runs
from sim.workload.gemm import Workload
from sim.workload.weight_bytes import StoredWeights


def summarise(machine: Machine, workload: Workload, runs: Runs) -> Result:
    """The result of a workload, out of the runs of its pieces."""
    done = [do(machine, phase.name, item, runs) for phase in workload.phases for item in machine.steps(phase.items)]
    modules: dict[str, list[Done]] = {}
    phases: dict[str, list[Done]] = {}
    for one in done:
        modules.setdefault(one.layer.module, []).append(one)
        phases.setdefault(one.layer.phase, []).append(one)
    whole, area = Sum(machine, done), area_square_millimetres(machine.arch)
    return Result(
        schema_version=SCHEMA_VERSION,
        arch=machine.arch.model_dump(mode="json"),
        workload={"name": workload.name, **workload.resolved},
        provenance=Provenance(versions=_versions(), seed=0, **asdict(runs.options)),
        clock_hertz=int(machine.arch.clock.hertz),
        totals=whole.totals(sum(area.values())),
        units=whole.units(),
        counters=whole.counters,
        energy=whole.energy,
        energy_groups=by_group(whole.energy),
        area=area,
        limit=whole.limit(),
        waterfall=whole.waterfall,
        ports=whole.ports(),
        fast_forward=whole.fast_forward(),
        peak=whole.peak(),
        bounds=whole.bounds(),
        phases={name: Sum(machine, own).phase(name, workload.resolved.get("run", {})) for name, own in phases.items()},
        modules={name: Sum(machine, own).module() for name, own in modules.items()},
        weights=_weights(workload.stored),
        layers=tuple(one.layer for one in done),
    )


def _weights(stored: StoredWeights | None) -> WeightBytes | None:
    if stored is None:
        return None
    return WeightBytes(
        weights=stored.weights,
        claimed_bytes=stored.claimed_bytes,
        stored_bytes=stored.stored_bytes,
        claimed_bits_a_weight=stored.claimed_bits,
        stored_bits_a_weight=stored.stored_bits,
    )


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("anda-sim", "numpy", "simpy", "pydantic", "pyyaml"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return {**found, "code": code_version()}
