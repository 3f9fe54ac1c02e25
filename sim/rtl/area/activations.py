"""What the PEs are given to measure their switching: operands of a trace, and values made up to span what can occur."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats import fp16
from sim.formats.int4 import Int4Tensor
from sim.formats.integer import IntegerTensor
from sim.rtl.area.elements import GROUP_SIZE
from sim.rtl.area.energy import Inputs
from sim.workload.trace_file import open_trace

STREAMS, GROUPS = 32, 8


def traced(folder: Path) -> Iterator[tuple[str, Inputs]]:
    """Operands of the first recorded layer of each module; rows and columns drawn evenly.

    Raises
    ------
    InputError
        For a trace without tensors, or with weights that are not symmetric.
    """
    trace, seen = open_trace(folder), set()
    for record in trace.manifest.records:
        if record.module in seen or record.activations is None or record.weights is None:
            continue
        seen.add(record.module)
        values, weights = trace.activations(record), trace.weights(record)
        if not isinstance(weights, IntegerTensor) or weights.minimums is not None or (weights.zeros != 8).any():
            raise InputError(
                "weights with zero points: the PEs are synthesised for symmetric ones",
                field="--trace",
                facts={"mend": "record the trace with --scheme symmetric"},
            )
        length = min(record.k // weights.group_size * weights.group_size, GROUPS * GROUP_SIZE)
        tokens = np.linspace(0, record.m - 1, STREAMS).astype(int)
        columns = np.linspace(0, record.n - 1, STREAMS).astype(int)
        count = length // weights.group_size
        kept = Int4Tensor(
            weights.codes[columns, :count], weights.scales[columns, :count], weights.zeros[columns, :count], length
        )
        yield record.module, Inputs(values[tokens, :length], kept)
    if not seen:
        raise InputError("no tensors recorded", field="--trace", facts={"mend": "record the trace with --text"})


def made_up(seed: int = 0) -> Iterator[tuple[str, Inputs]]:
    """Zeros, normal values, normal values with one 64 times larger a group, and any finite FP16 code."""
    rng = np.random.default_rng(seed)
    length = GROUPS * GROUP_SIZE
    weights = Int4Tensor.quantise((rng.standard_normal((STREAMS, length)) / 50).astype(np.float32), "symmetric")
    normal: NDArray[np.float32] = rng.standard_normal((STREAMS, length)).astype(np.float32)
    outliers = normal.copy()
    outliers[:, ::GROUP_SIZE] *= 64
    codes = rng.integers(0, 1 << 16, (STREAMS, length), dtype=np.uint16)
    codes = np.where((codes >> 10 & 31) == 31, codes & np.uint16(0x83FF), codes)
    yield "zeros", Inputs(np.zeros((STREAMS, length), np.float16), weights)
    yield "normal", Inputs(normal.astype(np.float16), weights)
    yield "one outlier a group", Inputs(outliers.astype(np.float16), weights)
    yield "any FP16", Inputs(fp16.from_codes(codes), weights)
