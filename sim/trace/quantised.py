"""Integer weights as AWQ and GPTQ checkpoints pack them.

AWQ   qweight int32 [K, N/8], qzeros int32 [K/g, N/8], eight nibbles of N in the order 0 2 4 6 1 3 5 7
GPTQ  b bits: qweight int32 [K b/32, N], qzeros int32 [K/g, N b/32], codes one after the other from the lowest bit on
      (3 bits: 32 codes in three words); zeros stored less one (format `gptq`), or as they are (`gptq_v2`);
      g_idx int32 [K] names the group of each row (desc_act mixes them)
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
from sim.formats.integer import IntegerTensor, unpacked
from sim.workload.quantisation import StoredWeights

_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)  # place of output i among the eight nibbles


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

    tensor: IntegerTensor
    order: NDArray[np.intp] | None

    def dequantise(self) -> NDArray[np.float32]:
        """The weights [N, K] for inputs as they come."""
        values = self.tensor.dequantise()
        return values if self.order is None else values[:, np.argsort(self.order)]


def unpack(layout: StoredWeights, parts: Mapping[str, NDArray[Any]], name: str) -> Packed:
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
    scales, bits = parts["scales"], layout.bits
    zeros = _codes(parts["qzeros"], bits)
    if layout.method == "awq":
        zeros, codes = _in_order(zeros), _in_order(_codes(parts["qweight"], bits))
    else:
        zeros, codes = zeros + np.uint8(layout.packing == "gptq"), _codes(parts["qweight"].T, bits).T
    zeros &= np.uint8((1 << bits) - 1)
    k, n = codes.shape
    size = k if layout.group_size == "channel" else int(layout.group_size)
    count = -(-k // size)
    if scales.shape != (count, n) or zeros.shape != (count, n):
        facts = {"expected": f"scales and zeros {(count, n)}", "found": f"{scales.shape} and {zeros.shape}"}
        raise InputError(f"parts do not fit weights of {k} x {n}", field=name, facts=facts)
    order = _order(parts["g_idx"], k, size, name) if "g_idx" in parts else None
    if order is not None:
        codes = codes[order]
    padding = count * size - k
    padded = np.concatenate([codes.T, np.repeat(zeros.T[:, -1:], padding, axis=1)], axis=1)
    grouped = groups.split(padded, size)
    return Packed(IntegerTensor(grouped, scales.T.astype(np.float16), np.ascontiguousarray(zeros.T), k, bits), order)


def _order(group_of: NDArray[Any], k: int, group_size: int, name: str) -> NDArray[np.intp] | None:
    """The rows in the order of their groups; None where they are already."""
    in_order = np.arange(k) // group_size
    if np.array_equal(group_of, in_order):
        return None
    if not np.array_equal(np.sort(group_of), in_order):
        raise InputError(f"groups do not have {group_size} rows each", field=f"{name}.g_idx")
    return np.argsort(group_of, kind="stable")


def _codes(packed: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """(rows, words) of 32 bits as (rows, 32 words / bits) codes, from the lowest bit on."""
    count = packed.size * 32 // bits
    return unpacked(np.ascontiguousarray(packed).view(np.uint8).reshape(-1), bits, count).reshape(len(packed), -1)


def _in_order(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The outputs as they come, from AWQ's order of eight."""
    return codes.reshape(len(codes), -1, 8)[..., _AWQ_ORDER].reshape(codes.shape)
