"""Random content of timing buffers, made on the card: valid for every kernel, never zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpu_ref.program import Filled


def fill(xp: Any, item: Filled) -> Any:
    """An array of an array module (CuPy, or NumPy in the tests) as `item` describes it."""
    if item.fill in ("bits", "bytes"):
        return _bits(xp, item)
    if item.fill == "e4m3":
        codes = _bits(xp, item)
        return xp.where(codes & 127 == 127, codes - 1, codes).astype(item.dtype)  # no NaN
    if item.fill == "exponents":
        return xp.random.randint(1, 31, item.shape).astype(item.dtype)
    if item.fill == "scales":  # FP16 between 2^-8 and 2^-7, as bits
        return xp.random.randint(0x1C00, 0x2000, item.shape).astype(item.dtype)
    values = xp.random.standard_normal(item.shape)
    if item.fill == "outliers":
        values[:, :: max(1, item.shape[1] // 8)] *= 20  # eight columns, as LLM.int8() reports for large models
    return values.astype(item.dtype)


def _bits(xp: Any, item: Filled) -> Any:
    words = xp.random.randint(0, 2**32, -(-item.nbytes // 4), dtype=np.uint32)
    return words.view("u1")[: item.nbytes].view(item.dtype).reshape(item.shape)
