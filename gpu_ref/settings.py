"""bench.yaml: what is measured, and how long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from gpu_ref.checked import FORBID, Positive, Size, Within, checked
from gpu_ref.program import GemmShape

FILE = Path(__file__).parent / "bench.yaml"

MantissaLength = Annotated[int, Within(least=1, most=15)]
Layer = tuple[Size, Size]
"""(columns, depth)"""


@dataclass(frozen=True)
class Shapes:
    __pydantic_config__ = FORBID

    models: list[str]
    tokens: list[Size]


@dataclass(frozen=True)
class MantissaBits:
    """Lengths timed on every shape, and those that follow once all shapes are done."""

    __pydantic_config__ = FORBID

    first: list[MantissaLength]
    later: list[MantissaLength]


@dataclass(frozen=True)
class Verification:
    """Every kernel at all `tokens` and `layers`; lengths of Anda and pairs up to `bipolar_bits` rotate over them.

    `small_tokens` and `small_layer` are what every kernel is tried on first, and under the sanitizers.
    """

    __pydantic_config__ = FORBID

    tokens: list[Size]
    layers: list[Layer]
    small_tokens: list[Size]
    small_layer: Layer
    mantissa_bits: list[MantissaLength]
    bipolar_bits: Annotated[int, Within(least=1, most=8)]


@dataclass(frozen=True)
class Timing:
    """How long and how often; `l2_multiple` copies of the L2 in weights are rotated, so that DRAM is measured."""

    __pydantic_config__ = FORBID

    samples: Annotated[int, Within(least=3)]
    batch_seconds: Positive
    l2_multiple: Size


@dataclass(frozen=True)
class EnergyWindows:
    """Windows long enough for a counter that is updated ten times a second and sees a quarter of the time."""

    __pydantic_config__ = FORBID

    seconds: Positive
    tokens: list[Size]
    source: str


@dataclass(frozen=True)
class CeilingSizes:
    __pydantic_config__ = FORBID

    warm_up_seconds: Positive
    copy_bytes: Size
    product_size: Size


@dataclass(frozen=True)
class Rates:
    """Tensor Core rates by operand, relative to FP16."""

    __pydantic_config__ = FORBID

    f16: Size
    s8: Size
    e4m3: Size
    b1: Size
    source: str

    def of(self, operand: str) -> int:
        rate: int = getattr(self, operand)
        return rate


@dataclass(frozen=True)
class InstructionWorth:
    """FP16 operations in the time of one warp instruction, by architecture."""

    __pydantic_config__ = FORBID

    sm_80: Size
    sm_90a: Size
    sm_100: Size
    source: str

    def of(self, architecture: str) -> int | None:
        """None where it is not known."""
        found: int | None = getattr(self, architecture) if architecture in ("sm_80", "sm_90a", "sm_100") else None
        return found


@dataclass(frozen=True)
class Settings:
    __pydantic_config__ = FORBID

    shapes: Shapes
    mantissa_bits: MantissaBits
    verification: Verification
    timing: Timing
    energy: EnergyWindows
    ceilings: CeilingSizes
    tensor_core_rates: Rates
    operations_an_instruction: InstructionWorth
    patience_seconds: Positive


def load_settings(path: Path = FILE) -> Settings:
    """Read the settings; an InputError names file and key."""
    from sim import source

    return checked(Settings, source.read(path).values, path, "settings of the GPU measurements")


def from_plain(content: dict[str, Any]) -> Settings:
    """Settings from what `dataclasses.asdict` made of them; needs no Pydantic."""
    return Settings(
        Shapes(**content["shapes"]),
        MantissaBits(**content["mantissa_bits"]),
        _verification(**content["verification"]),
        Timing(**content["timing"]),
        EnergyWindows(**content["energy"]),
        CeilingSizes(**content["ceilings"]),
        Rates(**content["tensor_core_rates"]),
        InstructionWorth(**content["operations_an_instruction"]),
        content["patience_seconds"],
    )


def _verification(layers: list[list[int]], small_layer: list[int], **others: Any) -> Verification:
    pairs = [(columns, depth) for columns, depth in layers]
    return Verification(layers=pairs, small_layer=(small_layer[0], small_layer[1]), **others)


def layers(models: list[str]) -> dict[Layer, list[str]]:
    """(columns, depth) of the models' layers with integer weights, and who has them; a model's largest layer first."""
    from sim.workload.gemm import Gemm
    from sim.workload.load import load_workload

    found: dict[Layer, list[str]] = {}
    for model in models:
        phases = load_workload(model, phase="prefill", tokens=1).phases
        gemms = [item for phase in phases for item in phase.items if isinstance(item, Gemm)]
        for gemm in sorted(gemms, key=lambda gemm: -gemm.n * gemm.k):
            names = found.setdefault((gemm.n, gemm.k), [])
            if f"{model} {gemm.module}" not in names:
                names.append(f"{model} {gemm.module}")
    return found


def shapes(tokens: list[int], named: dict[Layer, list[str]]) -> list[GemmShape]:
    """All shapes: the leading layer at every number of tokens, then the others, token count by token count."""
    first, *others = named
    leading = [GemmShape(count, *first) for count in tokens]
    return leading + [GemmShape(count, *layer) for count in tokens for layer in others]
