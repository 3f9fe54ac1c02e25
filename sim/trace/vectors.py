"""Hooks on what a model does between its GeMMs: norms, activation functions, experts' sums, and attention.

norms        modules called ...Norm: with a residual add and through memory, but on a GeMM's outputs (q_norm, kv_norm)
activation   modules of transformers' and torch's functions; gated where the MLP around them has a gate
experts      sums of the outputs of a token's experts
attention    what transformers' interface is asked for: heads, sizes, window, direction; rotated by the rotary module
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface

from sim.trace.linears import SplitExperts
from sim.workload import vector
from sim.workload.gemm import VectorWork
from sim.workload.manifest import TracedAttention

FUNCTIONS = {
    "ReLU": "relu",
    "SiLU": "silu",
    "SiLUActivation": "silu",
    "GELU": "gelu",
    "GELUActivation": "gelu",
    "NewGELUActivation": "gelu",
    "FastGELUActivation": "gelu",
    "GELUTanh": "gelu",
    "PytorchGELUTanh": "gelu",
    "BloomGelu": "gelu",
}
"""Activation functions by the class of their module."""
NORM = r"Norm(alization)?$"
ON_OUTPUTS = r"(^|[._])(q|k|q_a|kv|kv_a)_?(layer_?)?norm$"
"""Norms of a projection's outputs, by their name: no residual is added, and the values are at hand."""
UNSEEN_ATTENTION = ("s_aux", "attention_chunk_size")
"""What an attention may be asked for that is not modelled."""


def hook_vectors(
    model: nn.Module, rows_of: Callable[[str, int], int], on_work: Callable[[str, VectorWork, int], None]
) -> list[Any]:
    """Hooks that tell the vector work of each pass.

    Parameters
    ----------
    rows_of
        From a module's name and the rows of its input to those of them that are real tokens.
    on_work
        Takes a module's name, its work, and how many values it takes.

    Returns
    -------
    Handles to remove the hooks by.
    """

    def hook(name: str, work: Callable[[int, int], VectorWork]) -> Callable[..., None]:
        def seen(_: nn.Module, inputs: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> None:
            values = inputs[0] if inputs else next(iter(named.values()))
            width = values.shape[-1]
            rows = rows_of(name, values.numel() // width)
            on_work(name, work(rows, width), rows * width)

        return seen

    works = {name: work for name, module in model.named_modules() if (work := _work_of(model, name, module))}
    return [
        model.get_submodule(name).register_forward_pre_hook(hook(name, work), with_kwargs=True)
        for name, work in works.items()
    ]


def _work_of(model: nn.Module, name: str, module: nn.Module) -> Callable[[int, int], VectorWork] | None:
    """From rows and width to the work that a module is; None: none for the vector unit."""
    kind = type(module).__name__
    if re.search(NORM, kind):
        norm = "layer" if "LayerNorm" in kind and "RMS" not in kind and kind != "T5LayerNorm" else "rms"
        add = not re.search(ON_OUTPUTS, name)
        return lambda rows, width: vector.norm(name, norm, rows, width, 1, residual=add)
    if kind in FUNCTIONS:
        gated = _gated(model.get_submodule(name.rpartition(".")[0]))
        return lambda rows, width: vector.activation(name, FUNCTIONS[kind], gated, rows, width, 1)
    if isinstance(module, SplitExperts):
        experts = model.config.get_text_config().num_experts_per_tok  # type: ignore[union-attr, operator]
        return lambda rows, width: vector.combine(rows, width, experts, 1)
    return None


def _gated(around: nn.Module) -> bool:
    names = {name for name, _ in around.named_children()}
    return any("gate" in name for name in names) or {"w1", "w3"} <= names


@contextmanager
def attention_told(
    model: nn.Module, tell: Callable[[TracedAttention], None], doubt: Callable[[str], None]
) -> Iterator[None]:
    """Tell every attention of `model` that transformers' interface computes while this is entered.

    Parameters
    ----------
    doubt
        Takes what an attention was asked for that is not modelled.
    """
    names = {module: name for name, module in model.named_modules()}
    given = AttentionInterface.get_interface

    def get_interface(self: Any, implementation: str, default: Callable[..., Any]) -> Any:
        compute = given(self, implementation, default)

        def told(module: nn.Module, query: Any, key: Any, value: Any, *others: Any, **asked: Any) -> Any:
            if module in names:
                for what in UNSEEN_ATTENTION:
                    if asked.get(what) is not None:
                        doubt(f"attention with {what}")
                attention = _attention(model, names[module], module, query, key, value, asked)
                if attention.window and not attention.causal:
                    doubt("attention with windows that look both ways")
                tell(attention)
            return compute(module, query, key, value, *others, **asked)

        return told

    AttentionInterface.get_interface = get_interface  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        AttentionInterface.get_interface = given  # type: ignore[method-assign]


def _attention(
    model: nn.Module, name: str, module: nn.Module, query: Any, key: Any, value: Any, asked: dict[str, Any]
) -> TracedAttention:
    heads, keys, size = query.shape[1], key.shape[1], query.shape[-1]
    causal = asked.get("is_causal")
    window = asked.get("sliding_window") or getattr(module, "sliding_window", None)
    return TracedAttention(
        name=name,
        heads=heads,
        key_value_heads=keys,
        head_size=size,
        value_size=value.shape[-1],
        causal=bool(getattr(module, "is_causal", True) if causal is None else causal),
        window=window,
        capped=asked.get("softcap") is not None,
        rotated_values=_rotated(model, module, heads, keys, size),
    )


def _rotated(model: Any, module: Any, heads: int, keys: int, size: int) -> int:
    """Values of a token's queries and keys that the model's rotary module rotates."""
    rotary = next((one for one in model.modules() if type(one).__name__.endswith("RotaryEmbedding")), None)
    if rotary is None or not getattr(module, "use_rope", True):
        return 0
    frequencies = next((value for name, value in rotary.named_buffers() if name.endswith("inv_freq")), None)
    rotated = size if frequencies is None else min(size, 2 * frequencies.shape[-1])
    latent = getattr(model.config.get_text_config(), "kv_lora_rank", None)  # one rotated key for all heads
    return int((heads + (1 if latent else keys)) * rotated)
