"""How a machine keeps a model's keys and values and computes with them, for measuring what that loses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from sim.errors import InputError, nearest_name
from sim.formats.widths import FP16_BITS
from sim.functional.attention import AttentionArithmetic
from sim.machine.machine import Machine
from sim.workload.attention import CACHES
from sim.workload.attention_precision import AttentionLengths
from sim.workload.gemm import FusedAttention, RowBlocks

PAGE_TOKENS = 64
"""Of a page of the cache, as models have it unless they say otherwise."""


@dataclass(frozen=True)
class AttentionFormat:
    """How a machine keeps keys and values, and computes with them.

    Parameters
    ----------
    cache
        Its name, as in `run.kv`.
    cache_bits
        Of the integers of keys and values; None: FP16.
    """

    cache: str
    cache_bits: int | None
    arithmetic: AttentionArithmetic

    @property
    def lengths(self) -> tuple[int | None, int | None]:
        """Mantissa lengths of queries and of the softmax's weights."""
        return self.arithmetic.query_bits, self.arithmetic.probability_bits

    @property
    def stored_bits(self) -> int:
        """Of a key or value."""
        return self.cache_bits or FP16_BITS

    @property
    def told(self) -> str:
        """What of it decides values, mantissa lengths aside."""
        return f"{self.cache}, key blocks of {self.arithmetic.key_block}"

    def with_lengths(self, lengths: AttentionLengths) -> AttentionFormat:
        """The same at other mantissa lengths."""
        queries, weights = lengths
        return replace(self, arithmetic=replace(self.arithmetic, query_bits=queries, probability_bits=weights))


@dataclass(frozen=True)
class AttentionShape:
    """Attention of a model as its config tells it; heads of keys and values are each shared by some query heads."""

    layers: int
    heads: int
    key_value_heads: int
    head_size: int

    @classmethod
    def of(cls, model: nn.Module) -> AttentionShape:
        """Of a model of transformers.

        Raises
        ------
        InputError
            For heads that cannot be shared evenly, and a cache of latents.
        """
        config: Any = model.config.get_text_config()  # type: ignore[union-attr, operator]
        if getattr(config, "kv_lora_rank", None):
            raise InputError("a cache of latents (`kv_lora_rank`) has no contract", field="--kv")
        heads = int(config.num_attention_heads)
        kept = int(getattr(config, "num_key_value_heads", None) or heads)
        if heads % kept:
            facts = {
                "found": f"{heads} heads, {kept} of keys and values",
                "needed": "as many query heads for each of them",
            }
            raise InputError("heads that cannot share keys and values evenly", field="num_key_value_heads", facts=facts)
        size = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
        return cls(int(config.num_hidden_layers), heads, kept, size)

    def macs(self, context: int) -> AttentionLengths:
        """Multiply-accumulates a token of scores and of context; a token sees itself and those before."""
        each = self.layers * self.heads * self.head_size * (context + 1) // 2
        return each, each


def attention_format(
    machine: Machine, model: nn.Module, context: int, kv: str, lengths: AttentionLengths
) -> AttentionFormat:
    """How a machine does a model's attention over so many tokens, its key blocks as its plan cuts them.

    Raises
    ------
    InputError
        For a cache that there is not, or that the machine does not take; see `Machine.piece` and `AttentionShape.of`.
    """
    if kv not in CACHES:
        raise InputError(
            f"found {kv!r}", field="--kv", nearest=nearest_name(kv, CACHES), facts={"allowed": ", ".join(CACHES)}
        )
    shape, cache = AttentionShape.of(model), CACHES[kv]
    rows = shape.heads // shape.key_value_heads * min(PAGE_TOKENS, context)
    blocks = (RowBlocks(rows, -(-context // PAGE_TOKENS) * PAGE_TOKENS, 1),)
    work = FusedAttention("attention", blocks, shape.key_value_heads, shape.head_size, shape.head_size, cache, *lengths)
    block = machine.piece(work).attention_plan().key_block
    arithmetic = AttentionArithmetic(machine.pe, *lengths, machine.arch.mxu.dot_length, block)
    return AttentionFormat(kv, cache.bits if cache.integers else None, arithmetic)
