"""Chunks of a prompt beside sequences that decode, of a model that runs on torch's meta device.

A step is one pass over the tokens of a chunk and one of each sequence: weight GeMMs, norms and activation functions see
rows, whoever they belong to. Attention follows from whose they are, as in `sim.workload.phases`; the head takes the
last token of each sequence, and of the prompt at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sim.errors import InputError, Place
from sim.trace.extract import TraceOptions, record_into
from sim.trace.load import Loaded
from sim.trace.writer import Recording
from sim.workload.attention import AttentionFormats, attention_formats, attention_items, chunked_passes, decode_passes
from sim.workload.gemm import Gemm, Item, Phase
from sim.workload.manifest import Manifest
from sim.workload.model import InferenceRun
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.readers.trace import attention_kinds, phases_of
from sim.workload.routing import Mixture, Routing, rerouted
from sim.workload.vector import quantise, rotary


def mixed_phases(
    loaded: Loaded,
    run: InferenceRun,
    plan: PrecisionPlan,
    asked: tuple[Place, Place],
    routing: tuple[Routing, Mixture] | None,
) -> tuple[Manifest, tuple[Phase, ...]]:
    """What was recorded of a step; the steps with whole chunks, then the last one.

    Raises
    ------
    InputError
        For rules of precision about anything but layers, and as `phases_of` does.
    """
    for number, rule in enumerate(plan.rules):
        if rule.over_time:
            problem = "phase `mixed` does a prompt and decodes at once: its rules are about layers"
            raise InputError(problem, place=asked[0], field=f"rules.{number}")
    whole, last = divmod(run.tokens - 1, run.chunk)
    steps = [
        (run.chunk + run.batch, run.batch, range(whole)),
        (last + 1 + run.batch, run.batch + 1, range(whole, whole + 1)),
    ]
    phases, manifests, formats = list[Phase](), list[Manifest](), attention_formats(run, plan.lengths)
    for rows, sequences, numbers in steps if whole else steps[1:]:
        manifest = record_into(Recording(), loaded, TraceOptions(tokens=rows), [[0] * rows])
        manifests.append(manifest)
        others = manifest.model_copy(update={"attentions": []})
        (phase,) = phases_of(others, ["prefill"], plan, run, asked)
        items = [_times(item, len(numbers), sequences) for item in phase.items]
        if run.scope == "all":
            items += [
                rotary(rows, one.rotated_values, layers * len(numbers))
                for _, one, layers in attention_kinds(manifest)
                if one.rotated_values
            ]
            if formats.cache.integers:
                items += [
                    quantise(
                        rows,
                        one.key_value_heads,
                        (one.head_size, one.value_size),
                        formats.cache.read_bits,
                        layers * len(numbers),
                    )
                    for _, one, layers in attention_kinds(manifest)
                ]
            items += _attention(manifest, run, formats, whole + 1) if not phases else []
        phase = Phase("mixed", tuple(items))
        phases.append(rerouted(phase, *routing, rows, numbers) if routing else phase)
    return manifests[0], tuple(phases)


def _times(item: Item, passes: int, sequences: int) -> Item:
    often = replace(item, count=item.count * passes)
    return replace(often, m=sequences) if isinstance(often, Gemm) and often.module == "head" else often


def _attention(manifest: Manifest, run: InferenceRun, formats: AttentionFormats, steps: int) -> Iterator[Item]:
    for attention, one, layers in attention_kinds(manifest):
        prompt = chunked_passes(attention, run.tokens, run.chunk)
        decodes = decode_passes(attention, run.context, steps)
        for passes, sequences in ((prompt, 1), (decodes, run.batch)):
            sizes = (layers, sequences, one.value_size)
            yield from attention_items(attention, formats, passes, *sizes, capped=one.capped)
