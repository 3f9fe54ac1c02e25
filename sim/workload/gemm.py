"""The two kinds of work a machine does, and how they make up a workload.

    Workload -> phases (prefill, decode) -> items, each a Gemm or a VectorWork with a count

A GeMM multiplies activations [m, k] with weights [k, n] into outputs [m, n]. Activations arrive as FP16 or
encoded (`mantissa_bits`), outputs leave as FP16 or encoded for their consumer (`output_mantissa_bits`).
Items of equal shape and precision stand together under one `count`, so a list is as long as its distinct shapes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sim.errors import InputError, shortened
from sim.formats.weight import WeightFormat
from sim.formats.weights.half import Fp16Weights
from sim.formats.weights.integer import IntegerWeights

if TYPE_CHECKING:
    from sim.workload.precision_rules import PrecisionPlan
    from sim.workload.weight_bytes import StoredWeights

GemmModule = Literal["qkv", "o", "up", "down", "head", "router", "scores", "context", "other"]
VectorModule = GemmModule | Literal["norm", "rotary", "softmax", "activation"]


INT4 = IntegerWeights()
FP16 = Fp16Weights()

LARGEST_SIZE = 1 << 24
"""Of M, K and N of a GeMM, and of whatever counts tokens, values or outputs in a model."""


@dataclass(frozen=True)
class Gemm:
    """`count` equal products of activations [m, k] and weights [k, n].

    Parameters
    ----------
    mantissa_bits
        Anda mantissa length of the activations; None: they are FP16 and not converted.
    output_mantissa_bits
        Mantissa length the outputs are encoded at for their consumer; None: they leave as FP16.
    """

    name: str
    module: GemmModule
    m: int
    k: int
    n: int
    count: int = 1
    mantissa_bits: int | None = None
    output_mantissa_bits: int | None = None
    weights: WeightFormat = INT4

    def __post_init__(self) -> None:
        for size, value in (("M", self.m), ("K", self.k), ("N", self.n)):
            if not 1 <= value <= LARGEST_SIZE:
                facts = {"found": f"{size} = {value}", "allowed": f"1 to {LARGEST_SIZE:,}"}
                raise InputError(f"{shortened(self.name)}: a GeMM too large", facts=facts)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all `count` instances."""
        return self.m * self.k * self.n * self.count


@dataclass(frozen=True)
class VectorWork:
    """`count` equal pieces of work for the vector unit.

    Parameters
    ----------
    operations
        Floating-point operations of one instance, one lane for one cycle each; a multiply-accumulate is one.
    read_bytes, write_bytes
        Bytes of one instance from and to memory that no GeMM beside it moves already.
    """

    name: str
    module: VectorModule
    operations: int
    read_bytes: int
    write_bytes: int
    count: int = 1


Item = Gemm | VectorWork


def as_vector_work(gemm: Gemm) -> VectorWork:
    """An FP16 x FP16 GeMM as work of the vector unit, for machines whose MXU takes INT4 weights only."""
    if gemm.weights != FP16:
        raise ValueError(f"{gemm.name}: only products of two FP16 operands run on the vector unit")
    return VectorWork(
        name=gemm.name,
        module=gemm.module,
        operations=gemm.m * gemm.k * gemm.n,
        read_bytes=2 * (gemm.m + gemm.n) * gemm.k,
        write_bytes=2 * gemm.m * gemm.n,
        count=gemm.count,
    )


@dataclass(frozen=True)
class Phase:
    """The work of one phase of inference, in the order in which a layer does it."""

    name: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Workload:
    """A named list of phases.

    Parameters
    ----------
    precision
        Mantissa lengths of [qkv, o, up, down], or None where activations stay FP16; rules aside.
    resolved
        The complete configuration behind it, as plain data, so that a result can be run again.
    plan
        The precision with its rules over phases, layers and positions.
    stored
        Its weights in memory; None where nobody has counted them.
    """

    name: str
    phases: tuple[Phase, ...]
    precision: tuple[int, int, int, int] | None = None
    resolved: dict[str, Any] = field(default_factory=dict, compare=False)
    plan: PrecisionPlan | None = field(default=None, compare=False)
    stored: StoredWeights | None = field(default=None, compare=False)

    @property
    def gemms(self) -> tuple[Gemm, ...]:
        """The GeMMs of all phases."""
        return tuple(item for phase in self.phases for item in phase.items if isinstance(item, Gemm))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all GeMMs."""
        return sum(gemm.macs for gemm in self.gemms)
