"""A model and its run -> phases of GeMMs and vector work, in the order in which a layer does them.

    norm  q k v  rotary  quantise  attention  o  norm  [router]  gate up  activation  down  [combine]
                                                                           after the layers:  norm  head

With scope `all` keys and values leave as the cache keeps them, after rotation, and queries as attention reads them.
Layers are equal, so one list stands for all of them, `count` times; where rules give them precisions of their own, one
for each stretch of layers, and of steps, with one precision. A decode step has the same GeMMs as any other;
only its attention grows. The head takes the last token of each sequence. Tokens go to experts as a routing says; one
without tokens does nothing, and their down outputs leave as FP16, since they are combined before anything reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sim.errors import InputError
from sim.workload import vector
from sim.workload.attention import (
    Passes,
    attention_formats,
    attention_items,
    chunked_passes,
    decode_passes,
)
from sim.workload.gemm import FP16, Gemm, GemmModule, Item, Phase
from sim.workload.model import Model
from sim.workload.precision import HEADS, MODULES, head_bits, mantissa_bits, of_module, output_mantissa_bits
from sim.workload.precision_rules import LayerPrecision, Moment, Precision, PrecisionPlan
from sim.workload.routing import Mixture, Routing


@dataclass(frozen=True)
class Forward:
    """`passes` runs of `rows` tokens through the model, each ending in `sequences` next tokens.

    `attentions` are those of all passes, and how many sequences have them. `name` tells the passes from others
    of their phase, `first` counts those of the run before them.
    """

    moment: Moment
    rows: int
    sequences: int
    passes: int
    attentions: tuple[tuple[Passes, int], ...]
    name: str = ""
    first: int = 0

    @property
    def numbers(self) -> range:
        """Of the passes, in the run."""
        return range(self.first, self.first + self.passes)


@dataclass(frozen=True)
class LayerStretch:
    """Neighbouring layers of one precision, as often as a forward passes them."""

    layers: range
    precision: LayerPrecision
    forward: Forward

    @property
    def count(self) -> int:
        return len(self.layers) * self.forward.passes


def build_phases(model: Model, plan: PrecisionPlan, routing: Routing) -> tuple[Phase, ...]:
    """The phases that the model's `run` asks for."""
    return tuple(_phase(model, plan, routing, forwards) for forwards in forwards_of(model, plan))


def forwards_of(model: Model, plan: PrecisionPlan) -> list[list[Forward]]:
    """The passes through the model that each phase consists of."""
    run, phases = model.run, []
    if run.phase in ("prefill", "both"):
        passes = chunked_passes(model.attention, run.tokens, run.tokens)
        phases.append([Forward(Moment("prefill"), run.tokens * run.batch, run.batch, 1, ((passes, run.batch),))])
    if run.phase in ("decode", "both"):
        phases.append(_decodes(model, plan))
    if run.phase == "mixed":
        phases += [[forward] for forward in _mixed(model)]
    return phases


def check(model: Model, plan: PrecisionPlan) -> None:
    """Refuse a precision that does not fit the model, its weights or its phase.

    Raises
    ------
    InputError
        Naming the rule.
    """
    for number, rule in enumerate(plan.rules):
        if model.run.phase == "mixed" and rule.over_time:
            problem = "phase `mixed` does a prompt and decodes at once: its rules are about layers"
            raise InputError(problem, field=f"rules.{number}")
    if beyond := plan.first_layer_beyond(model.layers):
        number, layers = beyond
        facts = {"found": layers, "allowed": f"0 to {model.layers - 1}"}
        raise InputError("a layer that the model does not have", field=f"rules.{number}.layers", facts=facts)
    if plan.over_time and not model.weights.stored.nested:
        facts = {"found": str(model.weights.stored), "needed": "weights: {format: planes}"}
        raise InputError("bits of weights that change as a model runs are planes", field="weight_bits", facts=facts)
    for field, bits in plan.widths():
        try:
            model.weights.stored.of_bits(bits)
        except InputError as error:
            raise InputError(error.problem, field=field, facts=error.facts) from None


def _decodes(model: Model, plan: PrecisionPlan) -> list[Forward]:
    """Steps that are alike together."""
    run = model.run
    context = run.tokens if run.phase == "both" else run.context
    stretches = plan.steps(context, run.steps, model.layers)
    forwards = []
    for steps in stretches:
        passes = decode_passes(model.attention, context + steps.start, len(steps))
        moment = Moment("decode", steps.start, context + steps.start)
        name = f"steps {numbered(steps)}" if len(stretches) > 1 else ""
        attentions = ((passes, run.batch),)
        forwards.append(Forward(moment, run.batch, run.batch, len(steps), attentions, name, steps.start + 1))
    return forwards


def numbered(stretch: range) -> str:
    """As rules write it: `7`, `0-3`."""
    return str(stretch.start) if len(stretch) == 1 else f"{stretch.start}-{stretch.stop - 1}"


def _mixed(model: Model) -> list[Forward]:
    """A prompt in chunks, one a step, beside sequences that decode a token a step: whole chunks, then the last."""
    run, moment = model.run, Moment("mixed")
    whole, last = divmod(run.tokens - 1, run.chunk)
    prompt = chunked_passes(model.attention, run.tokens, run.chunk)
    decodes = decode_passes(model.attention, run.context, whole + 1)
    attentions = ((prompt, 1), (decodes, run.batch))
    end = Forward(moment, last + 1 + run.batch, run.batch + 1, 1, () if whole else attentions, first=whole)
    return [Forward(moment, run.chunk + run.batch, run.batch, whole, attentions), end] if whole else [end]


