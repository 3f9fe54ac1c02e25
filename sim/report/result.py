"""What a result holds: the keys of result.json, with their units of measure in their names.

Quantities of a layer are those of ONE instance of it; totals and modules sum count x quantity over the layers.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

SCHEMA_VERSION = 1

# Figures that the reports divide by.
Count = Annotated[int, Field(gt=0)]
Amount = Annotated[float, Field(gt=0)]


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

    cycles: Count
    seconds: Amount
    macs: Count
    dram_bytes: int
    sram_bytes: int
    energy_picojoules: Amount
    area_square_millimetres: Amount
    utilisation: float


class Peak(TypedDict):
    """Ceilings of the machine; the MACs are the mean over the work, weighted with its MACs."""

    macs_per_cycle: Amount
    dram_bytes_per_cycle: Amount


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
    """A GeMM of shape (m, k) x (k, n), or work of the vector unit, that has no shape; it occurs `count` times."""

    name: str
    module: str
    phase: str
    unit: str
    m: int | None
    k: int | None
    n: int | None
    count: int
    mantissa_bits: int | None
    cycles: Count
    macs: int
    dram_bytes: int
    sram_bytes: int
    energy_picojoules: float
    utilisation: float
    peak_macs_per_cycle: float
    limit: Limit
    bounds: Bounds
    schedule: dict[str, Any] | None
    dram_floor: NotRequired[dict[str, int] | None]
    fast_forward: NotRequired[dict[str, Any]]
    units: dict[str, Unit]


class Result(TypedDict):
    """One machine on one workload; energies in picojoules, areas in square millimetres."""

    schema_version: int
    arch: dict[str, Any]
    workload: dict[str, Any]
    provenance: dict[str, Any]
    clock_hertz: Count
    totals: Totals
    units: dict[str, Unit]
    counters: dict[str, int]
    energy: dict[str, float]
    energy_groups: dict[str, float]
    area: dict[str, float]
    limit: Limit
    fast_forward: NotRequired[dict[str, Any]]
    peak: Peak
    bounds: Bounds
    modules: dict[str, Module]
    layers: list[Layer]
