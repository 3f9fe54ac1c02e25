"""A record of measurements: results/gpu/<device>-<date>.json."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from gpu_ref import sources
from gpu_ref.checked import FORBID, Count, Positive, checked
from gpu_ref.program import GemmShape
from sim.errors import InputError, Place

FOLDER = Path("results") / "gpu"


@dataclass(frozen=True)
class DeviceRecord:
    """The card, as card.Card."""

    __pydantic_config__ = FORBID

    name: str
    architecture: str
    multiprocessors: Count
    l2_bytes: Count
    memory_bytes: Count
    shared_bytes: Count


@dataclass(frozen=True)
class Reading:
    """Clocks, temperature, power and throttle reasons at one moment; null where the card does not tell."""

    __pydantic_config__ = FORBID

    sm_megahertz: int | None
    memory_megahertz: int | None
    temperature_celsius: int | None
    power_watts: float | None
    throttle_reasons: list[str] | None


@dataclass(frozen=True)
class GoldenCheck:
    """One verification against a golden model."""

    __pydantic_config__ = FORBID

    kernel: str
    configuration: str
    tokens: int
    columns: int
    depth: int
    case: str
    golden: Literal["computed", "carried"]  # on the spot, or a digest that came with a bundle
    error: float | None  # null: not finite
    limit: float
    passed: bool


@dataclass(frozen=True)
class Ceilings:
    """What the card was seen to do in the same run."""

    __pydantic_config__ = FORBID

    bytes_per_second: Positive
    fp16_operations_per_second: Positive


@dataclass(frozen=True)
class Row:
    """One kernel on one shape.

    Times are seconds of one GeMM. Bytes are the fewest possible, operations those of the GeMM, `passes` Tensor Core
    products for each; the roofline is the largest of memory, compute and contract time (gpu_ref/roofline.py) at the
    measured ceilings and stated rates.
    """

    __pydantic_config__ = FORBID

    kernel: str
    source: str
    configuration: str
    operand: str
    instruction: Literal["native", "emulated", "library"]
    is_choice: bool  # what the dispatcher picks
    mantissa_bits: int | None
    tokens: int
    columns: int
    depth: int
    layers: list[str]
    median_seconds: Positive
    lower_quartile_seconds: Positive
    upper_quartile_seconds: Positive
    samples: Count
    weight_copies: Count
    bytes: Count
    operations: Count
    passes: Count
    memory_seconds: Positive
    compute_seconds: Positive
    roofline_share: Positive
    limited_by: Literal["memory", "compute", "contract"]
    speedup_over_fp16: Positive | None
    energy_joules: Positive | None
    error: float
    error_limit: float
    state: Reading
    launches: Literal["graph", "single"] = "graph"  # how a batch reached the card
    contract_seconds: float = 0.0

    @property
    def shape(self) -> GemmShape:
        return GemmShape(self.tokens, self.columns, self.depth)

    @property
    def roofline_seconds(self) -> float:
        return max(self.memory_seconds, self.compute_seconds, self.contract_seconds)

    @property
    def operations_per_second(self) -> float:
        return self.operations / self.median_seconds


@dataclass(frozen=True)
class Failure:
    """What could not be measured, and why."""

    __pydantic_config__ = FORBID

    kernel: str
    tokens: int
    columns: int
    depth: int
    message: str


@dataclass(frozen=True)
class BenchRecord:
    """One run of bench on one card."""

    __pydantic_config__ = FORBID

    device: DeviceRecord
    versions: dict[str, str]
    started: str
    spent_seconds: float
    complete: bool
    sources: dict[str, str]
    tensor_core_rates: dict[str, int | str]
    state_before: Reading
    ceilings: Ceilings | None
    checks: list[GoldenCheck]
    rows: list[Row]
    failures: list[Failure]
    schema_version: Literal[1] = 1

    def changed_sources(self) -> list[str]:
        """Kernels whose text is not what it was when this was measured."""
        return [
            name
            for name, was in self.sources.items()
            if name not in sources.names() or sources.fingerprint(name) != was
        ]

    def rows_for(self, shape: GemmShape) -> list[Row]:
        return [row for row in self.rows if row.shape == shape]


def save(record: BenchRecord, path: Path) -> None:
    """Write a record so that the file is whole at every moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def load(path: Path) -> BenchRecord:
    """Read a record.

    Raises
    ------
    InputError
        For a file that is missing, no JSON, or no record of this version.
    """
    from sim.reading import LARGEST_RECORD, json_of

    return checked(BenchRecord, json_of(path, LARGEST_RECORD), path, "a record of GPU measurements")


def newest(folder: Path = FOLDER) -> Path:
    """The record that was started last.

    Raises
    ------
    InputError
        Where nothing was ever recorded.
    """
    found = sorted(folder.glob("*.json"), key=lambda path: (load(path).started, path.name))
    if not found:
        from sim import program

        needed = f"a record; `{program.name()} gpu first-contact` makes one on a machine with an NVIDIA card"
        raise InputError("no GPU measurements are recorded", place=Place(str(folder)), facts={"needed": needed})
    return found[-1]
