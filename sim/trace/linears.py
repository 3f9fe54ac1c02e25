"""A model whose every weight GeMM is a torch Linear, so that one hook sees, quantises and converts them all.

Conv1D (GPT-2)              -> Linear with the transposed weight
experts [E, 2I, H], [E, H, I] -> 2 E Linears, `gate_up_proj.0` .. `down_proj.E-1`, run over the tokens routed to each
routers that hold a weight  -> left as they are; they stay FP16
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from sim.errors import InputError
from sim.trace.modules import module_of
from sim.workload.gemm import GemmModule
from sim.workload.routing import EvenRouting, Mixture

FP16_KINDS = ("head", "router")


@dataclass(frozen=True)
class Site:
    """A weight GeMM of a model: y[m, n] = x[m, k] w[n, k]^T."""

    name: str
    kind: GemmModule
    layer: nn.Module
    """A Linear, or a router with a weight of shape (n, k)."""
    expert: bool

    @property
    def weight(self) -> torch.Tensor:
        weight = self.layer.weight
        assert isinstance(weight, torch.Tensor)
        return weight

    @property
    def k(self) -> int:
        return self.weight.shape[1]

    @property
    def n(self) -> int:
        return self.weight.shape[0]


class SplitExperts(nn.Module):
    """A mixture's experts as Linears.

    Attributes
    ----------
    real
        Which tokens are not padding, shape (tokens,); None: all. Padding is sent to no expert.
    """

    def __init__(self, fused: nn.Module) -> None:
        super().__init__()
        gate_up, down = fused.gate_up_proj, fused.down_proj
        assert isinstance(gate_up, torch.Tensor)
        assert isinstance(down, torch.Tensor)
        self.gate_up_proj = nn.ModuleList(_linear(weight, None) for weight in gate_up)
        self.down_proj = nn.ModuleList(_linear(weight, None) for weight in down)
        assert isinstance(fused.act_fn, nn.Module)
        self.activation = fused.act_fn
        self.real: torch.Tensor | None = None

    def forward(self, hidden: torch.Tensor, chosen: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        """Tokens [tokens, H], experts chosen and their shares [tokens, experts a token] -> [tokens, H]."""
        output = torch.zeros_like(hidden)
        if hidden.is_meta:
            mixture = Mixture(1, len(self.down_proj), chosen.shape[1])
            for expert, count in enumerate(EvenRouting().loads(mixture, len(chosen), range(1), range(1)).elements()):
                self._expert(expert, hidden.new_empty(count, hidden.shape[1]))
            return output
        if self.real is not None:
            chosen = chosen.masked_fill(~self.real[:, None], -1)
        for expert in range(len(self.down_proj)):
            token, place = torch.where(chosen == expert)
            if len(token):
                result = self._expert(expert, hidden[token]) * shares[token, place, None]
                output.index_add_(0, token, result.to(output.dtype))
        return output

    def _expert(self, expert: int, tokens: torch.Tensor) -> torch.Tensor:
        gate, up = self.gate_up_proj[expert](tokens).chunk(2, dim=-1)
        result: torch.Tensor = self.down_proj[expert](self.activation(gate) * up)
        return result


def mixture_of(model: nn.Module) -> Mixture | None:
    """The experts of a model whose layers are linear; None: it has none."""
    layers = [module for module in model.modules() if isinstance(module, SplitExperts)]
    if not layers:
        return None
    config: Any = model.config
    return Mixture(len(layers), len(layers[0].down_proj), config.get_text_config().num_experts_per_tok)


def linearise(model: nn.Module) -> list[Site]:
    """Replace what is a linear layer under another name, in place, and list all of them in the order of the model.

    Raises
    ------
    InputError
        For experts that lie in memory in a way not known here.
    """
    for parent_name, parent in list(model.named_modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Conv1D):
                setattr(parent, name, _linear(child.weight.T, child.bias))
            elif type(child).__name__.endswith("Experts") and not isinstance(child, SplitExperts):
                setattr(parent, name, _split(child, f"{parent_name}.{name}"))
    sites = []
    for name, layer in model.named_modules():
        router = type(layer).__name__.endswith("Router") and getattr(layer, "weight", None) is not None
        if isinstance(layer, nn.Linear) or router:
            kind = "router" if router else module_of(re.sub(r"\.\d+$", "", name))
            sites.append(Site(name, kind, layer, expert=bool(re.search(r"experts\.", name))))
    return sites


def _split(experts: nn.Module, name: str) -> nn.Module:
    if any(isinstance(inner, nn.Linear) for inner in experts.modules()):
        return experts
    gate_up, down = getattr(experts, "gate_up_proj", None), getattr(experts, "down_proj", None)
    known = (
        isinstance(gate_up, nn.Parameter)
        and isinstance(down, nn.Parameter)
        and gate_up.shape == (len(down), 2 * down.shape[2], down.shape[1])
        and len(list(experts.parameters())) == 2
        and hasattr(experts, "act_fn")
        and not getattr(experts, "is_transposed", False)
    )
    if not known:
        raise InputError(
            f"{type(experts).__name__}: an unknown layout of experts",
            field=name,
            facts={"allowed": "gate_up_proj [E, 2I, H] and down_proj [E, H, I] without bias, or Linear layers"},
        )
    return SplitExperts(experts)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    n, k = weight.shape
    layer = nn.Linear(k, n, bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.detach(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return layer
