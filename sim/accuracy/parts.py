"""What a layer of a model does at which positions of a text: lengths of mantissas, and planes of its weights.

A text is scored as if it were decoded from its first token on: a token's step and position are its place in the
window. Positions go through a layer together, each with the activations and the weights of its own part, so that keys
and values are those that decoding would have left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from sim.errors import InputError
from sim.formats.integer import IntegerTensor
from sim.trace.linears import Site
from sim.workload.precision import mantissa_bits, of_module
from sim.workload.precision_rules import Moment, PrecisionPlan, layer_of

Linear = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class LayerPart:
    """Neighbouring positions at which a layer does the same.

    Parameters
    ----------
    length
        Mantissa bits of its activations; None: FP16.
    bits
        Planes of its weights that are read; None: all.
    """

    positions: range
    length: int | None
    bits: int | None


Parts = tuple[LayerPart, ...]


def parts_of(plan: PrecisionPlan, sites: Sequence[Site], positions: int) -> dict[str, Parts]:
    """The parts of each layer, by its name, over so many positions.

    Raises
    ------
    InputError
        For rules about layers that the model does not have, or about positions of what is routed to experts.
    """
    layers = 1 + max((layer_of(site.name) for site in sites), default=-1)
    if beyond := plan.first_layer_beyond(layers):
        number, text = beyond
        facts = {"found": text, "allowed": f"0 to {layers - 1}"}
        raise InputError("a layer that the model does not have", field=f"rules.{number}.layers", facts=facts)
    stretches = plan.steps(0, positions, layers)
    found = {site.name: _merged(_parts(plan, site, stretches, layers)) for site in sites}
    if any(site.expert and len(found[site.name]) > 1 for site in sites):
        raise InputError("rules over steps and positions are not followed into experts", field="precision")
    return found


def _parts(plan: PrecisionPlan, site: Site, stretches: list[range], layers: int) -> Iterable[LayerPart]:
    for stretch in stretches:
        own = plan.at(Moment("decode", stretch.start, stretch.start), layer_of(site.name), layers)
        yield LayerPart(stretch, mantissa_bits(own.lengths, site.kind), of_module(own.weight_bits, site.kind))


def _merged(parts: Iterable[LayerPart]) -> Parts:
    """Neighbours that do the same as one."""
    merged: list[LayerPart] = []
    for part in parts:
        if merged and (merged[-1].length, merged[-1].bits) == (part.length, part.bits):
            part = LayerPart(range(merged.pop().positions.start, part.positions.stop), part.length, part.bits)
        merged.append(part)
    return tuple(merged)


def by_part(parts: Parts, positions: int, functions: Sequence[Linear], values: torch.Tensor) -> torch.Tensor:
    """Values (..., K), `positions` rows a sequence, each through its own part's function."""
    if len(parts) == 1:
        return functions[0](values)
    sequences = values.reshape(-1, positions, values.shape[-1])
    outputs = [
        function(sequences[:, part.positions.start : part.positions.stop])
        for part, function in zip(parts, functions, strict=True)
        if part.positions.start < positions
    ]
    return torch.cat(outputs, dim=1).reshape(*values.shape[:-1], -1)


def linear_of(layer: nn.Module, weights: IntegerTensor, order: torch.Tensor | None) -> Linear:
    """A layer's function with other weights, whose inputs come in `order`; None: as they lie."""
    matrix = torch.from_numpy(weights.dequantise()).to(next(layer.parameters()).device)
    bias = layer.bias if isinstance(layer.bias, torch.Tensor) else None
    return lambda values: nn.functional.linear(values if order is None else values[..., order], matrix, bias)
