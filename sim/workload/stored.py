"""What weights a workload has in memory, counted from its matrices."""

from __future__ import annotations

from collections.abc import Iterable

from sim.workload.gemm import Gemm, Workload
from sim.workload.model import Model
from sim.workload.phases import build_phases
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.routing import EvenRouting
from sim.workload.weight_bytes import StoredWeights


def stored_weights(matrices: Iterable[Gemm]) -> StoredWeights | None:
    """The sum over GeMMs, `count` matrices of each; None where none has weights."""
    weights = claimed = stored = 0
    for one in matrices:
        weights += one.count * one.k * one.n
        claimed += one.count * -(-one.k * one.n * one.weights.bits // 8)
        stored += one.count * -(-one.n * one.weights.stored_column_bits(one.k) // 8)
    return StoredWeights(weights, claimed, stored) if weights else None


def of_model(model: Model, plan: PrecisionPlan) -> StoredWeights | None:
    """All matrices of a model in the scope of its run: those of a batch whose tokens go to every expert."""
    every = model.experts.count if model.experts else 1
    run = model.run.model_copy(update={"phase": "prefill", "tokens": 1, "batch": every})
    phases = build_phases(model.model_copy(update={"run": run}), plan, EvenRouting())
    return stored_weights(Workload(model.name, phases).gemms)
