"""A model and its run -> phases of GeMMs and vector work, in the order in which a layer does them.

    norm  q k v  rotary  scores softmax context  o  norm  [router]  gate up  activation  down  [combine]
                                                                             after the layers:  norm  head

Layers are equal, so one list stands for all of them, `count` times. A decode step has the same GeMMs as any other;
only its attention grows. The head takes the last token of each sequence. Mixture of experts: tokens spread as evenly
over the experts as whole tokens can; an expert's down outputs leave as FP16, since they are combined before anything
reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.workload import vector
from sim.workload.attention import Span, attention_items, chunked_spans, decode_spans, prefill_spans
from sim.workload.gemm import FP16, Gemm, GemmModule, Item, Phase
from sim.workload.model import Model
from sim.workload.precision import MODULES, Precision, mantissa_bits, output_mantissa_bits


@dataclass(frozen=True)
class Forward:
    """`passes` runs of `rows` tokens through the model, each ending in `sequences` next tokens.

    `attentions` are those of all passes: spans, and how many sequences have them.
    """

    rows: int
    sequences: int
    passes: int
    attentions: tuple[tuple[tuple[Span, ...], int], ...]


def build_phases(model: Model, precision: Precision | None) -> tuple[Phase, ...]:
    """The phases that the model's `run` asks for."""
    run, phases = model.run, []
    if run.phase in ("prefill", "both"):
        spans = prefill_spans(model.attention, run.tokens)
        forward = Forward(run.tokens * run.batch, run.batch, 1, ((spans, run.batch),))
        phases.append(_phase("prefill", model, precision, forward))
    if run.phase in ("decode", "both"):
        context = run.tokens if run.phase == "both" else run.context
        spans = decode_spans(model.attention, context, run.steps)
        forward = Forward(run.batch, run.batch, run.steps, ((spans, run.batch),))
        phases.append(_phase("decode", model, precision, forward))
    if run.phase == "mixed":
        phases += [_phase("mixed", model, precision, forward) for forward in _mixed(model)]
    return tuple(phases)


def _mixed(model: Model) -> list[Forward]:
    """A prompt in chunks, one a step, beside sequences that decode a token a step: whole chunks, then the last."""
    run = model.run
    whole, last = divmod(run.tokens - 1, run.chunk)
    prompt = chunked_spans(model.attention, run.tokens, run.chunk)
    decodes = decode_spans(model.attention, run.context, whole + 1)
    attentions = ((prompt, 1), (decodes, run.batch))
    end = Forward(last + 1 + run.batch, run.batch + 1, 1, () if whole else attentions)
    return [Forward(run.chunk + run.batch, run.batch, whole, attentions), end] if whole else [end]


def _phase(name: str, model: Model, precision: Precision | None, forward: Forward) -> Phase:
    items = [*_attention_block(model, precision, forward), *_mlp_block(model, precision, forward)]
    items += [
        vector.norm("head.norm", model.norm, forward.sequences, model.hidden_size, forward.passes),
        Gemm("head", "head", forward.sequences, model.hidden_size, model.vocabulary, forward.passes, weights=FP16),
    ]
    if model.run.scope == "fp-int":
        items = [item for item in items if isinstance(item, Gemm) and item.module in MODULES]
    return Phase(name, tuple(items))


def _attention_block(model: Model, precision: Precision | None, forward: Forward) -> list[Item]:
    attention, rows, count = model.attention, forward.rows, model.layers * forward.passes
    queries = attention.heads * attention.head_size
    keys = attention.key_value_heads * attention.head_size
    items: list[Item] = [
        vector.norm("attention.norm", model.norm, rows, model.hidden_size, count),
        _projection(model, precision, "attention.q", "qkv", (rows, model.hidden_size, queries), count),
        _projection(model, precision, "attention.k", "qkv", (rows, model.hidden_size, keys), count),
        _projection(model, precision, "attention.v", "qkv", (rows, model.hidden_size, keys), count),
    ]
    if attention.rotary:
        items.append(vector.rotary(rows, queries + keys, count))
    for spans, sequences in forward.attentions:
        items += attention_items(attention, spans, model.layers * sequences)
    items.append(_projection(model, precision, "attention.o", "o", (rows, queries, model.hidden_size), count))
    return items


def _mlp_block(model: Model, precision: Precision | None, forward: Forward) -> list[Item]:
    rows, count, experts = forward.rows, model.layers * forward.passes, model.experts
    items: list[Item] = [vector.norm("mlp.norm", model.norm, rows, model.hidden_size, count)]
    if experts is None:
        return items + _mlp(model, precision, "mlp.", rows, count)
    items.append(Gemm("mlp.router", "router", rows, model.hidden_size, experts.count, count, weights=FP16))
    for tokens, equal in expert_shares(rows * experts.per_token, experts.count):
        items += _mlp(model, precision, f"expert[{tokens}].", tokens, equal * count)
    items.append(vector.combine(rows, model.hidden_size, experts.per_token, count))
    return items


def _mlp(model: Model, precision: Precision | None, prefix: str, rows: int, count: int) -> list[Item]:
    hidden, width, mlp = model.hidden_size, model.intermediate_size, model.mlp
    names = ("gate", "up") if mlp.gated else ("up",)
    return [
        *(_projection(model, precision, prefix + name, "up", (rows, hidden, width), count) for name in names),
        vector.activation(f"{prefix}activation", mlp.activation, mlp.gated, rows, width, count),
        _projection(model, precision, f"{prefix}down", "down", (rows, width, hidden), count),
    ]


def expert_shares(assignments: int, experts: int) -> list[tuple[int, int]]:
    """(tokens, number of experts with that many), experts without tokens left out."""
    tokens, more = divmod(assignments, experts)
    return [(share, equal) for share, equal in ((tokens + 1, more), (tokens, experts - more)) if share and equal]


def _projection(
    model: Model,
    precision: Precision | None,
    name: str,
    module: GemmModule,
    shape: tuple[int, int, int],
    count: int,
) -> Gemm:
    combined = model.experts is not None and module == "down"
    return Gemm(
        name,
        module,
        *shape,
        count=count,
        mantissa_bits=mantissa_bits(precision, module),
        output_mantissa_bits=None if combined else output_mantissa_bits(precision, module),
        weights=model.weights.stored,
    )
