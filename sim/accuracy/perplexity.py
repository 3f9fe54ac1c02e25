"""Perplexity of a causal language model whose activations a format converts on their way into every weight GeMM.

windows of `context` tokens start every `stride` tokens; each scores the tokens that no window before it has scored,
but for its first, which it has nothing to predict from
perplexity = exp(mean negative log-likelihood a token)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sim.accuracy.convert import Rounding, to_block_float, to_fp16
from sim.accuracy.grouped import grouped_linear
from sim.accuracy.likelihood import log_likelihoods
from sim.errors import InputError
from sim.formats.contract import Conversion
from sim.trace.identity import of_code
from sim.trace.linears import Site
from sim.trace.load import Loaded
from sim.trace.weights import Quantised, integer_sites
from sim.workload.precision import Precision, mantissa_bits

TOKENS_AT_ONCE = 4096
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Format:
    """How activations are converted.

    Attributes
    ----------
    lengths
        Mantissa bits of [qkv, o, up, down]; None: FP16. Layers of no such module stay FP16.
    rounding
        `truncate` for Anda, iFPU and FIGNA (13 bits in every module), `nearest` for plain block floating point.
    conversion
        What the sum of a group of converted activations times INT4 weights is rounded to before its scale.
    """

    lengths: Precision | None
    rounding: Rounding = "truncate"
    group_size: int = 64
    conversion: Conversion = "fp32"


FP16 = Format(None)


@dataclass(frozen=True)
class Window:
    """Tokens [begin, end) of a text, of which those from `scored` on count."""

    begin: int
    scored: int
    end: int


def windows(tokens: int, context: int, stride: int) -> Iterator[Window]:
    """The windows over `tokens` tokens that score any."""
    end = 0
    for begin in range(0, tokens - 1, stride):
        scored, end = max(begin + 1, end), min(begin + context, tokens)
        yield Window(begin, scored, end)
        if end == tokens:
            return


class Evaluator:
    """A model and a text, ready to be measured under one format after another.

    Parameters
    ----------
    loaded
        With the weights to measure, quantised or not.
    tokens
        Of the text.
    method
        How the weights were made, for the fingerprint.
    weights
        The INT4 weights that the model computes with, for formats with a conversion to FP16.

    Attributes
    ----------
    formats
        Of the weights, by the name of their layer: what they are, or would be quantised to.
    fingerprint
        What decides the scores, each thing by a hash of its content.

    Raises
    ------
    InputError
        For an encoder, a context that the model does not have, a stride that leaves tokens out, or a text of one token.
    """

    def __init__(
        self,
        loaded: Loaded,
        tokens: list[int],
        context: int,
        stride: int,
        method: str,
        weights: Quantised | None = None,
    ) -> None:
        if not loaded.decodes:
            raise InputError(
                f"{loaded.name} is an encoder: its tokens see those after them, so there is no next one to predict",
                facts={"allowed": "causal language models"},
            )
        limit = getattr(getattr(loaded.model, "config", None), "max_position_embeddings", context)
        if not 1 < context <= limit:
            raise InputError(f"found {context}", field="--context", facts={"allowed": f"2 to {limit}"})
        if not 1 <= stride <= context:
            raise InputError(f"found {stride}", field="--stride", facts={"allowed": f"1 to the context, {context}"})
        if len(tokens) < 2:
            raise InputError("a text of fewer than two tokens cannot be scored", field="--text")
        self.name, self.model, self.sites = loaded.name, loaded.model, integer_sites(loaded)
        self.formats = loaded.formats
        self.experts_used, self._orders = loaded.experts_used, loaded.orders
        self._integers = weights.tensors if weights else {}
        self._tokens = torch.tensor(tokens)
        self._device = next(loaded.model.parameters()).device
        self._windows = list(windows(len(tokens), context, stride))
        self.fingerprint = {
            "model": loaded.revision,
            "quantisation of the weights": method,
            "text or tokeniser": hashlib.sha256(self._tokens.numpy().tobytes()).hexdigest(),
            "context or stride": f"{context}, {stride}",
            "version of the code": of_code(),
            "device": self._device.type,
        }

    @torch.inference_mode()
    def scores(self, format: Format) -> Scores:
        """Log-likelihoods, in nats, of the tokens that are scored, in the order of the text, under a format.

        Raises
        ------
        InputError
            For Inf or NaN in activations, with the layer.
        """
        handles, replaced = self._convert(format), self._replace(format)
        try:
            return np.concatenate([one for batch in self._batches() for one in self._log_likelihoods(batch)])
        finally:
            for handle in handles:
                handle.remove()
            for layer in replaced:
                del layer.forward

    def perplexity(self, format: Format) -> float:
        """Perplexity under a format; raises like `scores`."""
        return perplexity(self.scores(format))

    def _convert(self, format: Format) -> list[torch.utils.hooks.RemovableHandle]:
        latest: dict[int | None, tuple[torch.Tensor, torch.Tensor]] = {}

        def converter(site: Site) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], tuple[torch.Tensor, ...]]:
            length = mantissa_bits(format.lengths, site.kind)
            order = self._orders.get(site.name)

            def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
                # Layers that share an input (q, k, v; gate, up) follow one another: it is converted once.
                if order is not None:
                    ordered = _converted(inputs[0][..., order], length, format, site.name)
                    return (ordered[..., order.argsort()], *inputs[1:])
                source, converted = latest.get(length, (None, None))
                if source is not inputs[0] or converted is None:
                    converted = _converted(inputs[0], length, format, site.name)
                    latest[length] = inputs[0], converted
                return (converted, *inputs[1:])

            return hook

        return [site.layer.register_forward_pre_hook(converter(site)) for site in self.sites]

    def _replace(self, format: Format) -> list[nn.Module]:
        """Have the layers whose activations are converted computed group by group, where that changes anything."""
        if format.conversion == "fp32" or format.lengths is None:
            return []
        if not self._integers:
            raise InputError("conversion to FP16 needs INT4 weights", field="--weights", facts={"allowed": "int4"})
        replaced: list[nn.Module] = []
        for site in self.sites:
            if mantissa_bits(format.lengths, site.kind) is not None:
                site.layer.forward = self._grouped(site, format.group_size)
                replaced.append(site.layer)
        return replaced

    def _grouped(self, site: Site, group_size: int) -> Callable[[torch.Tensor], torch.Tensor]:
        forward, order = grouped_linear(site.layer, self._integers[site.name], group_size), self._orders.get(site.name)
        return forward if order is None else lambda values: forward(values[..., order])

    def _batches(self) -> Iterator[list[Window]]:
        """Windows of equal length together, TOKENS_AT_ONCE tokens at most."""
        batch: list[Window] = []
        for window in self._windows:
            length = window.end - window.begin
            if batch and (batch[0].end - batch[0].begin != length or (len(batch) + 1) * length > TOKENS_AT_ONCE):
                yield batch
                batch = []
            batch.append(window)
        yield batch

    def _log_likelihoods(self, batch: list[Window]) -> list[Scores]:
        identifiers = torch.stack([self._tokens[window.begin : window.end] for window in batch]).to(self._device)
        firsts = [window.scored - window.begin for window in batch]
        rows = log_likelihoods(self.model, identifiers, min(firsts)).numpy()
        return [row[first - min(firsts) :] for row, first in zip(rows, firsts, strict=True)]


def perplexity(scores: Scores) -> float:
    """exp(mean negative log-likelihood a token)."""
    return math.exp(-scores.mean())


def _converted(values: torch.Tensor, length: int | None, format: Format, name: str) -> torch.Tensor:
    halves = to_fp16(values)
    if not bool(torch.isfinite(halves).all()):
        index = torch.nonzero(~torch.isfinite(halves))[0].tolist()
        raise InputError(f"{halves[tuple(index)]} at index {index}", field=f"activations of {name}")
    if length is None:
        return halves
    return to_block_float(halves, length, format.group_size, format.rounding)
