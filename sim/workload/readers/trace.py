"""A recorded trace as a workload: its GeMMs by phase, equal ones of a kind counted together.

The number of a layer, expert or decode step does not make a GeMM another: `model.layers.3.mlp.up_proj` counts under
`model.layers.*.mlp.up_proj`. The head, routers and what a checkpoint leaves in FP16 belong to scope `all` only, with
attention, norms and activation functions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from sim.errors import InputError, Place
from sim.formats.weight import WeightFormat
from sim.formats.weights.integer import IntegerWeights
from sim.formats.weights.planes import PlaneWeights
from sim.source import Source, validate
from sim.workload.attention import (
    attention_formats,
    attention_items,
    chunked_passes,
    decode_passes,
    encoder_spans,
)
from sim.workload.gemm import FP16, Gemm, Item, Phase, VectorWork, Workload
from sim.workload.manifest import GemmRecord, Manifest, TracedAttention
from sim.workload.model import Attention, InferenceRun
from sim.workload.options import Options, flag
from sim.workload.precision import HEADS, head_bits, mantissa_bits, of_module, output_mantissa_bits, plan_of
from sim.workload.precision_rules import LayerPrecision, Moment, Precision, PrecisionPlan, everywhere, layer_of
from sim.workload.stored import stored_weights
from sim.workload.trace_file import open_trace
from sim.workload.vector import quantise, rotary
from sim.workload.weight_bytes import StoredWeights

TAKEN = ("precision", "phase", "scope", "kv", "attention_precision")
"""Options that a recording leaves open."""


def read(path: Path, options: Options) -> Workload:
    """The workload of a trace's folder.

    Raises
    ------
    InputError
        For a damaged trace, and for options that a recording has already decided.
    """
    _refuse_decided(options)
    manifest = open_trace(path).manifest
    place = Place("--precision") if options.precision else Place(str(path))
    plan = plan_of(options.precision or InferenceRun().precision, {}, place)
    names = [name for name in ("prefill", "decode") if options.phase in (None, "both", name)]
    run = _run(options).with_attention_of(plan)
    phases = phases_of(manifest, names, plan, run, (place, Place("--scope")))
    if not phases:
        raise InputError("no GeMM of that phase and scope in it", place=Place(str(path)))
    resolved = {
        "trace": manifest.model.model_dump(),
        "sha256": manifest.digest(),
        "precision": plan.written()["mantissa_bits"] if plan.plain else plan.written(),
        **({"kv": run.kv, "attention_precision": run.attention_precision} if run.scope == "all" else {}),
    }
    return Workload(manifest.model.name, phases, plan.lengths, resolved, plan, recorded_weights(manifest, run.scope))


def phases_of(
    manifest: Manifest,
    names: Iterable[str],
    plan: PrecisionPlan,
    run: InferenceRun,
    asked: tuple[Place, Place],
) -> tuple[Phase, ...]:
    """The phases of a recording that have any work.

    Parameters
    ----------
    run
        Its scope and formats, and how many decode steps each recorded one stands for, in its GeMMs and vector work.
    asked
        Where precision and scope were asked for.

    Raises
    ------
    InputError
        For scope `all` where not everything was seen, and for a precision that does not fit the recording.
    """
    scope = run.scope
    if scope == "all" and manifest.unseen:
        problem = f"scope `all` needs what was not recorded: {manifest.unseen}"
        raise InputError(problem, place=asked[1], facts={"found": manifest.model.name, "allowed": "fp-int"})
    phases = []
    for name in names:
        times = run.steps if name == "decode" else 1
        try:
            gemms = [_with_head(gemm, plan, run) for gemm in _gemms(manifest, name, plan, times)]
        except InputError as error:
            raise error.at(asked[0]) from None
        items: list[Item] = [gemm for gemm in gemms if scope == "all" or gemm.weights != FP16]
        if scope == "all":
            items += [*_vector_work(manifest, name, times), *_attention(manifest, name, plan.lengths, run)]
        if items:
            phases.append(Phase(name, tuple(items)))
    return tuple(phases)


def recorded_weights(manifest: Manifest, scope: str) -> StoredWeights | None:
    """The weights of the layers that ran, each once."""
    layers = {record.name: record for record in manifest.records}.values()
    gemms = (gemm_of(record, everywhere(None), manifest.weights_of(record)) for record in layers)
    return stored_weights(gemm for gemm in gemms if scope == "all" or gemm.weights != FP16)


def _with_head(gemm: Gemm, plan: PrecisionPlan, run: InferenceRun) -> Gemm:
    """A recorded GeMM as it is run: with scope `all`, a head in FP16 takes the weights that the run gives it."""
    if run.scope != "all" or gemm.module != "head" or gemm.weights != FP16:
        return gemm
    return replace(gemm, weights=HEADS[run.head], mantissa_bits=head_bits(plan.lengths, run.head))


def _gemms(manifest: Manifest, phase: str, plan: PrecisionPlan, steps: int) -> Iterator[Gemm]:
    """The GeMMs of a phase, equal ones together; alike decode steps together too."""
    precisions, counts = Precisions(manifest, plan), Counter[Gemm]()
    stretches = plan.steps(precisions.context, steps, precisions.layers) if steps > 1 else []
    for record in manifest.records:
        if record.phase == phase:
            for stretch in stretches or [range(record.step, record.step + 1)]:
                counts[precisions.gemm(record, stretch.start)] += len(stretch)
    return (replace(gemm, count=count) for gemm, count in counts.items())


class Precisions:
    """The precision of each GeMM of a recording.

    Raises
    ------
    InputError
        For a rule about layers that the recording does not have.
    """

    def __init__(self, manifest: Manifest, plan: PrecisionPlan) -> None:
        self._plan, self.layers = plan, 1 + max(layer_of(record.name) for record in manifest.records)
        self.context = max(manifest.tokens.prompts)
        self._weights_of = manifest.weights_of
        if beyond := plan.first_layer_beyond(self.layers):
            number, layers = beyond
            facts = {"found": layers, "allowed": f"0 to {self.layers - 1}"}
            raise InputError("a layer that the trace does not have", field=f"rules.{number}.layers", facts=facts)

    def gemm(self, record: GemmRecord, step: int) -> Gemm:
        """A recorded GeMM as if it had run in a decode step, or in the prompt."""
        moment = Moment(record.phase)
        if record.phase == "decode":
            moment = Moment(record.phase, step, self.context + step)
        return gemm_of(record, self._plan.at(moment, layer_of(record.name), self.layers), self._weights_of(record))


def gemm_of(record: GemmRecord, precision: LayerPrecision, weights: WeightFormat) -> Gemm:
    """One recorded GeMM under a precision, with weights of a format, or their integers in planes."""
    combined, integers = record.expert and record.module == "down", weights != FP16
    if integers and (bits := of_module(precision.weight_bits, record.module)):
        weights = (PlaneWeights(**asdict(weights)) if type(weights) is IntegerWeights else weights).of_bits(bits)
    return Gemm(
        name=_starred(record.name),
        module=record.module,
        m=record.m,
        k=record.k,
        n=record.n,
        mantissa_bits=_length(precision.lengths, record) if integers else None,
        output_mantissa_bits=output_mantissa_bits(precision, record.module) if integers and not combined else None,
        weights=weights,
    )


def _length(lengths: Precision | None, record: GemmRecord) -> int | None:
    """The module's mantissa length; `other` belongs to none of the four and takes the longest."""
    if lengths is not None and record.module == "other":
        return max(lengths)
    return mantissa_bits(lengths, record.module)


