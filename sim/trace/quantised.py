"""INT4 weights as AWQ and GPTQ checkpoints pack them.

AWQ   qweight int32 [K, N/8], qzeros int32 [K/g, N/8], eight nibbles of N in the order 0 2 4 6 1 3 5 7
GPTQ  qweight int32 [K/8, N], qzeros int32 [K/g, N/8], nibbles in order; zeros stored less one (format `gptq`),
      or as they are (`gptq_v2`); g_idx int32 [K] names the group of each row (desc_act mixes them)
both  scales FP16 [K/g, N];  weight = (code - zero) * scale
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats import groups
from sim.formats.int4 import Int4Tensor
from sim.workload.quantisation import Stored

_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)  # place of output i among the eight nibbles
_IN_ORDER = tuple(range(8))


@dataclass(frozen=True, eq=False)
class Packed:
    """The weights of a layer as a checkpoint holds them.

    Attributes
    ----------
    tensor
        Weights [N, K], groups of K together.
    order : (K,)
        Which input each place of K takes; None: as they come. The hardware stores activations in this order.
    """

    tensor: Int4Tensor
    order: NDArray[np.intp] | None

    def dequantise(self) -> NDArray[np.float32]:
        """The weights [N, K] for inputs as they come."""
        values = self.tensor.dequantise()
        return values if self.order is None else values[:, np.argsort(self.order)]


def unpack(layout: Stored, parts: Mapping[str, NDArray[Any]], name: str) -> Packed:
    """The weights of a layer.

    Parameters
    ----------
    parts
        `qweight`, `qzeros`, `scales` and, for GPTQ, perhaps `g_idx`.

    Raises
    ------
    InputError
        For a part that is missing or has a shape that does not fit the others.
    """
    missing = [part for part in ("qweight", "qzeros", "scales") if part not in parts]
    if missing:
        raise InputError(f"missing {', '.join(missing)}", field=name)
    places = _AWQ_ORDER if layout.method == "awq" else _IN_ORDER
    scales, qweight = parts["scales"], parts["qweight"]
    zeros = (_nibbles(parts["qzeros"], places) + np.uint8(layout.packing == "gptq")) & 15
    codes = _nibbles(qweight, places) if layout.method == "awq" else _nibbles(qweight.T, places).T
    k, n = codes.shape
    count = -(-k // layout.group_size)
    if scales.shape != (count, n) or zeros.shape != (count, n):
        facts = {"expected": f"scales and zeros {(count, n)}", "found": f"{scales.shape} and {zeros.shape}"}
        raise InputError(f"parts do not fit weights of {k} x {n}", field=name, facts=facts)
    order = _order(parts["g_idx"], k, layout.group_size, name) if "g_idx" in parts else None
    if order is not None:
        codes = codes[order]
    padding = count * layout.group_size - k
    padded = np.concatenate([codes.T, np.repeat(zeros.T[:, -1:], padding, axis=1)], axis=1)
    grouped = groups.split(padded, layout.group_size)
    return Packed(Int4Tensor(grouped, scales.T.astype(np.float16), np.ascontiguousarray(zeros.T), k), order)


def _order(group_of: NDArray[Any], k: int, group_size: int, name: str) -> NDArray[np.intp] | None:
    """The rows in the order of their groups; None where they are already."""
    in_order = np.arange(k) // group_size
    if np.array_equal(group_of, in_order):
        return None
    if not np.array_equal(np.sort(group_of), in_order):
        raise InputError(f"groups do not have {group_size} rows each", field=f"{name}.g_idx")
    return np.argsort(group_of, kind="stable")


def _nibbles(packed: NDArray[Any], order: tuple[int, ...]) -> NDArray[np.uint8]:
    """(rows, words) of 32 bits as (rows, 8 words): value i of a word lies in nibble order[i]."""
    words = np.ascontiguousarray(packed).view(np.uint32)
    shifts = np.array(order, np.uint32) * 4
    values = words[..., np.newaxis] >> shifts & np.uint32(15)
    return values.astype(np.uint8).reshape(*words.shape[:-1], -1)
