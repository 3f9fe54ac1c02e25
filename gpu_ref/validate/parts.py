"""The GeMMs of a trace that the witnesses compute: real activations and INT4 weights, all of K, so many outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim import program
from sim.errors import InputError, Place
from sim.formats.int4 import Int4Tensor
from sim.formats.integer import IntegerTensor
from sim.formats.weight import WeightFormat
from sim.formats.weights.integer import IntegerWeights
from sim.workload.gemm import INT4, Gemm
from sim.workload.manifest import GemmRecord
from sim.workload.precision import Precision
from sim.workload.precision_rules import everywhere
from sim.workload.readers.trace import gemm_of
from sim.workload.trace_file import Trace


@dataclass(frozen=True, eq=False)
class GemmPart:
    """A GeMM of a trace and the part of it that is computed.

    Attributes
    ----------
    gemm
        The whole of it.
    activations : float16, (tokens, K)
    weights : (outputs, K)
    """

    record: GemmRecord
    gemm: Gemm
    activations: NDArray[np.float16]
    weights: Int4Tensor
    mantissa_bits: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Tokens, K and outputs that are computed."""
        return len(self.activations), self.gemm.k, self.weights.shape[0]

    @property
    def computed(self) -> Gemm:
        """The part as a GeMM of its own."""
        tokens, _, outputs = self.shape
        return replace(self.gemm, m=tokens, n=outputs, count=1)

    @property
    def share(self) -> float:
        """Of the GeMM's outputs."""
        tokens, _, outputs = self.shape
        return tokens * outputs / (self.gemm.m * self.gemm.n)

    @property
    def has_zero_points(self) -> bool:
        return bool((self.weights.zeros != 8).any())


def _is_int4(stored: WeightFormat) -> bool:
    return isinstance(stored, IntegerWeights) and stored.bits == INT4.bits and not stored.minimum


def parts(trace: Trace, precision: Precision, tokens: int, outputs: int, every: bool) -> Iterator[GemmPart]:
    """Parts of the recorded GeMMs with INT4 weights.

    Parameters
    ----------
    tokens, outputs
        The most of each that are computed, from the first on.
    every
        All records; else the first of each module and shape.

    Raises
    ------
    InputError
        Where the trace holds no tensors, or damaged ones.
    """
    manifest = trace.manifest
    kept = (one for one in manifest.records if one.activations and one.weights)
    records = [one for one in kept if _is_int4(manifest.weights_of(one))]
    if not records:
        facts = {"mend": f"record it with values: {program.name()} trace MODEL --text FILE"}
        raise InputError(
            "a trace without INT4 weights and their activations", place=Place(str(trace.folder)), facts=facts
        )
    seen = set()
    for record in records:
        kind = (record.phase, record.module, record.m, record.k, record.n)
        if kind in seen and not every:
            continue
        seen.add(kind)
        gemm = gemm_of(record, everywhere(precision), manifest.weights_of(record))
        bits, weights = gemm.mantissa_bits, trace.weights(record).rows(slice(0, outputs))
        assert bits is not None
        assert isinstance(weights, IntegerTensor)
        yield GemmPart(
            record,
            gemm,
            trace.activations(record)[:tokens],
            Int4Tensor(weights.codes, weights.scales, weights.zeros, weights.length),
            bits,
        )
