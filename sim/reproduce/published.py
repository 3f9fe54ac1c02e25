"""The paper's numbers, read from results/published/anda-hpca2025.yaml; the keys carry the units of measure."""

from __future__ import annotations

from functools import cache

from sim import shipped, source
from sim.section import Section

FILE = "anda-hpca2025.yaml"


class Placed(Section):
    place: str
    """Where in the paper the numbers stand."""
    derived: str = ""
    """How they follow from the paper's numbers, where they are not printed."""


class Storage(Placed):
    compression: dict[int, float]


class PeByLength(Placed):
    mantissa_bits: list[int]
    area_efficiency_times_cycles: float
    energy_efficiency_times_cycles: float


class PeRow(Section):
    area: float
    power: float
    area_efficiency: float | None = None
    energy_efficiency: float | None = None


class Pe(Placed):
    machines: dict[str, PeRow]


class SystemRow(Section):
    arch: str
    tolerance: str | None = None
    """Loss of accuracy that the mantissa lengths were chosen for; absent on machines of one precision."""
    speedup: float
    area_efficiency: float
    energy_efficiency: float


class Systems(Placed):
    models: list[str]
    tokens: int
    machines: dict[str, SystemRow]


class Energy(Placed):
    model: str
    machines: dict[str, dict[str, float]]


class Block(Section):
    square_millimetres: float
    milliwatts: float


class Chip(Placed):
    model: str
    tolerance: str
    blocks: dict[str, Block]
    printed_total: Block


class MachineKeys(Placed):
    arch: str
    keys: dict[str, float]


class FignaMantissa(Placed):
    stated: int
    counted: int


class WeightShare(Placed):
    below_tokens: int
    above: float


class Step(Section):
    mantissa_bits: list[int]
    accepted: bool


class Search(Placed):
    model: str
    steps: list[Step]


class Combination(Section):
    mantissa_bits: list[int]
    bit_operation_saving: float


class Combinations(Section):
    source: str
    models: dict[str, dict[str, Combination]]


class Published(Section):
    """Every number of the paper's evaluation that has a simulated counterpart."""

    storage: Storage
    pe_by_mantissa_length: PeByLength
    pe: Pe
    systems: Systems
    energy_breakdown: Energy
    chip: Chip
    machine: MachineKeys
    figna_mantissa: FignaMantissa
    weight_share: WeightShare
    search: Search
    precision_combinations: Combinations


@cache
def published() -> Published:
    """The paper's numbers."""
    return source.validate(Published, source.read(shipped.ROOT / "results" / "published" / FILE))
