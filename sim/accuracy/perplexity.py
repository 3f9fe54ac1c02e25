"""Perplexity of a causal language model whose activations a format converts on their way into every weight GeMM.

Attention stays as the model computes it, in binary32, or is that of a machine (sim/accuracy/attention.py).

windows of `context` tokens start every `stride` tokens; each scores the tokens that no window before it has scored,
but for its first, which it has nothing to predict from
perplexity = exp(mean negative log-likelihood a token)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sim.accuracy.attention import attention_as
from sim.accuracy.attention_format import AttentionFormat
from sim.accuracy.convert import Rounding, to_block_float, to_fp16
from sim.accuracy.grouped import grouped_linear
from sim.accuracy.likelihood import log_likelihoods
from sim.accuracy.parts import LayerPart, Linear, Parts, by_part, linear_of, parts_of
from sim.errors import InputError
from sim.formats.contract import Conversion
from sim.formats.integer import IntegerTensor
from sim.trace.identity import of_code
from sim.trace.linears import Site
from sim.trace.load import Loaded
from sim.trace.weights import Quantised, integer_sites
from sim.workload.precision_rules import Precision, PrecisionPlan, PrecisionRule

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
        What the sum of a group of converted activations times integer weights is rounded to before its scale.
    weight_bits
        Planes of the weights of [qkv, o, up, down] that are read; None: all.
    rules
        Where other lengths and planes hold.
    attention
        How attention is computed; None: as the model does.
    """

    lengths: Precision | None
    rounding: Rounding = "truncate"
    group_size: int = 64
    conversion: Conversion = "fp32"
    weight_bits: Precision | None = None
    rules: tuple[PrecisionRule, ...] = ()
    attention: AttentionFormat | None = None

    @property
    def plan(self) -> PrecisionPlan:
        """Lengths and planes, by layer and position."""
        return PrecisionPlan(self.lengths, self.weight_bits, self.rules)


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
    context
        Tokens of a window.
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
        self._tensors = weights.tensors if weights else {}
        self.context = self._positions = context
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
            For Inf or NaN in activations, with the layer; for a precision that the model or its weights do not have,
            or an attention that has no contract.
        """
        parts = parts_of(format.plan, self.sites, self.context)
        replaced = self._replace(format, parts)
        handles = self._convert(format, parts)
        try:
            with attention_as(self.model, format.attention):
                return np.concatenate([one for batch in self._batches() for one in self._log_likelihoods(batch)])
        finally:
            for handle in handles:
                handle.remove()
            for layer in replaced:
                del layer.forward

    def perplexity(self, format: Format) -> float:
        """Perplexity under a format; raises like `scores`."""
        return perplexity(self.scores(format))

    def _convert(self, format: Format, parts: dict[str, Parts]) -> list[torch.utils.hooks.RemovableHandle]:
        latest: dict[tuple[object, ...], tuple[torch.Tensor, torch.Tensor]] = {}

        def converter(site: Site) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], tuple[torch.Tensor, ...]]:
            own = parts[site.name]
            kind = tuple((part.positions, part.length) for part in own)
            order = self._orders.get(site.name)

            def converted(values: torch.Tensor) -> torch.Tensor:
                functions = [partial(_converted, length=part.length, format=format, name=site.name) for part in own]
                return by_part(own, self._positions, functions, values)

            def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
                # Layers that share an input (q, k, v; gate, up) follow one another: it is converted once.
                if order is not None:
                    return (converted(inputs[0][..., order])[..., order.argsort()], *inputs[1:])
                source, known = latest.get(kind, (None, None))
                if source is not inputs[0] or known is None:
                    known = converted(inputs[0])
                    latest[kind] = inputs[0], known
                return (known, *inputs[1:])

            return hook

        return [site.layer.register_forward_pre_hook(converter(site)) for site in self.sites]

    def _replace(self, format: Format, parts: dict[str, Parts]) -> list[nn.Module]:
        """Have the layers computed group by group, or with some of the planes, where that changes anything."""
        replaced: list[nn.Module] = []
        for site in self.sites:
            own = parts[site.name]
            if all(part.bits is None and not _by_groups(format, part) for part in own):
                continue
            functions = [self._linear(site, format, part) for part in own]
            site.layer.forward = partial(self._by_part, own, functions)
            replaced.append(site.layer)
        return replaced

    def _by_part(self, parts: Parts, functions: list[Linear], values: torch.Tensor) -> torch.Tensor:
        return by_part(parts, self._positions, functions, values)

    def _linear(self, site: Site, format: Format, part: LayerPart) -> Linear:
        """A layer's function in a part, on converted activations as they come."""
        weights, order = self._tensors.get(site.name), self._orders.get(site.name)
        if not isinstance(weights, IntegerTensor):
            problem = "conversion to FP16 and planes of weights need integer weights"
            raise InputError(problem, field="--weights", facts={"allowed": "int4, or a format of integers"})
        if part.bits is not None:
            weights = weights.planes(part.bits)
        if not _by_groups(format, part):
            return linear_of(site.layer, weights, order)
        forward = grouped_linear(site.layer, weights, format.group_size)
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
        self._positions = batch[0].end - batch[0].begin
        identifiers = torch.stack([self._tokens[window.begin : window.end] for window in batch]).to(self._device)
        firsts = [window.scored - window.begin for window in batch]
        rows = log_likelihoods(self.model, identifiers, min(firsts)).numpy()
        return [row[first - min(firsts) :] for row, first in zip(rows, firsts, strict=True)]


def perplexity(scores: Scores) -> float:
    """exp(mean negative log-likelihood a token)."""
    return math.exp(-scores.mean())


def _by_groups(format: Format, part: LayerPart) -> bool:
    """Whether sums are rounded group by group."""
    return format.conversion != "fp32" and part.length is not None


def _converted(values: torch.Tensor, length: int | None, format: Format, name: str) -> torch.Tensor:
    halves = to_fp16(values)
    if not bool(torch.isfinite(halves).all()):
        index = torch.nonzero(~torch.isfinite(halves))[0].tolist()
        raise InputError(f"{halves[tuple(index)]} at index {index}", field=f"activations of {name}")
    return halves if length is None else to_block_float(halves, length, format.group_size, format.rounding)
