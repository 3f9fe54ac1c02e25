"""bench.yaml: what is measured, and how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from gpu_ref.program import Shape
from sim import source
from sim.section import Section
from sim.workload.gemm import Gemm
from sim.workload.load import load_workload

FILE = Path(__file__).parent / "bench.yaml"

Positive = Annotated[int, Field(gt=0)]
Duration = Annotated[float, Field(gt=0)]


class Shapes(Section):
    models: list[str]
    tokens: list[Positive]


class MantissaBits(Section):
    """Lengths timed on every shape, and those that follow once all shapes are done."""

    first: list[Annotated[int, Field(ge=1, le=15)]]
    later: list[Annotated[int, Field(ge=1, le=15)]]


class Timing(Section):
    """How long and how often; `l2_multiple` copies of the L2 in weights are rotated, so that DRAM is measured."""

    seconds: Positive
    samples: Annotated[int, Field(ge=3)]
    batch_seconds: Duration
    energy_seconds: Duration
    l2_multiple: Positive


class Ceilings(Section):
    copy_bytes: Positive
    product_size: Positive


class Rates(Section):
    """Tensor Core rates by operand, relative to FP16."""

    f16: Positive
    s8: Positive
    e4m3: Positive
    b1: Positive
    source: str

    def of(self, operand: str) -> int:
        rate: int = getattr(self, operand)
        return rate


class Settings(Section):
    shapes: Shapes
    mantissa_bits: MantissaBits
    timing: Timing
    ceilings: Ceilings
    tensor_core_rates: Rates


def load_settings(path: Path = FILE) -> Settings:
    """Read the settings; an InputError names file, line and key."""
    return source.validate(Settings, source.read(path))


def layers(models: list[str]) -> dict[tuple[int, int], list[str]]:
    """(columns, depth) of the models' layers with integer weights, and who has them; a model's largest layer first."""
    found: dict[tuple[int, int], list[str]] = {}
    for model in models:
        phases = load_workload(model, phase="prefill", tokens=1).phases
        gemms = [item for phase in phases for item in phase.items if isinstance(item, Gemm)]
        for gemm in sorted(gemms, key=lambda gemm: -gemm.n * gemm.k):
            names = found.setdefault((gemm.n, gemm.k), [])
            if f"{model} {gemm.module}" not in names:
                names.append(f"{model} {gemm.module}")
    return found


def shapes(settings: Settings) -> list[Shape]:
    """All shapes: the leading layer at every number of tokens, then the others, token count by token count."""
    first, *others = layers(settings.shapes.models)
    tokens = settings.shapes.tokens
    leading = [Shape(count, *first) for count in tokens]
    return leading + [Shape(count, *layer) for count in tokens for layer in others]
