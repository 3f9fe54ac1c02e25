"""A model's attention computed as a machine does it: keys and values as its cache keeps them, its own softmax.

What transformers' attention interface is asked for is computed by sim/functional/attention.py instead, in pages of the
cache: queries with the softmax's factor, keys and values rounded to FP16, after rotation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import AttentionInterface

from sim.accuracy.attention_format import PAGE_TOKENS, AttentionFormat
from sim.errors import InputError
from sim.formats.softmax import query_factor
from sim.functional.attention import CachedHead
from sim.functional.product import Half

NOT_COMPUTED = {
    "softcap": "softly capped scores",
    "s_aux": "attention sinks",
    "attention_chunk_size": "attention in chunks",
}
"""What an attention may be asked for that its contract does not have, by transformers' name."""


@contextmanager
def attention_as(model: nn.Module, format: AttentionFormat | None) -> Iterator[None]:
    """Have every attention of `model` computed so while this is entered; None: as the model does.

    Raises
    ------
    InputError
        For a model whose attention does not go through transformers' interface, or does more than the contract has;
        for Inf or NaN, with the layer.
    """
    if format is None:
        yield
        return
    names = {module: name for name, module in model.named_modules()}
    given, seen = AttentionInterface.get_interface, set[str]()

    def get_interface(self: Any, implementation: str, default: Callable[..., Any]) -> Any:
        usual = given(self, implementation, default)

        def computed(module: nn.Module, *operands: Any, **asked: Any) -> Any:
            if module not in names:
                return usual(module, *operands, **asked)
            seen.add(names[module])
            try:
                return _attention(format, module, *operands, **asked), None
            except InputError as error:
                where = f"{names[module]}: {error.field}" if error.field else names[module]
                raise InputError(error.problem, field=where, facts=error.facts) from None

        return computed

    AttentionInterface.get_interface = get_interface  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        AttentionInterface.get_interface = given  # type: ignore[method-assign]
    if not seen:
        problem = f"{type(model).__name__} computes its attention itself, not by transformers' interface"
        raise InputError(problem, field="--kv", facts={"mend": "leave it out: attention is then the model's own"})


def _attention(
    format: AttentionFormat,
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None = None,
    scaling: float | None = None,
    **asked: Any,
) -> torch.Tensor:
    """Outputs (batch, tokens, heads, value size) of (batch, heads, tokens, size) each."""
    for name, what in NOT_COMPUTED.items():
        if asked.get(name) is not None:
            raise InputError(f"{what} (`{name}`) have no contract", facts={"mend": "leave out --kv"})
    batch, heads, tokens, size = query.shape
    kept, group = key.shape[1], heads // key.shape[1]
    if key.shape[2] != tokens:
        raise InputError(f"{key.shape[2]} keys of {tokens} tokens", facts={"allowed": "a text at once"})
    factor = float(query_factor(size**-0.5 if scaling is None else scaling))
    queries, keys, values = _halves(query * factor), _halves(key), _halves(value)
    outputs = np.empty((batch, heads, tokens, value.shape[-1]), np.float16)
    for b in range(batch):
        visible = _visible(attention_mask, b, tokens)
        for head in range(kept):
            own = slice(head * group, (head + 1) * group)
            cached = CachedHead.quantise(keys[b, head], values[b, head], format.cache_bits)
            outputs[b, own] = format.arithmetic.attend_by_pages(queries[b, own], cached, visible, PAGE_TOKENS)
    return torch.from_numpy(outputs).to(query.device, query.dtype).transpose(1, 2)


def _halves(tensor: torch.Tensor) -> Half:
    return tensor.to(torch.float16).cpu().numpy()


def _visible(mask: torch.Tensor | None, sequence: int, tokens: int) -> NDArray[np.bool_]:
    """Which keys a query sees; without a mask those up to itself."""
    if mask is None:
        return np.tri(tokens, dtype=np.bool_)
    own = mask[sequence if len(mask) > 1 else 0]
    if own.dtype == torch.bool and len(own) == 1:
        return own[0].cpu().numpy()
    lowest = torch.finfo(own.dtype).min if own.is_floating_point() else None
    if len(own) == 1 and lowest is not None and bool(((own == 0) | (own <= lowest)).all()):
        return (own[0] == 0).cpu().numpy()
    raise InputError("scores with a bias of their position have no contract", facts={"mend": "leave out --kv"})
