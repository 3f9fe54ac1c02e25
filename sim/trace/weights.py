"""Integer weights for the layers of a model: those of its checkpoint, or made by round-to-nearest with clipping."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from sim.formats.clipping import quantise_clipped
from sim.formats.integer import Scheme
from sim.formats.weight import WeightFormat, WeightTensor
from sim.formats.weights.integer import IntegerWeights
from sim.trace.linears import Site
from sim.trace.load import Loaded
from sim.workload.gemm import INT4

GROUP_SIZE = 128


@dataclass(frozen=True)
class Quantised:
    """Weights by the name of their layer, and how they were made.

    Attributes
    ----------
    padded
        Layers whose K no group divides, with that K: their last group is filled up with zero weights, as the hardware
        pads it.
    """

    tensors: dict[str, WeightTensor]
    method: str
    padded: dict[str, int]


def integer_sites(loaded: Loaded) -> list[Site]:
    """The GeMMs that have integer weights: all but head, routers, and what a quantised checkpoint leaves in FP16."""
    return [site for site in loaded.sites if loaded.formats[site.name].integers]


def as_format(loaded: Loaded, wanted: WeightFormat) -> Loaded:
    """A model whose layers are to be quantised as `wanted`, from the values that its checkpoint holds.

    What a quantised checkpoint leaves in FP16 stays so.
    """
    stay = {name for name, one in loaded.formats.items() if not one.integers}
    formats = {name: one if name in stay else wanted for name, one in loaded.formats.items()}
    return replace(loaded, checkpoint=formats, packed={}, method=None, before=loaded.method, wanted=wanted)


def quantise(loaded: Loaded, scheme: Scheme = "zero-point") -> Quantised:
    """Give every layer the weights of its checkpoint, else those of its format, in place: the model computes with them.

    A checkpoint that is quantised stays as it is.
    """
    tensors: dict[str, WeightTensor] = {}
    sites = [site for site in loaded.sites if loaded.formats[site.name] in (loaded.wanted or INT4,)]
    for site in integer_sites(loaded) if loaded.packed else sites:
        stored = loaded.formats[site.name]
        if loaded.packed:
            tensors[site.name] = loaded.packed[site.name].tensor
            continue
        weights = site.weight.detach().float().cpu().numpy()
        tensor = made(weights, stored, scheme, f"weights of {site.name}")
        values = torch.from_numpy(stored.read(tensor).decode().astype(np.float32)).to(site.weight.device)
        site.layer.weight = torch.nn.Parameter(values, requires_grad=False)
        tensors[site.name] = tensor
    method = f"rtn {scheme}" if loaded.wanted in (None, INT4) else f"{loaded.wanted!r}"
    method += f" of {loaded.before}" if loaded.before else ""
    padded = {site.name: site.k for site in integer_sites(loaded) if site.k % (loaded.formats[site.name].span or 1)}
    return Quantised(tensors, loaded.method or method, padded)


def made(weights: NDArray[np.float32], stored: WeightFormat, scheme: Scheme, name: str) -> WeightTensor:
    """Weights in a format, groups of integers clipped where that lowers their error.

    Parameters
    ----------
    scheme
        Of INT4 weights that nobody described further.
    """
    if stored == INT4:
        return quantise_clipped(weights, scheme, GROUP_SIZE, name)
    if isinstance(stored, IntegerWeights) and isinstance(stored.group_size, int) and not stored.minimum:
        return quantise_clipped(weights, stored.scheme, stored.group_size, name, stored.bits)
    return stored.encode(weights)
