"""Activations of a torch model as a format holds them, in the arithmetic of sim/formats/block_float.py.

    e = exponent of the group's largest FP16 value, not below -14;  unit = 2^(e - (M - 1))
    truncate (Anda, iFPU, FIGNA)  trunc(x / unit) unit
    nearest                       round(x / unit) unit, saturated at 2^M - 1 units

Every step is exact in binary32: x / unit has at most 11 significant bits, and unit is a power of two.
"""

from __future__ import annotations

from typing import Literal

import torch

Rounding = Literal["truncate", "nearest"]
LEAST_EXPONENT = -14


def to_fp16(values: torch.Tensor) -> torch.Tensor:
    """Values rounded to FP16, in their own type."""
    return values.to(torch.float16).to(values.dtype)


def to_block_float(
    values: torch.Tensor, mantissa_bits: int, group_size: int = 64, rounding: Rounding = "truncate"
) -> torch.Tensor:
    """Finite binary32 values (..., K), rounded to FP16 and aligned to `mantissa_bits` in groups of K."""
    length = values.shape[-1]
    padded = torch.nn.functional.pad(to_fp16(values), (0, -length % group_size))
    grouped = padded.reshape(*padded.shape[:-1], -1, group_size)
    largest = grouped.abs().amax(dim=-1, keepdim=True)
    exponent = (torch.frexp(largest).exponent - 1).clamp(min=LEAST_EXPONENT)
    units = torch.ldexp(torch.ones_like(largest), exponent - (mantissa_bits - 1))
    scaled = grouped / units
    if rounding == "truncate":
        mantissas = scaled.trunc()
    else:
        limit = 2**mantissa_bits - 1
        mantissas = scaled.round().clamp(-limit, limit)
    converted: torch.Tensor = (mantissas * units).flatten(-2)[..., :length]
    return converted
