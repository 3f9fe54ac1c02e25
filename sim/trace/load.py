"""A local Hugging Face folder as a torch model: shapes alone, or with its weights.

Safetensors only; nothing is downloaded and no code of the folder is run.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoConfig, PretrainedConfig
from transformers.utils import logging

from sim.errors import InputError, Place
from sim.reading import LARGEST_RECORD, json_of
from sim.trace.classes import blamed_on, class_of, refuse_oversized, refuse_unmodelled
from sim.trace.identity import of_files
from sim.trace.linears import FP16_KINDS, Site, linearise
from sim.trace.quantised import Packed, unpack
from sim.workload.quantisation import KEYS, MISSING, StoredWeights, refuse_beside, stored_weights

# Its notes on generation settings say nothing to someone who runs a GeMM trace.
logging.set_verbosity_error()  # type: ignore[no-untyped-call]
logging.disable_progress_bar()  # type: ignore[no-untyped-call]

_PARTS = ("qweight", "qzeros", "scales", "g_idx")
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Loaded:
    """A model ready to run.

    Attributes
    ----------
    sites
        Its weight GeMMs.
    stored
        How the checkpoint stores its weights, where these are integers.
    packed
        INT4 weights that the checkpoint holds, by the name of their layer; the model holds them dequantised.
    decodes
        Whether a token sees only those before it, so that there is a next one to decode; not so in encoders.
    revision
        SHA-256 of config.json and, where weights were read, of every byte of their files.
    """

    name: str
    model: nn.Module
    sites: list[Site]
    folder: Path | None = None
    revision: str = ""
    stored: StoredWeights | None = None
    packed: dict[str, Packed] = field(default_factory=dict)
    decodes: bool = True

    @property
    def bits(self) -> int:
        """Of the weights that are quantised."""
        return self.stored.bits if self.stored else 4

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


def read_config(folder: Path) -> PretrainedConfig:
    """The config of a model's folder, or of a config.json.

    Raises
    ------
    InputError
        Where there is none, or none that transformers knows.
    """
    _refuse_gguf(folder if folder.suffix == ".gguf" else None)
    path = _config_file(folder)
    if not path.is_file():
        raise InputError("not a model: no config.json in it", place=Place(str(folder)))
    values = json_of(path)
    if not isinstance(values, dict):
        raise InputError("not the config of a model: no section of keys", place=Place(str(path)))
    values.pop("auto_map", None)  # names code of the folder
    refuse_oversized(values, path)
    with blamed_on(path):
        return AutoConfig.for_model(**values)


def load_shapes(folder: Path) -> Loaded:
    """The model on torch's meta device: shapes without weights."""
    config = read_config(folder)
    stored = _stored(config, folder)
    chosen = class_of(config, folder)
    with blamed_on(_config_file(folder)), torch.device("meta"):
        model = chosen.maker(config, **chosen.arguments).eval()
    refuse_unmodelled(model, folder)
    revision = of_files([_config_file(folder)])
    return Loaded(_name(folder), model, linearise(model), folder, revision, stored, decodes=chosen.decodes)


def load_weights(folder: Path) -> Loaded:
    """The model with its weights, in binary32; AWQ and GPTQ weights dequantised.

    Raises
    ------
    InputError
        For weights that are missing, pickled, damaged or packed in an unknown layout.
    """
    config = read_config(folder)
    files = _weight_files(folder)
    stored = _stored(config, folder)
    state, packed = _state(files, stored)
    chosen = class_of(config, folder)
    model, report = chosen.maker.from_pretrained(
        None,
        config=config,
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
            place=Place(str(folder)),
            facts={"missing": len(missing)},
        )
    if report["mismatched_keys"]:
        key, found, expected = sorted(report["mismatched_keys"])[0]
        facts = {"expected": tuple(expected), "found": tuple(found)}
        raise InputError(
            "weights of another shape than the config says", place=Place(str(folder)), field=key, facts=facts
        )
    if stored and not packed:
        raise InputError("a quantization_config, and no packed weights", place=Place(str(folder)))
    refuse_unmodelled(model, folder)
    sites = linearise(model.eval())
    unplaced = packed.keys() - {site.name for site in sites if site.kind not in FP16_KINDS}
    if unplaced:
        problem = "packed weights of no linear layer, or of a head or router, which stay FP16"
        raise InputError(problem, place=Place(str(folder)), field=min(unplaced))
    revision = of_files([_config_file(folder), *files])
    return Loaded(_name(folder), model, sites, folder, revision, stored, packed, chosen.decodes)


