"""What a result holds: one machine on one workload, every figure with its unit of measure in its name.

Quantities of a layer are those of ONE instance of it; totals, phases and modules sum count x quantity over the layers.
What machines differ in by name (units, components, counters, modules) are maps; all else are fields.
sim.result.summarise makes results out of runs, sim.result.json writes and reads them with these names as keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from sim.laws.bounds import Bounds, DramFloor
from sim.laws.waterfall import Waterfall
from sim.limits import Limit
from sim.units.unit import Grain

__all__ = [
    "SCHEMA_VERSION",
    "Bounds",
    "DramFloor",
    "FastForward",
    "Layer",
    "LayerFastForward",
    "LayerSchedule",
    "LayerSplit",
    "Limit",
    "Module",
    "Peak",
    "Phase",
    "PhaseRates",
    "Provenance",
    "Result",
    "Totals",
    "UnitTime",
    "Waterfall",
    "WeightBytes",
]

SCHEMA_VERSION = 4

# Figures that the reports divide by.
Count = Annotated[int, Field(gt=0)]
Amount = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Provenance:
    """What is needed to run it again, beside the machine and the workload; `command` where a command line did it."""

    versions: Mapping[str, str]
    seed: int
    grain: Grain
    fast_forward: bool
    verify: bool
    command: str | None = None


@dataclass(frozen=True)
class UnitTime:
    """Where a unit's cycles went; the three kinds add up to the run's cycles."""

    busy_cycles: int
    idle_cycles: int
    stalled_cycles: Mapping[str, int]


@dataclass(frozen=True)
class Totals:
    """The run's sums; utilisation is the useful share of the multipliers' time (sim/laws/waterfall.py).

    The share of what the ports allow leaves out what rows, columns and ports that are wide enough would do.
    """

    cycles: Count
    seconds: Amount
    macs: int
    bit_operations: int
    dram_bytes: int
    sram_bytes: int
    energy_picojoules: Amount
    utilisation: float
    share_of_what_ports_allow: float
    area_square_millimetres: Amount


@dataclass(frozen=True)
class Peak:
    """Ceilings of the machine: MACs that its ports allow, the mean over the work, weighted with its MACs."""

    macs_per_cycle: Amount
    dram_bytes_per_cycle: Amount


@dataclass(frozen=True)
class FastForward:
    """Cycles that were skipped, what kept more from it, and the share of DRAM's time that the time quantum adds."""

    skipped_cycles: int
    obstacles: tuple[str, ...]
    dram_rounding: float


@dataclass(frozen=True)
class LayerFastForward:
    """Cycles that were skipped, at which levels of the loops, or why none were."""

    skipped_cycles: int
    levels: str
    obstacle: str | None


@dataclass(frozen=True)
class LayerSplit:
    """MXUs that split the tokens, the outputs and the groups of K of a tile."""

    tokens: int
    outputs: int
    k: int


@dataclass(frozen=True)
class LayerSchedule:
    """How a GeMM was cut into blocks, which loop is the outer one, and which operands stay in their buffers."""

    token_block: int
    output_block: int
    k_block: int
    order: Literal["tokens_outer", "outputs_outer"]
    activations: Literal["resident", "streamed"]
    weights: Literal["resident", "streamed"]
    split: LayerSplit | None = None
    """None: the outputs, over all MXUs."""


@dataclass(frozen=True)
class Module:
    """The layers of one module type (qkv, o, ...) together; bits of mantissas and weights where all have the same."""

    cycles: int
    macs: int
    dram_bytes: int
    sram_bytes: int
    energy_picojoules: float
    utilisation: float
    mantissa_bits: int | None
    weight_bits: int | None
    limit: str
    waterfall: Waterfall


@dataclass(frozen=True)
class WeightBytes:
    """Weights in memory, each matrix once: codes alone, as their width claims, and with all that stands beside them."""

    weights: Count
    claimed_bytes: int
    stored_bytes: int
    claimed_bits_a_weight: float
    stored_bits_a_weight: float


@dataclass(frozen=True)
class PhaseRates:
    """A phase as its user feels it and its owner pays for it; all of the simulated scope alone.

    Tokens are those of the prompts (prefill) or the decoded ones (decode), of all sequences; a step is a whole prefill,
    which is the time to the first token, or one decoded token of each sequence, the time per output token. A workload
    that is no model, and a mixed phase, have neither. A MAC is two operations.
    """

    tokens: int | None
    tokens_per_second: float | None
    seconds_per_step: float | None
    joules_per_token: float | None
    watts: float
    dram_gigabytes_per_second: float
    tera_operations_per_second: float


@dataclass(frozen=True)
class PhaseTotals:
    """The layers of one phase (prefill, decode) together; of each port, the share of its bits that it moved."""

    cycles: Count
    seconds: Amount
    macs: int
    dram_bytes: int
    energy_picojoules: float
    utilisation: float
    share_of_what_ports_allow: float
    limit: Limit
    waterfall: Waterfall
    ports: Mapping[str, float]
    rates: PhaseRates


@dataclass(frozen=True)
class Layer:
    """A GeMM of shape (m, k) x (k, n), or work of another unit, that has no shape; it occurs `count` times.

    Of a weight `weight_bits` are read; with its share of scales and offsets, and all planes, it takes more in memory.
    """

    name: str
    module: str
    phase: str
    unit: Literal["mxu", "vector", "quantiser"]
    m: int | None
    k: int | None
    n: int | None
    count: int
    mantissa_bits: int | None
    weight_bits: int | None
    stored_bits_a_weight: float | None
    cycles: Count
    macs: int
    bit_operations: int
    dram_bytes: int
    sram_bytes: int
    energy_picojoules: float
    utilisation: float
    share_of_what_ports_allow: float
    peak_macs_per_cycle: float
    limit: Limit
    waterfall: Waterfall
    ports: Mapping[str, float]
    bounds: Bounds
    schedule: LayerSchedule | None
    dram_floor: DramFloor | None
    fast_forward: LayerFastForward
    units: Mapping[str, UnitTime]


@dataclass(frozen=True)
class Result:
    """One machine on one workload; energies in picojoules, areas in square millimetres."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    schema_version: int
    arch: Mapping[str, Any]
    workload: Mapping[str, Any]
    provenance: Provenance
    clock_hertz: Count
    totals: Totals
    units: Mapping[str, UnitTime]
    counters: Mapping[str, int]
    energy: Mapping[str, float]
    energy_groups: Mapping[str, float]
    area: Mapping[str, float]
    limit: Limit
    waterfall: Waterfall
    ports: Mapping[str, float]
    fast_forward: FastForward
    peak: Peak
    bounds: Bounds
    phases: Mapping[str, PhaseTotals]
    modules: Mapping[str, Module]
    weights: WeightBytes | None
    layers: tuple[Layer, ...]

    @property
    def machine_name(self) -> str:
        return str(self.arch["name"])

    @property
    def workload_name(self) -> str:
        return str(self.workload["name"])
