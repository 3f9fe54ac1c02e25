"""A recorded trace through a machine's arithmetic: every GeMM with its tensors, and how far its outputs are from FP16.

The reference of a GeMM is its FP16 activations times its integer weights in float64: what the format alone changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim import program
from sim.errors import InputError, Place
from sim.formats.weight import WeightTensor
from sim.functional.execute import Multiplier, execute
from sim.functional.quality import Quality
from sim.functional.tiles import Panel
from sim.mapping.plan import Plan
from sim.workload.gemm import Gemm
from sim.workload.manifest import GemmRecord
from sim.workload.precision import Precision
from sim.workload.readers.trace import gemm_of
from sim.workload.trace_file import Trace


@dataclass(frozen=True)
class Replayed:
    """One GeMM of a trace, computed."""

    record: GemmRecord
    mantissa_bits: int | None
    tiles: int
    quality: Quality


def replay(
    trace: Trace, pe: Multiplier, plan_of: Callable[[Gemm], Plan], precision: Precision | None
) -> Iterator[Replayed]:
    """Compute the GeMMs of a trace that have tensors, in the order in which they ran.

    Parameters
    ----------
    plan_of
        How the machine cuts a GeMM: that of its timing run.

    Raises
    ------
    InputError
        Where the trace holds no tensors, or damaged ones.
    """
    records = [record for record in trace.manifest.records if record.activations]
    if not records:
        facts = {"mend": f"record it with values: {program.name()} trace MODEL --text FILE"}
        raise InputError("a trace without values", place=Place(str(trace.folder)), facts=facts)
    for record in records:
        gemm = gemm_of(record, precision, trace.manifest.weights_of(record))
        yield _replayed(record, gemm, pe, plan_of(gemm), trace.activations(record), trace.weights(record))


def _replayed(
    record: GemmRecord, gemm: Gemm, pe: Multiplier, plan: Plan, activations: NDArray[np.float16], weights: WeightTensor
) -> Replayed:
    qualities = []

    def compare(panel: Panel, outputs: NDArray[np.float16]) -> None:
        columns = weights.rows(slice(panel.column, panel.column + panel.columns))
        values = activations[panel.row : panel.row + panel.rows].astype(np.float64)
        qualities.append(Quality.of(outputs, values @ columns.decode().T))

    execution = execute(plan, pe, activations, weights, compare)
    return Replayed(record, gemm.mantissa_bits if pe.encoded else None, execution.tiles, sum(qualities, Quality()))


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
    return {bits: by_module(replay(trace, pe, plan_of, (bits, bits, bits, bits))) for bits in lengths}