def _phase(model: Model, plan: PrecisionPlan, routing: Routing, forwards: list[Forward]) -> Phase:
    items: list[Item] = []
    for forward in forwards:
        stretches = plan.layers(forward.moment, model.layers)
        for layers in stretches:
            own = plan.at(forward.moment, layers.start, model.layers)
            stretch = LayerStretch(layers, own, forward)
            named = f"layers {numbered(layers)}" if len(stretches) > 1 else ""
            block = layer_block(model, stretch, routing)
            items += _named(block, ", ".join(filter(None, (named, forward.name))))
        items += _named(head_block(model, own.lengths, forward), forward.name)
    return Phase(forwards[0].moment.phase, tuple(in_scope(model, items)))


def in_scope(model: Model, items: list[Item]) -> list[Item]:
    """What of them the run asks for."""
    if model.run.scope == "all":
        return items
    return [item for item in items if isinstance(item, Gemm) and item.module in MODULES]


def layer_block(model: Model, stretch: LayerStretch, routing: Routing) -> list[Item]:
    """The work of these layers."""
    return [*_attention_block(model, stretch), *_mlp_block(model, stretch, routing)]


def head_block(model: Model, lengths: Precision | None, forward: Forward) -> list[Item]:
    """What comes after the layers."""
    norm = vector.norm("head.norm", model.norm, forward.sequences, model.hidden_size, forward.passes)
    return [norm, _head(model, lengths, forward)]


def _named(items: list[Item], where: str) -> list[Item]:
    return [replace(item, name=f"{item.name} [{where}]") for item in items] if where else items


def _attention_block(model: Model, stretch: LayerStretch) -> list[Item]:
    attention, rows, count = model.attention, stretch.forward.rows, stretch.count
    queries = attention.heads * attention.head_size
    keys = attention.key_value_heads * attention.head_size
    formats = attention_formats(model.run, stretch.precision.lengths)
    query = _projection(model, stretch, "attention.q", "qkv", (rows, model.hidden_size, queries), count)
    shape, cache = (rows, model.hidden_size, keys), formats.cache
    key, value = (_projection(model, stretch, f"attention.{name}", "qkv", shape, count) for name in "kv")
    if model.run.scope == "all":
        query = replace(query, output_mantissa_bits=formats.query_bits)
        key, value = (replace(one, cached=(cache, attention.head_size)) for one in (key, value))
    items: list[Item] = [vector.norm("attention.norm", model.norm, rows, model.hidden_size, count), query, key, value]
    if attention.rotary:
        items.append(vector.rotary(rows, queries + keys, count))
    if cache.integers:
        sizes = (attention.head_size, attention.head_size)
        items.append(vector.quantise(rows, attention.key_value_heads, sizes, cache.read_bits, count))
    for passes, sequences in stretch.forward.attentions:
        items += attention_items(attention, formats, passes, len(stretch.layers), sequences)
    items.append(_projection(model, stretch, "attention.o", "o", (rows, queries, model.hidden_size), count))
    return items


def _head(model: Model, lengths: Precision | None, forward: Forward) -> Gemm:
    """The language model's head, with weights of its own."""
    return Gemm(
        "head",
        "head",
        forward.sequences,
        model.hidden_size,
        model.vocabulary,
        forward.passes,
        mantissa_bits=head_bits(lengths, model.run.head),
        weights=HEADS[model.run.head],
    )


def _mlp_block(model: Model, stretch: LayerStretch, routing: Routing) -> list[Item]:
    rows, count, experts = stretch.forward.rows, stretch.count, model.experts
    items: list[Item] = [vector.norm("mlp.norm", model.norm, rows, model.hidden_size, count)]
    if experts is None:
        return items + _mlp(model, stretch, "mlp.", rows, count)
    items.append(Gemm("mlp.router", "router", rows, model.hidden_size, experts.count, count, weights=FP16))
    mixture = Mixture(model.layers, experts.count, experts.per_token)
    loads = routing.loads(mixture, rows, stretch.layers, stretch.forward.numbers)
    for tokens, times in sorted(loads.items(), reverse=True):
        items += _mlp(model, stretch, f"expert[{tokens}].", tokens, times)
    items.append(vector.combine(rows, model.hidden_size, experts.per_token, count))
    return items


def _mlp(model: Model, stretch: LayerStretch, prefix: str, rows: int, count: int) -> list[Item]:
    hidden, width, mlp = model.hidden_size, model.intermediate_size, model.mlp
    names = ("gate", "up") if mlp.gated else ("up",)
    return [
        *(_projection(model, stretch, prefix + name, "up", (rows, hidden, width), count) for name in names),
        vector.activation(f"{prefix}activation", mlp.activation, mlp.gated, rows, width, count),
        _projection(model, stretch, f"{prefix}down", "down", (rows, width, hidden), count),
    ]


def _projection(
    model: Model,
    stretch: LayerStretch,
    name: str,
    module: GemmModule,
    shape: tuple[int, int, int],
    count: int,
) -> Gemm:
    combined, lengths = model.experts is not None and module == "down", stretch.precision.lengths
    stored = model.weights.stored
    bits = of_module(stretch.precision.weight_bits, module)
    return Gemm(
        name,
        module,
        *shape,
        count=count,
        mantissa_bits=mantissa_bits(lengths, module),
        output_mantissa_bits=None if combined else output_mantissa_bits(stretch.precision, module),
        weights=stored if bits is None else stored.of_bits(bits),
    )
