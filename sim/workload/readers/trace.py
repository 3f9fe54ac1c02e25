"""A recorded trace as a workload: its GeMMs by phase, equal ones of a kind counted together.

The number of a layer, expert or decode step does not make a GeMM another: `model.layers.3.mlp.up_proj` counts under
`model.layers.*.mlp.up_proj`. The head, routers and what a checkpoint leaves in FP16
belong to scope `all` only.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from sim.errors import InputError, Place
from sim.workload.gemm import FP16, Gemm, Phase, WeightFormat, Workload
from sim.workload.model import Run
from sim.workload.options import Options
from sim.workload.precision import Precision, mantissa_bits, output_mantissa_bits, resolve
from sim.workload.trace_file import Record, open_trace


def read(path: Path, options: Options) -> Workload:
    """The workload of a trace's folder.

    Raises
    ------
    InputError
        For a damaged trace, and for options that a recording has already decided.
    """
    _refuse_decided(options)
    manifest = open_trace(path).manifest
    precision = resolve(options.precision or Run().precision, {}, Place("--precision") if options.precision else None)
    weights = WeightFormat(group_size=manifest.weights.group_size) if manifest.weights else WeightFormat()
    phases = []
    for name in ("prefill", "decode"):
        if options.phase not in (None, "both", name):
            continue
        counts = Counter(gemm_of(record, precision, weights) for record in manifest.records if record.phase == name)
        items = tuple(replace(gemm, count=count) for gemm, count in counts.items())
        if options.scope != "all":
            items = tuple(gemm for gemm in items if gemm.weights != FP16)
        if items:
            phases.append(Phase(name, items))
    if not phases:
        raise InputError("no GeMM of that phase and scope in it", place=Place(str(path)))
    resolved = {
        "trace": manifest.model.model_dump(),
        "sha256": manifest.digest(),
        "precision": "fp16" if precision is None else list(precision),
    }
    return Workload(manifest.model.name, tuple(phases), precision, resolved)


def gemm_of(record: Record, precision: Precision | None, weights: WeightFormat) -> Gemm:
    """One recorded GeMM under a precision."""
    combined, integers = record.expert and record.module == "down", record.weight_bits != FP16.bits
    return Gemm(
        name=re.sub(r"(?<=\.)\d+(?=\.)|^\d+(?=\.)", "*", record.name),
        module=record.module,
        m=record.m,
        k=record.k,
        n=record.n,
        mantissa_bits=_length(precision, record) if integers else None,
        output_mantissa_bits=output_mantissa_bits(precision, record.module) if integers and not combined else None,
        weights=weights if integers else FP16,
    )


def _length(precision: Precision | None, record: Record) -> int | None:
    """The module's mantissa length; `other` belongs to none of the four and takes the longest."""
    if precision is not None and record.module == "other":
        return max(precision)
    return mantissa_bits(precision, record.module)


def _refuse_decided(options: Options) -> None:
    decided = [f"--{name}" for name in options.given() if name not in ("precision", "phase", "scope")]
    decided += [f"--set {assignment}" for assignment in options.overrides]
    if decided:
        raise InputError(
            "a trace has been recorded", place=Place(decided[0]), facts={"allowed": "--precision, --phase, --scope"}
        )
