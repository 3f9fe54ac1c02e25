"""The manifest of a recorded trace: what ran, GeMM by GeMM, and where its tensors are."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sim.formats.weight import WeightFormat
from sim.section import Section
from sim.workload.gemm import GemmModule, VectorModule
from sim.workload.model import Count, Weights

FORMAT = "anda-sim trace 3"


class TracedModel(Section):
    name: str
    architecture: str
    revision: str
    """SHA-256 of config.json and of every byte of the weight files, where weights were read; empty for a module made in
    Python."""
    parameters: int


class TracedTokens(Section):
    prompts: Annotated[list[Count], Field(min_length=1)]
    """Tokens of each sequence's prompt; rows of padding are left out of everything."""
    steps: Annotated[int, Field(ge=0)]
    identifiers: list[list[int]] | None
    """Token identifiers of the prompts with what was decoded after them; None where only shapes ran."""


class GemmRecord(Section):
    """One GeMM as it ran."""

    phase: Literal["prefill", "decode"]
    step: Annotated[int, Field(ge=0)]
    name: str
    module: GemmModule
    m: Count
    k: Count
    n: Count
    stored: str
    """Name of its weights' format in `formats`; FP16 for head and routers, and what a checkpoint leaves in FP16."""
    expert: bool = False
    activations: str | None = None
    """Key of the FP16 activations [m, k]; None where they were not recorded."""
    weights: str | None = None
    """Key of the bytes of its weights in memory; None where they were not recorded."""


class TracedVector(Section):
    """A piece of work for the vector unit that a module of the model did; see `VectorWork`."""

    phase: Literal["prefill", "decode"]
    step: Annotated[int, Field(ge=0)]
    name: str
    module: VectorModule
    operations: Annotated[int, Field(ge=0)]
    read_bytes: Annotated[int, Field(ge=0)]
    write_bytes: Annotated[int, Field(ge=0)]


class TracedAttention(Section):
    """The attention of a layer; which queries see which keys follows from the tokens."""

    name: str
    heads: Count
    key_value_heads: Count
    head_size: Count
    """Values in a head of queries and keys."""
    value_size: Count
    """Values in a head of V."""
    causal: bool
    """Whether a query sees none of the keys after it."""
    window: Count | None
    """How many tokens back a query sees, itself included; None: all."""
    capped: bool
    """Whether scores are softly capped before the softmax."""
    rotated_values: Annotated[int, Field(ge=0)]
    """Values of a token's queries and keys that are rotated by its position."""


class TensorFile(Section):
    bytes: int
    sha256: str
    keys: list[str]


class Manifest(Section):
    format: Literal["anda-sim trace 3"]
    model: TracedModel
    tokens: TracedTokens
    method: str | None
    """How the integer weights were made: `rtn zero-point`, `awq`, `gptq`, `compressed-tensors`, `gguf` ...; None where
    the checkpoint has none and only shapes ran."""
    formats: dict[str, Weights]
    """Of the weights, by the names that the records use."""
    versions: dict[str, str]
    records: Annotated[list[GemmRecord], Field(min_length=1)]
    vectors: list[TracedVector]
    attentions: list[TracedAttention]
    unseen: str
    """What of the model's vector work or attention was not recorded, so that scope `all` is refused; empty: nothing."""
    files: dict[str, TensorFile]

    @model_validator(mode="after")
    def _formats_named(self) -> Self:
        unknown = {record.stored for record in self.records} - set(self.formats)
        if unknown:
            raise ValueError(f"no format called {min(unknown)!r:.80}")
        return self

    def weights_of(self, record: GemmRecord) -> WeightFormat:
        """The format of a GeMM's weights."""
        return self.formats[record.stored].stored

    def digest(self) -> str:
        """SHA-256 of the manifest's own content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