def _starred(name: str) -> str:
    """A name without the numbers of layers and experts."""
    return re.sub(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.)", "*", name)


def _vector_work(manifest: Manifest, phase: str, times: int) -> Iterator[VectorWork]:
    counts = Counter(
        VectorWork(_starred(one.name), one.module, one.operations, one.read_bytes, one.write_bytes)
        for one in manifest.vectors
        if one.phase == phase
    )
    return (replace(work, count=times * count) for work, count in counts.items())


def _attention(manifest: Manifest, phase: str, lengths: Precision | None, run: InferenceRun) -> Iterator[Item]:
    """Attention by the pages that the queries of each sequence see, as `workload.attention` counts them."""
    tokens = manifest.tokens
    if phase == "decode" and not tokens.steps:
        return
    formats = attention_formats(run, lengths)
    for attention, one, count in attention_kinds(manifest):
        for prompt, sequences in Counter(tokens.prompts).items():
            rows, times = (1, tokens.steps) if phase == "decode" else (prompt, 1)
            if phase == "decode":
                passes = decode_passes(attention, prompt, tokens.steps)
            elif one.causal:
                passes = chunked_passes(attention, prompt, prompt)
            else:
                passes = ((encoder_spans(attention, prompt), 1),)
            yield from attention_items(attention, formats, passes, count, sequences, one.value_size, capped=one.capped)
            if one.rotated_values:
                yield rotary(rows, one.rotated_values, count * sequences * times)
            if formats.cache.integers:
                sizes, bits = (one.head_size, one.value_size), formats.cache.read_bits
                yield quantise(rows, one.key_value_heads, sizes, bits, count * sequences * times)


def _run(options: Options) -> InferenceRun:
    """Scope and formats as the caller asks."""
    given = {name: value for name, value in options.given().items() if name in ("scope", "kv", "attention_precision")}
    return validate(InferenceRun, Source(given, {(name,): Place(flag(name)) for name in given}, ""))


def attention_kinds(manifest: Manifest) -> Iterator[tuple[Attention, TracedAttention, int]]:
    """Each kind of attention, as a model has it and as it was recorded, and in how many layers."""
    layers = Counter(one.model_copy(update={"name": ""}) for one in manifest.attentions)
    for one, count in layers.items():
        attention = Attention(
            heads=one.heads,
            key_value_heads=one.key_value_heads,
            head_size=one.head_size,
            rotary=one.rotated_values > 0,
            window=one.window,
        )
        yield attention, one, count


def _refuse_decided(options: Options) -> None:
    decided = [flag(name) for name in options.given() if name not in TAKEN]
    decided += [f"--set-workload {assignment}" for assignment in options.overrides]
    if decided:
        allowed = ", ".join(map(flag, TAKEN))
        raise InputError("a trace has been recorded", place=Place(decided[0]), facts={"allowed": allowed})
