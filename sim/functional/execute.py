"""One GeMM computed tile by tile of its plan, as the machine's processing elements round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats.int4 import Int4Tensor
from sim.functional.product import Aligned, Arithmetic, Exact, Sequential
from sim.functional.tiles import Panel, panels
from sim.mapping.plan import Plan
from sim.units.processing_element import ProcessingElement

Half = NDArray[np.float16]


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


def arithmetic_of(pe: ProcessingElement, mantissa_bits: int | None) -> Arithmetic:
    """How a kind of PE multiplies activations of the mantissa length that a GeMM asks for.

    Raises
    ------
    InputError
        For encoded activations without a mantissa length.
    """
    group_size = pe.mxu.dot_length
    if pe.encoded:
        if mantissa_bits is None:
            raise InputError(f"PEs of kind {pe.kind} need a mantissa length", field="precision")
        return Aligned(mantissa_bits, group_size)
    if pe.mxu.mantissa_bits is not None:
        return Aligned(pe.mxu.mantissa_bits, group_size)
    return Sequential() if pe.multiplies_fp16 else Exact(group_size)


def execute(
    plan: Plan,
    arithmetic: Arithmetic,
    activations: Half,
    weights: Int4Tensor,
    on_panel: Callable[[Panel, Half], None] = lambda panel, outputs: None,
) -> Execution:
    """Multiply activations (m, k) by weights (n, k) along the tiles of a plan.

    Parameters
    ----------
    on_panel
        Takes each panel and its outputs (rows, columns) as they are done.

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
        accumulators = arithmetic.multiply(activations[rows], weights.rows(columns))
        with np.errstate(over="ignore"):
            outputs[rows, columns] = accumulators
        on_panel(panel, outputs[rows, columns])
        tiles += panel.tiles
        overflows += int(np.count_nonzero(~np.isfinite(outputs[rows, columns])))
    return Execution(outputs, tiles, overflows)
