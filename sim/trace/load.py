"""A local model, a Hugging Face folder or a GGUF file, as a torch model: shapes alone, or with its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import nn
from transformers.utils import logging

from sim.errors import InputError, Place
from sim.formats.weight import WeightFormat
from sim.trace.checkpoint import Checkpoint
from sim.trace.classes import blamed_on, class_of, refuse_unmodelled
from sim.trace.folder import ModelFolder
from sim.trace.identity import of_files
from sim.trace.linears import FP16_KINDS, Site, linearise
from sim.trace.quantised import Packed
from sim.workload.gemm import FP16, INT4

# Its notes on generation settings say nothing to someone who runs a GeMM trace.
logging.set_verbosity_error()  # type: ignore[no-untyped-call]
logging.disable_progress_bar()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Loaded:
    """A model ready to run.

    Attributes
    ----------
    sites
        Its weight GeMMs.
    folder
        Its files: a folder, a config.json or a GGUF file; None: a module made in Python.
    revision
        SHA-256 of config.json and, where weights were read, of every byte of their files.
    method
        How the checkpoint's weights were quantised; None: they were not.
    checkpoint
        Formats of weights that the checkpoint tells, by the name of their layer.
    packed
        Integer weights that the checkpoint holds, by the name of their layer; the model holds them dequantised.
    decodes
        Whether a token sees only those before it, so that there is a next one to decode; not so in encoders.
    before
        How the weights were quantised in the checkpoint, where its integers are to be made anew.
    wanted
        The format that was asked for in place of the checkpoint's; None: none was.
    """

    name: str
    model: nn.Module
    sites: list[Site]
    folder: Path | None = None
    revision: str = ""
    method: str | None = None
    checkpoint: dict[str, WeightFormat] = field(default_factory=dict)
    packed: dict[str, Packed] = field(default_factory=dict)
    decodes: bool = True
    before: str | None = None
    wanted: WeightFormat | None = None

    @cached_property
    def formats(self) -> dict[str, WeightFormat]:
        """Of the weights of every site: FP16 of head and routers, else as the checkpoint has them, else INT4."""
        return {
            site.name: FP16 if site.kind in FP16_KINDS else self.checkpoint.get(site.name, INT4) for site in self.sites
        }

    @property
    def orders(self) -> dict[str, torch.Tensor]:
        """By layer, the order in which its inputs lie in groups, where that is not the order in which they come."""
        ordered = {name: weights.order for name, weights in self.packed.items() if weights.order is not None}
        return {name: torch.from_numpy(order) for name, order in ordered.items()}

    @property
    def experts_used(self) -> float:
        """Share of its experts that a token is sent to; 1 without experts."""
        config = getattr(self.model, "config", None)
        experts = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None)
        return getattr(config, "num_experts_per_tok", experts) / experts if experts else 1.0


def to_device(loaded: Loaded) -> Loaded:
    """Move the model to a GPU where there is one."""
    if torch.cuda.is_available():
        loaded.model.to("cuda")
    return loaded


def checkpoint_of(path: Path) -> Checkpoint:
    """The files of a model.

    Raises
    ------
    InputError
        For what is no model, or one whose config or quantisation is not known.
    """
    if path.suffix == ".gguf":
        from sim.trace.gguf_model import GgufModel

        return GgufModel(path)
    return ModelFolder(path)


def load_shapes(path: Path) -> Loaded:
    """The model on torch's meta device: shapes without weights."""
    files = checkpoint_of(path)
    chosen = class_of(files.config, path)
    with blamed_on(files.config_file), torch.device("meta"):
        model = chosen.maker(files.config, **chosen.arguments).eval()
    refuse_unmodelled(model, path)
    sites = linearise(model)
    revision, formats = of_files([files.config_file]), files.formats(sites)
    return Loaded(files.name, model, sites, path, revision, files.method, formats, decodes=chosen.decodes)


def load_weights(path: Path) -> Loaded:
    """The model with its weights, in binary32; integer weights dequantised.

    Raises
    ------
    InputError
        For weights that are missing, pickled, damaged or packed in an unknown layout.
    """
    files = checkpoint_of(path)
    revision = of_files({files.config_file, *files.weight_files()})
    state, packed = files.weights()
    chosen = class_of(files.config, path)
    model, report = chosen.maker.from_pretrained(
        None,
        config=files.config,
        **chosen.arguments,
        state_dict=state,
        dtype=torch.float32,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    missing = sorted(report["missing_keys"])
    if missing:
        raise InputError(
            f"weights missing: {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}",
            place=Place(str(path)),
            facts={"missing": len(missing)},
        )
    if report["mismatched_keys"]:
        key, found, expected = sorted(report["mismatched_keys"])[0]
        facts = {"expected": tuple(expected), "found": tuple(found)}
        raise InputError(
            "weights of another shape than the config says", place=Place(str(path)), field=key, facts=facts
        )
    refuse_unmodelled(model, path)
    sites = linearise(model.eval())
    unplaced = packed.keys() - {site.name for site in sites if site.kind not in FP16_KINDS}
    if unplaced:
        problem = "packed weights of no linear layer, or of a head or router, which stay FP16"
        raise InputError(problem, place=Place(str(path)), field=min(unplaced))
    held = {site.name: packed[site.name].format if site.name in packed else FP16 for site in sites}
    formats = held if packed else {}
    return Loaded(files.name, model, sites, path, revision, files.method, formats, packed, chosen.decodes)
