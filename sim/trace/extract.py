"""From a model's folder to a trace: shapes on the meta device, or a run with INT4 weights and recorded operands."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sim.errors import InputError, Place
from sim.formats.int4 import Scheme
from sim.trace.classes import blamed_on
from sim.trace.generate import generate
from sim.trace.linears import Site, linearise
from sim.trace.load import Loaded, load_shapes, load_weights
from sim.trace.record import GemmRecorder
from sim.trace.text import prompts_of
from sim.trace.weights import Quantised, integer_sites, quantise
from sim.trace.writer import Recording, TraceWriter
from sim.workload.gemm import GemmModule
from sim.workload.manifest import Manifest, TracedModel, TracedTokens


@dataclass(frozen=True)
class TraceOptions:
    """What to run and what to keep.

    Attributes
    ----------
    tokens, batch, steps
        Prompt length, sequences, tokens decoded after the prompt.
    text
        Where the prompts come from; None: shapes alone, on the meta device.
    scheme
        Of the INT4 weights, where the checkpoint has none.
    layers, modules
        What to keep; empty: everything.
    """

    tokens: int = 2048
    batch: int = 1
    steps: int = 0
    text: Path | None = None
    scheme: Scheme = "zero-point"
    layers: frozenset[int] = frozenset()
    modules: frozenset[GemmModule] = frozenset()


@dataclass(frozen=True)
class TraceSize:
    """What a trace will hold: GeMMs (experts counted as if each saw tokens) and bytes of tensors, rounded up."""

    gemms: int
    tensor_bytes: int


def keeps(options: TraceOptions, site: Site) -> bool:
    """Whether the filters let a layer through."""
    return keeps_layer(options, site.name) and (not options.modules or site.kind in options.modules)


def keeps_layer(options: TraceOptions, name: str) -> bool:
    """Whether the filter by layers lets a module of that name through."""
    numbers = [int(number) for number in re.findall(r"(?:^|\.)(\d+)(?=\.)", name)]
    return not options.layers or (bool(numbers) and numbers[0] in options.layers)


def load(folder: Path, options: TraceOptions) -> Loaded:
    """The model that the options need: with weights where values are asked for.

    Raises
    ------
    InputError
        For a folder that is no model, or a run longer than the model's positions.
    """
    loaded = load_weights(folder) if options.text else load_shapes(folder)
    if options.steps and not loaded.decodes:
        problem = f"{loaded.name} is an encoder: its tokens see one another, and none is decoded after them"
        raise InputError(problem, place=Place(str(folder)), field="--steps", facts={"allowed": "0"})
    limit = getattr(getattr(loaded.model, "config", None), "max_position_embeddings", None)
    if limit is not None and options.tokens + options.steps > limit:
        raise InputError(
            f"{options.tokens} tokens and {options.steps} steps are more positions than the model has",
            place=Place(str(folder)),
            facts={"available": limit},
        )
    return loaded


def estimate(loaded: Loaded, options: TraceOptions) -> TraceSize:
    """The size of the trace to come, from shapes alone."""
    kept = [site for site in loaded.sites if keeps(options, site)]
    gemms = len(kept) * (1 + options.steps)
    if options.text is None:
        return TraceSize(gemms, 0)
    rows = options.batch * (options.tokens + options.steps)
    with_integers = {site.name for site in integer_sites(loaded)}
    sizes = [
        site.n * site.k * 0.66 + 2 * rows * (loaded.experts_used if site.expert else 1) * site.k
        for site in kept
        if site.name in with_integers
    ]
    return TraceSize(gemms, round(sum(sizes)))


def extract(loaded: Loaded, options: TraceOptions, out: Path, on_record: Callable[[], None] = lambda: None) -> Manifest:
    """Run the model and write the trace to the new folder `out`.

    Raises
    ------
    InputError
        For text that is too short, Inf or NaN in activations, or filters that leave nothing.
    """
    if options.text is None:
        prompts, weights = [[0] * options.tokens] * options.batch, None
    else:
        prompts = prompts_of(loaded.folder, options.text, options.tokens, options.batch)
        weights = quantise(loaded, options.scheme)
    return record(loaded, options, prompts, out, weights, on_record)


def record(
    loaded: Loaded,
    options: TraceOptions,
    prompts: list[list[int]],
    out: Path,
    weights: Quantised | None = None,
    on_record: Callable[[], None] = lambda: None,
) -> Manifest:
    """Run prompts of any lengths as one batch, and record what the filters let through; raises like `extract`."""
    with TraceWriter(out) as writer:
        return record_into(writer, loaded, options, prompts, weights, on_record)


def record_into(
    writer: Recording,
    loaded: Loaded,
    options: TraceOptions,
    prompts: list[list[int]],
    weights: Quantised | None = None,
    on_record: Callable[[], None] = lambda: None,
) -> Manifest:
    """As `record`, into a recording that is open."""
    sites = [site for site in loaded.sites if keeps(options, site)]
    with GemmRecorder(
        loaded.model,
        sites,
        writer,
        loaded.formats,
        weights.tensors if weights else None,
        loaded.orders,
        on_record,
        lambda name: keeps_layer(options, name) and not options.modules,
    ) as recorder:
        with nullcontext() if weights or loaded.folder is None else blamed_on(loaded.folder):
            sequences = generate(loaded.model, prompts, options.steps, recorder)
        tokens = TracedTokens(
            prompts=[len(prompt) for prompt in prompts],
            steps=options.steps,
            identifiers=sequences if weights else None,
        )
        unseen = "all but some modules" if options.modules else recorder.unseen()
        return writer.finish(_model(loaded), tokens, _method(loaded, weights), _versions(), unseen)


def record_module(module: nn.Module, arguments: dict[str, Any], out: Path, scheme: Scheme | None = None) -> Manifest:
    """Record one call `module(**arguments)` of any torch module.

    Parameters
    ----------
    scheme
        Of the INT4 weights to give its layers and to record with the activations; None: shapes alone.
    """
    with TraceWriter(out) as writer:
        return record_module_into(writer, module, arguments, scheme)


def record_module_into(
    writer: Recording, module: nn.Module, arguments: dict[str, Any], scheme: Scheme | None = None
) -> Manifest:
    """As `record_module`, into a recording that is open."""
    loaded = Loaded(type(module).__name__, module, linearise(module))
    weights = quantise(loaded, scheme) if scheme else None
    tensors = weights.tensors if weights else None
    with GemmRecorder(module, loaded.sites, writer, loaded.formats, tensors), torch.inference_mode():
        module(**arguments)
    tokens = TracedTokens(prompts=[1], steps=0, identifiers=None)
    unseen = "the tokens of a single module"
    return writer.finish(_model(loaded), tokens, _method(loaded, weights), _versions(), unseen)


def _model(loaded: Loaded) -> TracedModel:
    return TracedModel(
        name=loaded.name,
        architecture=type(loaded.model).__name__,
        revision=loaded.revision,
        parameters=sum(parameter.numel() for parameter in loaded.model.parameters()),
    )


def _method(loaded: Loaded, weights: Quantised | None) -> str | None:
    return weights.method if weights else loaded.method


def _versions() -> dict[str, str]:
    packages = ("torch", "transformers", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
