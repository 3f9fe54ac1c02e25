"""A recorded trace through a machine's arithmetic: every GeMM with its tensors, and how far its outputs are from FP16.

The reference of a GeMM is its FP16 activations times its weights as stored in float64: what converting the activations,
and planes of weights that are not read, change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim import program
from sim.errors import InputError, Place
from sim.formats.weight import WeightTensor
from sim.functional.dump import DumpedGemm, ValueDump
from sim.functional.execute import Multiplier, execute
from sim.functional.product import Float32
from sim.functional.quality import Quality
from sim.functional.tiles import Panel
from sim.mapping.plan import Plan
from sim.workload.gemm import Gemm
from sim.workload.manifest import GemmRecord
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.readers.trace import Precisions
from sim.workload.trace_file import Trace


@dataclass(frozen=True)
class Replayed:
    """One GeMM of a trace, computed; of each weight `weight_bits` were read."""

    record: GemmRecord
    mantissa_bits: int | None
    weight_bits: int
    tiles: int
    quality: Quality


def replay(
    trace: Trace,
    pe: Multiplier,
    plan_of: Callable[[Gemm], Plan],
    precision: PrecisionPlan,
    dump: ValueDump | None = None,
) -> Iterator[Replayed]:
    """Compute the GeMMs of a trace that have tensors, in the order in which they ran.

    Parameters
    ----------
    plan_of
        How the machine cuts a GeMM: that of its timing run.
    dump
        Takes every operand, accumulator and output.

    Raises
    ------
    InputError
        Where the trace holds no tensors, or damaged ones.
    """
    records = [record for record in trace.manifest.records if record.activations]
    if not records:
        facts = {"mend": f"record it with values: {program.name()} trace MODEL --text FILE"}
        raise InputError("a trace without values", place=Place(str(trace.folder)), facts=facts)
    precisions = Precisions(trace.manifest, precision)
    for record in records:
        gemm = precisions.gemm(record, record.step)
        activations, weights = trace.activations(record), trace.weights(record)
        kept, plan = None, plan_of(gemm)
        if dump is not None:
            if plan.split.k > 1:
                problem = "only what can be verified is dumped: found sums of MXUs that split K"
                raise InputError(problem, field="schedule.split.k", facts={"allowed": "1"})
            kept = dump.begin(record, gemm, activations, gemm.weights.read(weights))
        yield _replayed(record, gemm, pe, plan, activations, weights, kept)


def _replayed(
    record: GemmRecord,
    gemm: Gemm,
    pe: Multiplier,
    plan: Plan,
    activations: NDArray[np.float16],
    weights: WeightTensor,
    kept: DumpedGemm | None,
) -> Replayed:
    qualities = []

    def compare(panel: Panel, accumulators: Float32, outputs: NDArray[np.float16]) -> None:
        if kept is not None:
            kept.add(panel, accumulators, outputs)
        columns = weights.rows(slice(panel.column, panel.column + panel.columns))
        values = activations[panel.row : panel.row + panel.rows].astype(np.float64)
        qualities.append(Quality.of(outputs, values @ columns.decode().T))

    execution = execute(plan, pe, activations, gemm.weights.read(weights), compare)
    return Replayed(
        record,
        gemm.mantissa_bits if pe.encoded else None,
        gemm.weights.read_bits,
        execution.tiles,
        sum(qualities, Quality()),
    )


def by_module(replayed: Iterable[Replayed]) -> dict[str, Quality]:
    """The quality of each module, over all of its GeMMs."""
    modules: dict[str, Quality] = {}
    for item in replayed:
        module = item.record.module
        modules[module] = modules.get(module, Quality()) + item.quality
    return modules


def by_length(
    trace: Trace, pe: Multiplier, plan_of: Callable[[Gemm], Plan], lengths: Iterable[int]
) -> dict[int, dict[str, Quality]]:
    """The quality of each module with every module at one mantissa length, for several lengths."""
    return {bits: by_module(replay(trace, pe, plan_of, PrecisionPlan((bits, bits, bits, bits)))) for bits in lengths}
