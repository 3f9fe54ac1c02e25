"""Integer weights for the layers of a model: those of its checkpoint, or made by round-to-nearest with clipping."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from sim.formats.clipping import quantise_clipped
from sim.formats.integer import IntegerTensor, Scheme
from sim.trace.linears import Site
from sim.trace.load import Loaded
from sim.workload.gemm import INT4

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
    method: str
    padded: dict[str, int]


def integer_sites(loaded: Loaded) -> list[Site]:
    """The GeMMs that have integer weights: all but head, routers, and what a quantised checkpoint leaves in FP16."""
    return [site for site in loaded.sites if loaded.formats[site.name].integers]


def as_int4(loaded: Loaded) -> Loaded:
    """A model whose checkpoint is quantised as one that is not: its integers are to be made anew from their values."""
    formats = {name: INT4 if stored.integers else stored for name, stored in loaded.formats.items()}
    return replace(loaded, checkpoint=formats, packed={}, method=None, before=loaded.method)


def quantise(loaded: Loaded, scheme: Scheme = "zero-point") -> Quantised:
    """Give every layer the integer weights of its checkpoint, else INT4, in place: the model then computes with them.

    A checkpoint that is quantised stays as it is.
    """
    tensors: dict[str, IntegerTensor] = {}
    for site in integer_sites(loaded):
        if loaded.packed:
            tensor = loaded.packed[site.name].tensor
        else:
            weights = site.weight.detach().float().cpu().numpy()
            tensor = quantise_clipped(weights, scheme, GROUP_SIZE, f"weights of {site.name}")
            values = torch.from_numpy(tensor.dequantise()).to(site.weight.device)
            site.layer.weight = torch.nn.Parameter(values, requires_grad=False)
        tensors[site.name] = tensor
    made = f"rtn {scheme}" + (f" of {loaded.before}" if loaded.before else "")
    padded = {site.name: site.k for site in integer_sites(loaded) if site.k % (loaded.formats[site.name].span or 1)}
    return Quantised(tensors, loaded.method or made, padded)
