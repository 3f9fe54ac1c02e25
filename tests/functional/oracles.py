"""Which sum of the oracle each shipped machine computes: written down here, apart from the PEs' own files."""

from __future__ import annotations

from fractions import Fraction

from tests.formats import oracle

GROUP_SIZE = 64
BUILT_IN_LENGTHS = {"ifpu": 13, "figna": 13, "figna-m11": 11, "figna-m8": 8}


def accumulator(machine: str, pair: oracle.Column, mantissa_bits: int | None) -> Fraction:
    """What a machine accumulates for one output of a GeMM at a mantissa length."""
    if machine == "fp-fp":
        return oracle.fp_fp(pair)
    if machine == "fp-int":
        return oracle.fp_int(pair, GROUP_SIZE)
    length = mantissa_bits if machine == "anda-hpca25" else BUILT_IN_LENGTHS[machine]
    assert length is not None
    return oracle.gemm(pair, length, GROUP_SIZE)
