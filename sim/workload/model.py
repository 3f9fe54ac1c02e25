"""What a model YAML says: the shapes of a decoder-only transformer and the run it is measured in."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from sim.errors import InputError
from sim.formats.weight import WeightFormat, make
from sim.section import MisfitError, Section
from sim.workload.attention_precision import AttentionLengths, AttentionPrecision, as_text, attention_lengths
from sim.workload.gemm import LARGEST_SIZE
from sim.workload.precision_rules import ModuleLengths, PrecisionPlan, RuledPrecision

Count = Annotated[int, Field(ge=1, le=LARGEST_SIZE)]
Tokens = Count


def _grouping(value: int | str) -> int | str:
    if value in ("channel", "tensor") or (isinstance(value, int) and value > 0 and value % 16 == 0):
        return value
    raise ValueError(f"expected a multiple of 16, `channel` or `tensor`, found {value!r:.40}")


Grouping = Annotated[
    int | str,
    AfterValidator(_grouping),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 16, "multipleOf": 16}, {"enum": ["channel", "tensor"]}]}),
]

PrecisionChoice = Annotated[
    str,
    BeforeValidator(as_text),
    WithJsonSchema({"type": ["string", "integer", "array"], "items": {"type": "integer"}}),
]


class Attention(Section):
    heads: Count
    """Query heads."""
    key_value_heads: Count
    """Heads of keys and values; each is shared by heads / key_value_heads query heads."""
    head_size: Count
    """Values in a head."""
    rotary: bool
    """Whether queries and keys are rotated by their position."""
    window: Tokens | None = None
    """Sliding window: how many tokens back a query sees, itself included; absent: all."""
    page_tokens: Tokens = 64
    """Tokens in a page of the key-value cache: attention reads whole pages."""

    @model_validator(mode="after")
    def _shared_evenly(self) -> Attention:
        if self.heads % self.key_value_heads:
            raise ValueError(f"{self.heads} heads cannot share {self.key_value_heads} key_value_heads evenly")
        return self


class Mlp(Section):
    gated: bool
    """Whether a gate multiplies the up projection (gate and up projections, both of module `up`)."""
    activation: Literal["relu", "gelu", "silu"]


class Experts(Section):
    """A mixture of experts in place of one MLP."""

    count: Count
    per_token: Count
    """Experts each token is sent to."""

    @model_validator(mode="after")
    def _enough(self) -> Experts:
        if self.per_token > self.count:
            raise ValueError(f"{self.per_token} experts per_token of {self.count} experts")
        return self


class Weights(Section):
    """Stored form of the weight matrices of the transformer blocks."""

    format: str = "integer"
    """Kind of format, see `sim.py list`; the keys below are those of `integer`, others have their own layout."""
    bits: Annotated[int, Field(ge=1, le=16)] | None = None
    """Of a weight, 1 to 8; absent: 4."""
    read_bits: Annotated[int, Field(ge=1, le=8)] | None = None
    """Of them the most significant ones that are read (`planes`); absent: all."""
    group_size: Grouping | None = None
    """Weights along K that share a scale and a zero point, `channel` or `tensor`; absent: 128."""
    scale_bits: Annotated[int, Field(ge=0, le=32)] | None = None
    """Of a group; absent: 16."""
    zero_point_bits: Annotated[int, Field(ge=0, le=32)] | None = None
    """Of a group, 0: symmetric; absent: as many as a weight's, or 0 beside a minimum."""
    minimum_bits: Annotated[int, Field(ge=0, le=32)] | None = None
    """Of a group, in place of a zero point; absent: 0."""

    @classmethod
    def of(cls, stored: WeightFormat) -> Self:
        """The keys that describe a format."""
        return cls(format=stored.kind, **asdict(stored))  # type: ignore[call-overload]

    @cached_property
    def stored(self) -> WeightFormat:
        """The format that the keys describe."""
        keys = {key: getattr(self, key) for key in type(self).model_fields if key != "format"}
        return make(self.format, {key: value for key, value in keys.items() if value is not None})

    @model_validator(mode="after")
    def _known(self) -> Weights:
        try:
            _ = self.stored
        except InputError as error:
            facts = "".join(f"\n  {name:<10} {value}" for name, value in error.facts.items())
            nearest = f"; did you mean `{error.nearest}`?" if error.nearest else ""
            raise MisfitError(f"{error.problem}{nearest}{facts}", error.field) from None
        return self