def _stored(config: PretrainedConfig, folder: Path) -> StoredWeights | None:
    """Take the `quantization_config` out of a config."""
    found = [config.__dict__.pop(key, None) for key in KEYS]
    described = next((one for one in found if one is not None), None)
    if described is None:
        refuse_beside(_config_file(folder))
        return None
    try:
        return stored_weights(described)
    except InputError as error:
        raise error.at(Place(str(_config_file(folder)))) from None


def _weight_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors"))
    if files:
        index = folder / "model.safetensors.index.json"
        named = _named(index) if index.is_file() else set()
        for name in sorted(named - {file.name for file in files}):
            raise InputError("weights missing", place=Place(str(folder / name)))
        return [file for file in files if not named or file.name in named]
    pickled = [file.name for pattern in ("*.bin", "*.pt", "*.pth") for file in folder.glob(pattern)]
    if pickled:
        raise InputError(
            "pickled weights are refused: loading them can run any code",
            place=Place(str(folder / min(pickled))),
            facts={"allowed": "*.safetensors"},
        )
    _refuse_gguf(next(iter(sorted(folder.glob("*.gguf"))), None))
    raise InputError("weights missing", place=Place(str(folder)), facts={"expected": "*.safetensors"})


def _refuse_gguf(file: Path | None) -> None:
    if file is not None:
        facts = {"missing": MISSING["gguf"], "allowed": "*.safetensors beside a config.json"}
        raise InputError("weights in a GGUF file are not modelled", place=Place(str(file)), facts=facts)


def _named(index: Path) -> set[str]:
    """The files that an index of weights names."""
    values = json_of(index, LARGEST_RECORD)
    names = values.get("weight_map") if isinstance(values, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise InputError("expected a file for each tensor", place=Place(str(index)), field="weight_map")
    return set(names.values())


def _state(files: list[Path], stored: StoredWeights | None) -> tuple[dict[str, torch.Tensor], dict[str, Packed]]:
    """Tensors by name, packed layers dequantised, and the packed ones as they are."""
    state: dict[str, torch.Tensor] = {}
    parts: defaultdict[str, dict[str, np.ndarray[Any, Any]]] = defaultdict(dict)
    for file in files:
        try:
            with safe_open(file, framework="pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118 (not a mapping)
                    layer, _, part = key.rpartition(".")
                    tensor = tensors.get_tensor(key)
                    if stored and part in _PARTS:
                        parts[layer][part] = tensor.numpy()
                    elif part == "weight" and tensor.dtype not in FLOATS:
                        problem = f"weights of {str(tensor.dtype).removeprefix('torch.')} are not modelled"
                        facts = {"allowed": "binary32, FP16, BF16, or as a quantization_config says"}
                        raise InputError(problem, place=Place(str(file)), field=key, facts=facts)
                    else:
                        state[key] = tensor.float() if tensor.is_floating_point() else tensor
        except (SafetensorError, OSError) as error:
            raise InputError(f"damaged weights: {error}", place=Place(str(file))) from None
    packed = {name: unpack(stored, of_layer, name) for name, of_layer in parts.items()} if stored else {}
    state |= {f"{name}.weight": torch.from_numpy(weights.dequantise()) for name, weights in packed.items()}
    return state, packed


def _config_file(folder: Path) -> Path:
    return folder if folder.suffix == ".json" else folder / "config.json"


def _name(folder: Path) -> str:
    resolved = folder.resolve()
    if resolved.suffix == ".json":
        return resolved.parent.name if resolved.stem == "config" else resolved.stem
    return resolved.name
