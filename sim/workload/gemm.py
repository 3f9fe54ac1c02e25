"""The kinds of work a machine does, and how they make up a workload.

    Workload -> phases (prefill, decode) -> items, each a Gemm, a FusedAttention or a VectorWork with a count
    a machine with integer PEs adds a Quantisation before each Gemm that they do; one with a quantiser beside PEs that
    take FP16 does keys and values in it

A GeMM multiplies activations [m, k] with weights [k, n] into outputs [m, n]. Activations arrive as FP16 or
encoded (`mantissa_bits`), outputs leave as FP16 or encoded for their consumer (`output_mantissa_bits`).
Items of equal shape and precision stand together under one `count`, so a list is as long as its distinct shapes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sim.errors import InputError, shortened
from sim.formats.weight import WeightFormat
from sim.formats.weights.half import Fp16Weights
from sim.formats.weights.integer import IntegerWeights
from sim.formats.widths import FP16_BITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sim.workload.precision_rules import PrecisionPlan
    from sim.workload.weight_bytes import StoredWeights

GemmModule = Literal["qkv", "o", "up", "down", "head", "router", "scores", "context", "other"]
VectorModule = GemmModule | Literal["norm", "rotary", "softmax", "activation", "quantise"]


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
    cached
        How outputs are kept that are keys or values, and the size of a head of them.
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
    cached: tuple[WeightFormat, int] | None = None

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
class QuantisedTokens:
    """Heads of tokens, each so many values under a scale of its own, made integers of so many bits."""

    tokens: int
    values: int
    bits: int


@dataclass(frozen=True)
class VectorWork:
    """`count` equal pieces of work for the vector unit.

    Parameters
    ----------
    operations
        Floating-point operations of one instance, one lane for one cycle each; a multiply-accumulate is one.
    read_bytes, write_bytes
        Bytes of one instance from and to memory that no GeMM beside it moves already.
    quantised
        What a quantiser would take of it: keys and values.
    """

    name: str
    module: VectorModule
    operations: int
    read_bytes: int
    write_bytes: int
    count: int = 1
    quantised: tuple[QuantisedTokens, ...] = ()


SOFTMAX_OPERATIONS = 5
"""Of a score: maximum, scale and subtract, exponential, sum, product with a scale of V or the sum's reciprocal."""


@dataclass(frozen=True)
class RowBlocks:
    """`count` row blocks of an attention in a row: as many rows, each of one query, that see as many keys."""

    rows: int
    keys: int
    count: int


@dataclass(frozen=True)
class FusedAttention:
    """`count` equal attentions, scores, softmax and context in one: scores stay on the chip.

    One instance goes through `heads` key-value heads, of all sequences, one after the other, and through the row
    blocks of each. The query heads that share a key-value head are rows beside one another.

    Parameters
    ----------
    heads
        Key-value heads of all sequences.
    head_size, value_size
        Values in a head of queries and keys, and of V.
    cache
        How a token's key or value of a head is stored: integers under a scale a token, or FP16.
    query_bits, probability_bits
        Anda mantissa lengths of queries and of the softmax's weights; None: FP16.
    output_mantissa_bits
        Mantissa length that the output is encoded at for its consumer; None: it leaves as FP16.
    capped
        Whether scores are softly capped before the softmax (Gemma 2).
    sliding
        Whether a row block may not see keys that one before it saw.
    """

    name: str
    blocks: tuple[RowBlocks, ...]
    heads: int
    head_size: int
    value_size: int
    cache: WeightFormat
    query_bits: int | None = None
    probability_bits: int | None = None
    output_mantissa_bits: int | None = None
    capped: bool = False
    sliding: bool = False
    count: int = 1
    module: Literal["attention"] = "attention"

    @property
    def scores(self) -> int:
        """Scores of one instance."""
        return self.heads * sum(block.rows * block.keys * block.count for block in self.blocks)

    @property
    def operations(self) -> int:
        """Of all `count` instances, those of the softmax as well."""
        return self.macs + SOFTMAX_OPERATIONS * self.scores * self.count

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all `count` instances."""
        return self.scores * (self.head_size + self.value_size) * self.count


@dataclass(frozen=True)
class Quantisation:
    """`count` equal inputs of GeMMs, FP16 in memory, or keys and values, made integers under a scale a token.

    Parameters
    ----------
    tokens, values
        And the values of each.
    bits
        Of an integer.
    cached
        Whether these are keys or values on their way from a GeMM to the cache: that GeMM's outputs, whose bytes in
        DRAM are its own.
    """

    name: str
    module: VectorModule
    tokens: int
    values: int
    bits: int
    count: int = 1
    cached: bool = False

    @property
    def operations(self) -> int:
        """Values of one instance."""
        return self.tokens * self.values

    @property
    def macs(self) -> int:
        """None: nothing is multiplied by weights."""
        return 0

    @property
    def read_bytes(self) -> int:
        """Bytes of one instance from memory, as FP16."""
        return 0 if self.cached else FP16_BITS // 8 * self.operations

    @property
    def write_bytes(self) -> int:
        """Bytes of one instance to memory: integers, and a scale a token."""
        return 0 if self.cached else self.tokens * (-(-self.values * self.bits // 8) + FP16_BITS // 8)


Item = Gemm | FusedAttention | VectorWork | Quantisation


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


def products(attention: FusedAttention) -> tuple[Gemm, Gemm]:
    """The GeMMs of an attention, of its largest row block: scores, and context.

    A key's scale stands at the weight port; those of the values are folded into the softmax's weights.
    """
    rows, keys = max(block.rows for block in attention.blocks), max(block.keys for block in attention.blocks)
    cache = attention.cache
    values = IntegerWeights(cache.bits, "tensor") if isinstance(cache, IntegerWeights) else cache
    return (
        Gemm(
            f"{attention.name}.scores", "scores", rows, attention.head_size, keys,
            mantissa_bits=attention.query_bits, weights=cache,
        ),
        Gemm(
            f"{attention.name}.context", "context", rows, keys, attention.value_size,
            mantissa_bits=attention.probability_bits, weights=values,
            output_mantissa_bits=attention.output_mantissa_bits,
        ),
    )  # fmt: skip


class LayerTask(NamedTuple):
    """A piece of work, once.

    Parameters
    ----------
    back
        The work before it that it reads outputs of, over the borders of layers and passes.
    by_rows
        Whether it reads them row by row, so that it may begin before they are complete.
    rows
        That it works on; 0 of attention.
    """

    item: Item
    back: int
    by_rows: bool
    rows: int


@dataclass(frozen=True)
class LayerList:
    """So many layers in a row that are alike."""

    tasks: tuple[LayerTask, ...]
    layers: int


@dataclass(frozen=True)
class Passage:
    """So many passes in a row that are alike."""

    lists: tuple[LayerList, ...]
    times: int


@dataclass(frozen=True)
class Phase:
    """The work of one phase of inference, in the order in which a layer does it.

    Parameters
    ----------
    course
        Makes the passes through the model that it consists of (sim/workload/passes.py); None where nobody knows them.
    """

    name: str
    items: tuple[Item, ...]
    course: Callable[[], Iterator[Passage]] | None = field(default=None, compare=False, repr=False)


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
        """Multiply-accumulates of all GeMMs, those of attention with them."""
        return sum(item.macs for phase in self.phases for item in phase.items if not isinstance(item, VectorWork))
