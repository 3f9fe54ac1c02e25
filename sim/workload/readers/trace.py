"""A recorded trace as a workload: its GeMMs by phase, equal ones of a kind counted together.

The number of a layer, expert or decode step does not make a GeMM another: `model.layers.3.mlp.up_proj` counts under
`model.layers.*.mlp.up_proj`. The head, routers and what a checkpoint leaves in FP16 belong to scope `all` only, with
attention, norms and activation functions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from sim.errors import InputError, Place
from sim.formats.weight import WeightFormat
from sim.workload.attention import attention_items, decode_spans, encoder_spans, prefill_spans
from sim.workload.gemm import FP16, Gemm, Item, Phase, VectorWork, Workload
from sim.workload.manifest import GemmRecord, Manifest
from sim.workload.model import Attention, InferenceRun
from sim.workload.options import Options
from sim.workload.precision import Precision, mantissa_bits, output_mantissa_bits, resolve
from sim.workload.trace_file import open_trace
from sim.workload.vector import rotary


def read(path: Path, options: Options) -> Workload:
    """The workload of a trace's folder.

    Raises
    ------
    InputError
        For a damaged trace, and for options that a recording has already decided.
    """
    _refuse_decided(options)
    manifest = open_trace(path).manifest
    precision = resolve(
        options.precision or InferenceRun().precision, {}, Place("--precision") if options.precision else None
    )
    names = [name for name in ("prefill", "decode") if options.phase in (None, "both", name)]
    phases = phases_of(manifest, names, precision, options.scope or InferenceRun().scope, Place("--scope"))
    if not phases:
        raise InputError("no GeMM of that phase and scope in it", place=Place(str(path)))
    resolved = {
        "trace": manifest.model.model_dump(),
        "sha256": manifest.digest(),
        "precision": "fp16" if precision is None else list(precision),
    }
    return Workload(manifest.model.name, phases, precision, resolved)


def phases_of(
    manifest: Manifest, names: Iterable[str], precision: Precision | None, scope: str, asked: Place, steps: int = 1
) -> tuple[Phase, ...]:
    """The phases of a recording that have any work.

    Parameters
    ----------
    asked
        Where the scope was asked for.
    steps
        How many decode steps each recorded one stands for, in its GeMMs and vector work.

    Raises
    ------
    InputError
        For scope `all` where not everything was seen.
    """
    if scope == "all" and manifest.unseen:
        problem = f"scope `all` needs what was not recorded: {manifest.unseen}"
        raise InputError(problem, place=asked, facts={"found": manifest.model.name, "allowed": "fp-int"})
    phases = []
    for name in names:
        times = steps if name == "decode" else 1
        records = (record for record in manifest.records if record.phase == name)
        counts = Counter(gemm_of(record, precision, manifest.weights_of(record)) for record in records)
        items: list[Item] = [
            replace(gemm, count=times * count)
            for gemm, count in counts.items()
            if scope == "all" or gemm.weights != FP16
        ]
        if scope == "all":
            items += [*_vector_work(manifest, name, times), *_attention(manifest, name)]
        if items:
            phases.append(Phase(name, tuple(items)))
    return tuple(phases)


def gemm_of(record: GemmRecord, precision: Precision | None, weights: WeightFormat) -> Gemm:
    """One recorded GeMM under a precision, with weights of a format."""
    combined, integers = record.expert and record.module == "down", weights != FP16
    return Gemm(
        name=_starred(record.name),
        module=record.module,
        m=record.m,
        k=record.k,
        n=record.n,
        mantissa_bits=_length(precision, record) if integers else None,
        output_mantissa_bits=output_mantissa_bits(precision, record.module) if integers and not combined else None,
        weights=weights,
    )


def _length(precision: Precision | None, record: GemmRecord) -> int | None:
    """The module's mantissa length; `other` belongs to none of the four and takes the longest."""
    if precision is not None and record.module == "other":
        return max(precision)
    return mantissa_bits(precision, record.module)


def _starred(name: str) -> str:
    """A name without the numbers of layers and experts."""
    return re.sub(r"(?<=\.)\d+(?=\.)|^\d+(?=\.)", "*", name)


def _vector_work(manifest: Manifest, phase: str, times: int) -> Iterator[VectorWork]:
    counts = Counter(
        VectorWork(_starred(one.name), one.module, one.operations, one.read_bytes, one.write_bytes)
        for one in manifest.vectors
        if one.phase == phase
    )
    return (replace(work, count=times * count) for work, count in counts.items())


def _attention(manifest: Manifest, phase: str) -> Iterator[Item]:
    """Attention by the pages that the queries of each sequence see, as `workload.attention` counts them."""
    tokens = manifest.tokens
    if phase == "decode" and not tokens.steps:
        return
    layers = Counter(one.model_copy(update={"name": ""}) for one in manifest.attentions)
    for one, count in layers.items():
        attention = Attention(
            heads=one.heads,
            key_value_heads=one.key_value_heads,
            head_size=one.head_size,
            rotary=one.rotated_values > 0,
            window=one.window,
        )
        for prompt, sequences in Counter(tokens.prompts).items():
            times = count * sequences
            if phase == "decode":
                spans = decode_spans(attention, prompt, tokens.steps)
            else:
                spans = prefill_spans(attention, prompt) if one.causal else encoder_spans(attention, prompt)
            yield from attention_items(attention, spans, times, one.value_size, capped=one.capped)
            if one.rotated_values:
                rows, passes = (1, tokens.steps) if phase == "decode" else (prompt, 1)
                yield rotary(rows, one.rotated_values, times * passes)


def _refuse_decided(options: Options) -> None:
    decided = [f"--{name}" for name in options.given() if name not in ("precision", "phase", "scope")]
    decided += [f"--set-workload {assignment}" for assignment in options.overrides]
    if decided:
        raise InputError(
            "a trace has been recorded", place=Place(decided[0]), facts={"allowed": "--precision, --phase, --scope"}
        )