class NamedPrecision(RuledPrecision):
    mantissa_bits: ModuleLengths
    """Mantissa lengths of [qkv, o, up, down], or `fp16`."""
    source: str


class InferenceRun(Section):
    """What is done with the model. A phase takes its own keys only: see `TAKES`."""

    phase: Literal["prefill", "decode", "both", "mixed"] = "prefill"
    batch: Tokens = 1
    """Sequences processed together."""
    tokens: Tokens = 2048
    """Prompt length of each sequence (prefill, both), or of the one prompt (mixed)."""
    chunk: Tokens = 512
    """Tokens of the prompt that a step takes, beside a token of each of `batch` decoding sequences (mixed)."""
    context: Tokens = 2048
    """Tokens in the cache of each sequence when decoding starts (decode, mixed)."""
    steps: Tokens = 1
    """Tokens decoded for each sequence (decode, both)."""
    routing: Annotated[str, Field(min_length=1, max_length=1000)] = "even"
    """Tokens of each expert: `even`, `zipf:EXPONENT`, `zipf:EXPONENT:SEED`, or the folder of a recorded trace."""
    scope: Literal["fp-int", "all"] = "fp-int"
    """fp-int: the GeMMs with integer weights; all: attention products, head, router and vector functions too."""
    kv: Literal["int8", "int4", "int3", "fp16"] = "int8"
    """How keys and values are kept (scope all): integers, each head of a token under an FP16 scale, or FP16."""
    attention_precision: AttentionPrecision = "8"
    """Mantissa lengths of queries and of the softmax's weights (scope all): one for both, or two (`6,8`)."""
    head: Literal["int8", "fp16"] = "int8"
    """Weights of the language model's head (scope all): integers of 8 bits in groups of 128, or FP16."""
    precision: PrecisionChoice = "8"
    """Name out of `precision`, `fp16`, one mantissa length, four of them (`7,6,6,6`), or a precision file."""

    @cached_property
    def attention_lengths(self) -> AttentionLengths:
        """Mantissa lengths of queries and of the softmax's weights."""
        return attention_lengths(self.attention_precision)

    def with_attention_of(self, plan: PrecisionPlan) -> Self:
        """The run with the attention's lengths that a precision holds, unless it was given others."""
        if plan.attention is None or "attention_precision" in self.model_fields_set:
            return self
        return self.model_copy(update={"attention_precision": ",".join(map(str, plan.attention))})


_EVERY_PHASE = {"phase", "batch", "routing", "scope", "kv", "attention_precision", "head", "precision"}
ALL_ONLY = {"kv", "attention_precision", "head"}
"""Keys of a run that nothing of scope `fp-int` depends on."""
TAKES = {
    "prefill": _EVERY_PHASE | {"tokens"},
    "decode": _EVERY_PHASE | {"context", "steps"},
    "both": _EVERY_PHASE | {"tokens", "steps"},
    "mixed": _EVERY_PHASE | {"tokens", "chunk", "context"},
}


class Model(Section):
    """A decoder-only transformer."""

    name: Annotated[str, Field(min_length=1)]
    source: str
    """Where the shapes come from."""
    hidden_size: Count
    intermediate_size: Count
    """Width of the MLP, of one expert where there are several."""
    layers: Count
    vocabulary: Count
    norm: Literal["layer", "rms"]
    attention: Attention
    mlp: Mlp
    experts: Experts | None = None
    weights: Annotated[Weights, Field(default_factory=Weights)]
    precision: dict[str, NamedPrecision] = Field(default={})
    """Mantissa lengths by name."""
    run: InferenceRun = InferenceRun()

    @field_validator("precision")
    @classmethod
    def _not_reserved(cls, named: dict[str, NamedPrecision]) -> dict[str, NamedPrecision]:
        if "fp16" in named:
            raise ValueError("`fp16` means activations as they are and cannot be the name of mantissa lengths")
        return named
