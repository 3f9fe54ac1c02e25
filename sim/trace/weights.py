"""INT4 weights for the layers of a model: those of its checkpoint, or made by round-to-nearest with clipping."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sim.formats.clipping import quantise_clipped
from sim.formats.int4 import Int4Tensor, Scheme
from sim.trace.linears import Site
from sim.trace.load import Loaded

GROUP_SIZE = 128
FP16_KINDS = ("head", "router")


@dataclass(frozen=True)
class Quantised:
    """INT4 weights by the name of their layer, and how they were made.

    Attributes
    ----------
    padded
        Layers whose K no group divides, with that K: their last group is filled up with zero weights, as the hardware
        pads it.
    """

    tensors: dict[str, Int4Tensor]
    group_size: int
    method: str
    padded: dict[str, int]


def int4_sites(loaded: Loaded) -> list[Site]:
    """The GeMMs that have INT4 weights: all but head and routers."""
    return [site for site in loaded.sites if site.kind not in FP16_KINDS]


def quantise(loaded: Loaded, scheme: Scheme = "zero-point") -> Quantised:
    """Give every layer INT4 weights, in place: the model then computes with what they stand for.

    Layers that the checkpoint holds packed stay as they are.
    """
    group_size = loaded.layout.group_size if loaded.layout else GROUP_SIZE
    tensors: dict[str, Int4Tensor] = {}
    for site in int4_sites(loaded):
        if site.name in loaded.packed:
            tensor = loaded.packed[site.name].tensor
        else:
            weights = site.weight.detach().float().cpu().numpy()
            tensor = quantise_clipped(weights, scheme, group_size, f"weights of {site.name}")
            values = torch.from_numpy(tensor.dequantise()).to(site.weight.device)
            site.layer.weight = torch.nn.Parameter(values, requires_grad=False)
        tensors[site.name] = tensor
    padded = {site.name: site.k for site in int4_sites(loaded) if site.k % group_size}
    method = loaded.layout.method if loaded.layout else f"rtn {scheme}"
    return Quantised(tensors, group_size, method, padded)
