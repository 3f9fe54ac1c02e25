"""What a result holds: the keys of result.json, with their units of measure in their names.

Quantities of a layer are those of ONE instance of it; totals and modules sum count x quantity over the layers.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

SCHEMA_VERSION = 1


class Limit(TypedDict):
    """What holds the machine back: the unit, why, and one sentence about it."""

    unit: str
    cause: str
    text: str


class Unit(TypedDict):
    """Where a unit's cycles went; the three kinds add up to the run's cycles."""

    busy_cycles: int
    idle_cycles: int
    stalled_cycles: dict[str, int]


class Bounds(TypedDict):
    """Cycles that no schedule can beat, and cycles without any overlap."""

    lower_cycles: int
    upper_cycles: int


class Totals(TypedDict):
    """The run's sums; utilisation is MACs done over MACs possible at peak."""

    cycles: int
    seconds: float
    macs: int
    dram_bytes: int
    sram_bytes: int
    energy_picojoules: float
    area_square_millimetres: float
    utilisation: float


class Peak(TypedDict):
    """Ceilings of the machine; the MACs are the mean over the work, weighted with its MACs."""

    macs_per_cycle: float
    dram_bytes_per_cycle: float


class Module(TypedDict):
    """The layers of one module type (qkv, o, ...) together."""

    cycles: int
    macs: int
    dram_bytes: int
    sram_bytes: int
    energy_picojoules: float
    utilisation: float
    mantissa_bits: int | None
    limit: str


class Layer(TypedDict):
    """One GeMM of shape (m, k) x (k, n), which occurs `count` times."""

    name: str
    module: str
    phase: str
    m: int
    k: int
    n: int
    count: int
    mantissa_bits: int | None
    cycles: int
    macs: int
    dram_bytes: int
    sram_bytes: int
    energy_picojoules: float
    utilisation: float
    peak_macs_per_cycle: float
    limit: Limit
    bounds: Bounds
    schedule: dict[str, Any]
    units: dict[str, Unit]


class Result(TypedDict):
    """One machine on one workload; energies in picojoules, areas in square millimetres."""

    schema_version: int
    arch: dict[str, Any]
    workload: dict[str, Any]
    provenance: dict[str, Any]
    clock_hertz: int
    totals: Totals
    units: dict[str, Unit]
    counters: dict[str, int]
    energy: dict[str, float]
    energy_groups: dict[str, float]
    area: dict[str, float]
    limit: Limit
    peak: Peak
    bounds: Bounds
    modules: dict[str, Module]
    layers: list[Layer]
