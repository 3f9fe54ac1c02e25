"""Runs a causal language model over prompts: one prefill, then greedy decode steps, telling a recorder each pass."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from sim.trace.record import GemmRecorder


@torch.inference_mode()
def generate(model: nn.Module, prompts: list[list[int]], steps: int, recorder: GemmRecorder) -> list[list[int]]:
    """Run `prompts` of any lengths as one batch, padded on the left, and decode `steps` tokens after each.

    Returns
    -------
    Each prompt with the tokens decoded after it; on the meta device the prompts alone.
    """
    device = next(model.parameters()).device
    longest = max(map(len, prompts))
    identifiers = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts], device=device)
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    real = torch.arange(longest) >= longest - lengths[:, None]
    mask = None if bool(real.all()) else real.to(device)
    recorder.begin("prefill", 0, mask)
    output = model(**_inputs(model, identifiers, mask, None))
    sequences = [list(prompt) for prompt in prompts]
    for step in range(steps):
        chosen = output.logits[:, -1:].argmax(dim=-1)
        if not chosen.is_meta:
            for sequence, token in zip(sequences, chosen.flatten().tolist(), strict=True):
                sequence.append(token)
        recorder.begin("decode", step)
        if mask is not None:
            mask = torch.cat([mask, torch.ones_like(chosen, dtype=torch.bool)], dim=1)
        output = model(**_inputs(model, chosen, mask, output.past_key_values))
    return sequences


def _inputs(model: nn.Module, identifiers: torch.Tensor, mask: torch.Tensor | None, past: Any) -> dict[str, Any]:
    """The arguments of `forward`, those that this model takes; only the last position's logits are asked for."""
    wanted: dict[str, Any] = {"input_ids": identifiers, "use_cache": True, "logits_to_keep": 1}
    if past is not None:
        wanted["past_key_values"] = past
    if mask is not None:
        positions = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
        wanted |= {"attention_mask": mask.long(), "position_ids": positions[:, -identifiers.shape[1] :]}
    taken = inspect.signature(model.forward).parameters
    return {name: value for name, value in wanted.items() if name in taken}
