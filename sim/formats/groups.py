"""Groups along the last axis, K: (..., K) held as (..., groups, group_size), zeros after K."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError

Scalar = TypeVar("Scalar", bound=np.generic)


def check_size(group_size: int) -> None:
    """Raise an InputError for groups of activations that no unit takes: rows are whole bytes, sums stay exact."""
    if group_size not in range(16, 129, 16):
        raise InputError(f"found {group_size}", field="group_size", facts={"allowed": "multiples of 16, 16..128"})


def split(values: NDArray[Scalar], group_size: int) -> NDArray[Scalar]:
    """(..., K) as (..., ceil(K / group_size), group_size), zeros after K."""
    *rows, length = values.shape
    groups = -(-length // group_size)
    padded = np.pad(values, [(0, 0)] * len(rows) + [(0, groups * group_size - length)])
    return padded.reshape(*rows, groups, group_size)


def join(values: NDArray[Scalar], length: int) -> NDArray[Scalar]:
    """(..., groups, group_size) as (..., length): undoes `split`."""
    *rows, groups, group_size = values.shape
    return values.reshape(*rows, groups * group_size)[..., :length]


def check(length: int, values: NDArray[Any], *parts: NDArray[Any]) -> None:
    """Raise a ValueError unless `values` group `length` values a row and each part has one entry a group."""
    *rows, group_size = values.shape
    if any(part.shape != tuple(rows) for part in parts) or not 0 <= rows[-1] * group_size - length < group_size:
        shapes = ", ".join(str(part.shape) for part in (values, *parts))
        raise ValueError(f"not the groups of {length} values: shapes {shapes}")
