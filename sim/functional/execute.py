"""One GeMM computed tile by tile of its plan, as the machine's processing elements round."""

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
        accumulators = multiplier.multiply(activations[rows], weights.rows(columns), gemm.mantissa_bits)
        with np.errstate(over="ignore"):
            outputs[rows, columns] = accumulators
        on_panel(panel, accumulators, outputs[rows, columns])
        tiles += panel.tiles
        overflows += int(np.count_nonzero(~np.isfinite(outputs[rows, columns])))
    return Execution(outputs, tiles, overflows)
