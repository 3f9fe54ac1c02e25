"""One GeMM computed tile by tile of its plan, as the machine's processing elements round.

MXUs that split K take its groups in turn, and a tree adds their FP32 sums: of neighbours first, then of neighbouring
pairs, an odd one going up as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sim.errors import InputError
from sim.formats.weight import WeightTensor
from sim.functional.product import Float32, Half
from sim.functional.tiles import Panel, panels
from sim.mapping.plan import Plan


class Multiplier(Protocol):
    """What computes: a processing element (sim/units/processing_element.py)."""

    @property
    def quantised(self) -> bool:
        """Whether it takes activations as integers, under a scale a token."""
        ...

    @property
    def encoded(self) -> bool:
        """Whether the mantissa length of a GeMM is that of its activations."""
        ...

    def multiply(self, activations: Half, weights: WeightTensor, mantissa_bits: int | None) -> Float32:
        """Accumulators (tokens, columns) of activations (tokens, K) and weights (columns, K)."""
        ...


@dataclass(frozen=True, eq=False)
class Execution:
    """What a GeMM gave.

    Attributes
    ----------
    outputs : float16, (m, n)
    tiles
        Output tiles written, each output once.
    overflows
        Outputs beyond FP16, held as Inf.
    """

    outputs: Half
    tiles: int
    overflows: int


def execute(
    plan: Plan,
    multiplier: Multiplier,
    activations: Half,
    weights: WeightTensor,
    on_panel: Callable[[Panel, Float32, Half], None] = lambda panel, accumulators, outputs: None,
) -> Execution:
    """Multiply activations (m, k) by weights (n, k) along the tiles of a plan.

    Parameters
    ----------
    on_panel
        Takes each panel with its accumulators and outputs (rows, columns) as they are done.

    Raises
    ------
    InputError
        For operands of other shapes than the plan's, Inf or NaN in them, or groups of weights that the PE's dot
        length does not divide.
    """
    gemm = plan.gemm
    if activations.shape != (gemm.m, gemm.k) or weights.shape != (gemm.n, gemm.k):
        found = f"{activations.shape} and {weights.shape}"
        facts = {"expected": f"{(gemm.m, gemm.k)} and {(gemm.n, gemm.k)}", "found": found}
        raise InputError("operands of another shape than the GeMM", field=gemm.name, facts=facts)
    outputs = np.empty((gemm.m, gemm.n), np.float16)
    tiles = overflows = 0
    for panel in panels(plan):
        rows = slice(panel.row, panel.row + panel.rows)
        columns = slice(panel.column, panel.column + panel.columns)
        accumulators = _sums(plan, multiplier, activations[rows], weights.rows(columns))
        with np.errstate(over="ignore"):
            outputs[rows, columns] = accumulators
        on_panel(panel, accumulators, outputs[rows, columns])
        tiles += panel.tiles
        overflows += int(np.count_nonzero(~np.isfinite(outputs[rows, columns])))
    return Execution(outputs, tiles, overflows)


def _sums(plan: Plan, multiplier: Multiplier, activations: Half, weights: WeightTensor) -> Float32:
    """Accumulators of all of K."""
    bits, parts = plan.gemm.mantissa_bits, plan.split.k
    if parts == 1:
        return multiplier.multiply(activations, weights, bits)
    if multiplier.quantised:
        problem = "values of MXUs that split K are known of activations in FP16 alone, not under a scale a token"
        raise InputError(problem, field="schedule.split.k", facts={"found": str(parts), "allowed": "1"})
    part = np.arange(plan.gemm.k) // plan.group_size % parts
    # A zero adds nothing to a sum, of whatever kind, and takes no part in an exponent.
    sums = [multiplier.multiply(np.where(part == j, activations, np.float16(0)), weights, bits) for j in range(parts)]
    while len(sums) > 1:
        sums = [sum_ + sums[i + 1] if i + 1 < len(sums) else sum_ for i, sum_ in enumerate(sums) if i % 2 == 0]
    return sums[0]
