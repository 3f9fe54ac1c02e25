"""A linear layer as PEs with FP16 conversion compute it, group by group of K, for models in torch.

    t_g = FP16(sum of a group's x (code - zero)) s_g        overflow to Inf;  docs: sim/formats/contract.py
    y   = t_0 + t_1 + ... + bias                            in binary32, in order; wider weights digit by digit

The sums of a group are taken in binary32: exact up to 2^24 units, so that FP16 rounds what the contract rounds.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from sim.formats.integer import IntegerTensor


def grouped_linear(layer: nn.Module, weights: IntegerTensor, group_size: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """The forward function of `layer` on converted activations (..., K), in the order of the weights' K."""
    matched = weights.regrouped(group_size)
    device = next(layer.parameters()).device
    digits = [(float(1 << shift), torch.from_numpy(digit.integers()).to(device)) for shift, digit in matched.slices()]
    outputs, count = matched.scales.shape
    scales = torch.from_numpy(matched.scales).to(device, torch.float32)
    bias = layer.bias if isinstance(layer.bias, torch.Tensor) else None

    def forward(values: torch.Tensor) -> torch.Tensor:
        padded = nn.functional.pad(values, (0, -weights.length % group_size))
        groups = padded.reshape(-1, count, group_size)
        total = groups.new_zeros(len(groups), outputs)
        for g in range(count):
            for unit, integers in digits:
                sums = groups[:, g] @ integers[:, g].to(values.dtype).T
                total += sums.to(torch.float16).to(values.dtype) * (scales[:, g] * unit)
        result = total if bias is None else total + bias
        return result.reshape(*values.shape[:-1], -1)

    return forward
