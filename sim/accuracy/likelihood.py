"""Log-likelihoods of the tokens of a batch, in memory that neither the vocabulary nor the window makes grow.

body   once, over all positions
head   on a stretch of positions at a time, so that LOGITS logits lie in memory at most
log p(token) = logit[token] - log sum exp(logit), in binary64: a sum over 256,000 words in binary32 loses 4e-4 nats
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

LOGITS = 1 << 24


def log_likelihoods(model: Any, identifiers: torch.Tensor, first: int = 1) -> torch.Tensor:
    """Log-likelihoods, in nats, of the tokens of sequences given those before them.

    Parameters
    ----------
    identifiers : (batch, positions)
    first
        The first position whose token is scored; 1 at least, for a sequence's first token follows nothing.

    Returns
    -------
    float64, (batch, positions - first), on the CPU.
    """
    batch, positions = identifiers.shape
    stretch = max(1, LOGITS // (batch * model.config.get_text_config().vocab_size))
    with _logits(model, identifiers) as logits:
        parts = []
        for targets in torch.split(torch.arange(first, positions, device=identifiers.device), stretch):
            parts.append(_scores(logits(targets - 1), identifiers[:, targets]).cpu())
    return torch.cat(parts, dim=1)


def _scores(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    exact = logits.double()
    return exact.gather(-1, targets[..., None])[..., 0] - exact.logsumexp(-1)


@contextmanager
def _logits(model: Any, identifiers: torch.Tensor) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
    """A function from positions to their logits (batch, positions, vocabulary); the model's body runs once."""
    arguments: dict[str, Any] = {"input_ids": identifiers}
    taken = inspect.signature(model.forward).parameters
    if "use_cache" in taken:
        arguments["use_cache"] = False
    body = model.get_decoder() if hasattr(model, "get_decoder") else model
    if "logits_to_keep" not in taken or body is model:
        whole = model(**arguments).logits
        yield lambda positions: whole[:, positions]
        return
    forward = body.forward
    known: list[Any] = []

    def once(*values: Any, **named: Any) -> Any:
        if not known:
            known.append(forward(*values, **named))
        return known[0]

    body.forward = once
    try:
        yield lambda positions: model(**arguments, logits_to_keep=positions).logits
    finally:
        del body.forward
