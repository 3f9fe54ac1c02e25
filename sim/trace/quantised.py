"""Integer weights as AWQ, GPTQ and compressed-tensors pack them.

AWQ   qweight int32 [K, N/8], qzeros int32 [K/g, N/8], eight nibbles of N in the order 0 2 4 6 1 3 5 7
GPTQ  b bits: qweight int32 [K b/32, N], qzeros int32 [K/g, N b/32], codes one after the other from the lowest bit on
      (3 bits: 32 codes in three words); zeros stored less one (format `gptq`), or as they are (`gptq_v2`);
      g_idx int32 [K] names the group of each row (desc_act mixes them). A zero of 0 less one is all ones: GPTQModel
      takes the one from whole words, so that 2, 4 and 8 bits borrow from the next zero; AutoGPTQ spoils what follows
both  scales FP16 [K/g, N];  weight = (code - zero) * scale
compressed-tensors  b = 4 or 8: weight_packed int32 [N, K b/32], codes of a row from the lowest bit on; weight_scale
      [N, K/g]; weight_zero_point int32 [N b/32, K/g], packed along N, where not symmetric; weight_g_idx [K] as g_idx
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
from sim.formats.weight import WeightFormat
from sim.workload.quantisation import CheckpointLayout

PARTS = {
    **dict.fromkeys(("awq", "gptq"), ("qweight", "qzeros", "scales", "g_idx")),
    "compressed-tensors": ("weight_packed", "weight_zero_point", "weight_scale", "weight_g_idx", "weight_shape"),
}
"""Names of a layer's tensors, by method."""
_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)  # place of output i among the eight nibbles


@dataclass(frozen=True, eq=False)
class Packed:
    """The weights of a layer as a checkpoint holds them.

    Attributes
    ----------
    format
        What the tensor is of.
    tensor
        Weights [N, K], groups of K together.
    order : (K,)
        Which input each place of K takes; None: as they come. The hardware stores activations in this order.
    """

    format: WeightFormat
    tensor: IntegerTensor
    order: NDArray[np.intp] | None = None

    def dequantise(self) -> NDArray[np.float32]:
        """The weights [N, K] for inputs as they come."""
        values = self.tensor.dequantise()
        return values if self.order is None else values[:, np.argsort(self.order)]


def unpack(layout: CheckpointLayout, parts: Mapping[str, NDArray[Any]], name: str) -> Packed:
    """The weights of a layer.

    Parameters
    ----------
    parts
        By the last part of their names: see `PARTS`.

    Raises
    ------
    InputError
        For a part that is missing or has a shape that does not fit the others, and scales that FP16 does not hold.
    """
    codes, zeros, scales, group_of = (
        _compressed(layout, parts, name) if layout.packing == "pack-quantized" else (_by_columns(layout, parts, name))
    )
    n, k = codes.shape
    size = k if layout.format.group_size == "channel" else int(layout.format.group_size)
    count = -(-k // size)
    if scales.shape != (n, count) or zeros.shape != (n, count):
        facts = {"expected": f"scales and zeros {(count, n)}", "found": f"{scales.shape[::-1]} and {zeros.shape[::-1]}"}
        raise InputError(f"parts do not fit weights of {k} x {n}", field=name, facts=facts)
    halves = scales.astype(np.float16)
    if not np.array_equal(halves.astype(scales.dtype), scales):
        raise InputError("scales that FP16 does not hold", field=name, facts={"found": f"scales of {scales.dtype}"})
    order = None if group_of is None else _order(group_of, k, size, name)
    if order is not None:
        codes = codes[:, order]
    padding = count * size - k
    padded = np.concatenate([codes, np.repeat(zeros[:, -1:], padding, axis=1)], axis=1)
    tensor = IntegerTensor(groups.split(padded, size), halves, np.ascontiguousarray(zeros), k, layout.format.bits)
    return Packed(layout.format, tensor, order)


_Parts = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[Any], NDArray[Any] | None]
"""Codes [N, K], zeros and scales [N, groups], and the group of each row of K where that is told."""


def _by_columns(layout: CheckpointLayout, parts: Mapping[str, NDArray[Any]], name: str) -> _Parts:
    """AWQ and GPTQ: all parts are [K or groups, N]."""
    _require(parts, ("qweight", "qzeros", "scales"), name)
    bits = layout.format.bits
    zeros = _codes(parts["qzeros"], bits)
    if layout.method == "awq":
        zeros, codes = _in_order(zeros), _in_order(_codes(parts["qweight"], bits))
    else:
        codes = _codes(parts["qweight"].T, bits).T
        if layout.packing == "gptq":
            zeros = _one_more(layout, parts["qzeros"], zeros, name)
    return codes.T, zeros.T, parts["scales"].T, parts.get("g_idx")


def _one_more(layout: CheckpointLayout, words: NDArray[Any], stored: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Zeros that were stored less one, as who wrote them takes the one away."""
    bits = layout.format.bits
    highest = np.uint8((1 << bits) - 1)
    if layout.quantiser.startswith("gptqmodel:") and bits != 3:
        ones = np.uint32(sum(1 << place for place in range(0, 32, bits)))
        return _codes(np.ascontiguousarray(words).view(np.uint32) + ones, bits)
    if (stored == highest).any() and not layout.quantiser.startswith("gptqmodel:"):
        group, output = np.argwhere(stored == highest)[0]
        facts = {
            "found": f"{highest}, a zero of 0 less one, in group {group} of output {output}",
            "known": "`meta.quantizer: gptqmodel:...`; others spoil the zeros that follow, and their readers differ",
        }
        raise InputError("zeros that readers do not agree on", field=f"{name}.qzeros", facts=facts)
    return stored + np.uint8(1) & highest


def _compressed(layout: CheckpointLayout, parts: Mapping[str, NDArray[Any]], name: str) -> _Parts:
    """compressed-tensors: all parts are [N, K or groups], filled up to whole words."""
    stored = layout.format
    _require(parts, ("weight_packed", "weight_shape", "weight_scale"), name)
    n, k = (int(size) for size in parts["weight_shape"].reshape(2))
    codes, scales = _codes(parts["weight_packed"], stored.bits)[:, :k], parts["weight_scale"]
    if stored.zero_point_bits:
        _require(parts, ("weight_zero_point",), name)
        zeros = np.ascontiguousarray(_codes(parts["weight_zero_point"].T, stored.bits).T[:n])
    else:
        zeros = np.full(scales.shape, 1 << stored.bits - 1, np.uint8)
    if codes.shape != (n, k):
        facts = {"expected": (n, k), "found": codes.shape}
        raise InputError("weight_packed does not hold what weight_shape says", field=name, facts=facts)
    return codes, zeros, scales, parts.get("weight_g_idx")


def _require(parts: Mapping[str, NDArray[Any]], needed: tuple[str, ...], name: str) -> None:
    missing = [part for part in needed if part not in parts]
    if missing:
        raise InputError(f"missing {', '.join(missing)}", field=name)


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
