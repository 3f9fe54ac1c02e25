"""Integer weights for the layers of a model: those of its checkpoint, or made by round-to-nearest with clipping."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sim.formats.clipping import quantise_clipped
from sim.formats.integer import IntegerTensor, Scheme
from sim.formats.weight import Grouping
from sim.trace.linears import FP16_KINDS, Site
from sim.trace.load import Loaded

GROUP_SIZE = 128


@dataclass(frozen=True)
class Quantised:
    """Integer weights by the name of their layer, and how they were made.

    Attributes
    ----------
    padded
        Layers whose K no group divides, with that K: their last group is filled up with zero weights, as the hardware
        pads it.
    """

    tensors: dict[str, IntegerTensor]
    group_size: Grouping
    method: str
    padded: dict[str, int]


def integer_sites(loaded: Loaded) -> list[Site]:
    """The GeMMs that have integer weights: all but head, routers, and what a quantised checkpoint leaves in FP16."""
    return [site for site in loaded.sites if weight_bits(loaded, site) != 16]


def weight_bits(loaded: Loaded, site: Site) -> int:
    """Bits of the weights of a GeMM; a checkpoint that is not quantised is taken as INT4 weights would make it."""
    if site.kind in FP16_KINDS:
        return 16
    if loaded.packed:
        return loaded.bits if site.name in loaded.packed else 16
    return 16 if loaded.stored and loaded.stored.keeps_fp16(site.name) else loaded.bits


def quantise(loaded: Loaded, scheme: Scheme = "zero-point") -> Quantised:
    """Give every layer the integer weights of its checkpoint, else INT4, in place: the model then computes with them.

    A checkpoint that is quantised stays as it is.
    """
    tensors: dict[str, IntegerTensor] = {}
    for site in integer_sites(loaded):
        if loaded.stored:
            tensor = loaded.packed[site.name].tensor
        else:
            weights = site.weight.detach().float().cpu().numpy()
            tensor = quantise_clipped(weights, scheme, GROUP_SIZE, f"weights of {site.name}")
            values = torch.from_numpy(tensor.dequantise()).to(site.weight.device)
            site.layer.weight = torch.nn.Parameter(values, requires_grad=False)
        tensors[site.name] = tensor
    group_size = loaded.stored.group_size if loaded.stored else GROUP_SIZE
    method = loaded.stored.method if loaded.stored else f"rtn {scheme}"
    size = group_size if isinstance(group_size, int) else 1
    padded = {site.name: site.k for site in integer_sites(loaded) if site.k % size}
    return Quantised(tensors, group_size, method, padded)
