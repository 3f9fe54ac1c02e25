"""A folder as Hugging Face lays it out, config.json and safetensors: nothing is downloaded, none of its code is run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, PretrainedConfig

from sim.errors import InputError, Place
from sim.formats.weight import WeightFormat
from sim.reading import LARGEST_RECORD, json_of
from sim.trace.checkpoint import Checkpoint
from sim.trace.classes import blamed_on, refuse_oversized
from sim.trace.linears import FP16_KINDS, Site
from sim.trace.quantised import PARTS, Packed, unpack
from sim.workload.gemm import FP16
from sim.workload.quantisation import KEYS, CheckpointLayout, refuse_beside, stored_weights

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


class ModelFolder(Checkpoint):
    """A folder, or a config.json alone.

    Raises
    ------
    InputError
        Where there is no config, none that transformers knows, or a quantisation that is not modelled.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.config_file = path, path if path.suffix == ".json" else path / "config.json"
        self.name = _name(path)
        self.config = _config(path, self.config_file)
        self._stored = _stored(self.config, self.config_file)
        self.method = self._stored.method if self._stored else None

    def formats(self, sites: Iterable[Site]) -> dict[str, WeightFormat]:
        stored = self._stored
        if stored is None:
            return {}
        kept = {site.name: stored.keeps_fp16(site.name) for site in sites if site.kind not in FP16_KINDS}
        return {name: FP16 if fp16 else stored.format for name, fp16 in kept.items()}

    def weight_files(self) -> list[Path]:
        files = sorted(self.path.glob("*.safetensors"))
        if files:
            index = self.path / "model.safetensors.index.json"
            named = _named(index) if index.is_file() else set()
            for name in sorted(named - {file.name for file in files}):
                raise InputError("weights missing", place=Place(str(self.path / name)))
            return [file for file in files if not named or file.name in named]
        pickled = [file.name for pattern in ("*.bin", "*.pt", "*.pth") for file in self.path.glob(pattern)]
        if pickled:
            raise InputError(
                "pickled weights are refused: loading them can run any code",
                place=Place(str(self.path / min(pickled))),
                facts={"allowed": "*.safetensors"},
            )
        for file in sorted(self.path.glob("*.gguf")):
            mend = {"mend": f"give the file itself: {file}"}
            raise InputError("a GGUF file holds config and weights", place=Place(str(file)), facts=mend)
        raise InputError("weights missing", place=Place(str(self.path)), facts={"expected": "*.safetensors"})

    def weights(self) -> tuple[dict[str, torch.Tensor], dict[str, Packed]]:
        state, parts = _tensors(self.weight_files(), self._stored)
        stored = self._stored
        packed = {name: unpack(stored, of_layer, name) for name, of_layer in parts.items()} if stored else {}
        if stored and not packed:
            raise InputError("a quantization_config, and no packed weights", place=Place(str(self.path)))
        state |= {f"{name}.weight": torch.from_numpy(weights.dequantise()) for name, weights in packed.items()}
        return state, packed


def _config(path: Path, file: Path) -> PretrainedConfig:
    if not file.is_file():
        raise InputError("not a model: no config.json in it", place=Place(str(path)))
    values = json_of(file)
    if not isinstance(values, dict):
        raise InputError("not the config of a model: no section of keys", place=Place(str(file)))
    values.pop("auto_map", None)  # names code of the folder
    refuse_oversized(values, file)
    with blamed_on(file):
        return AutoConfig.for_model(**values)


def _stored(config: PretrainedConfig, file: Path) -> CheckpointLayout | None:
    """Take the `quantization_config` out of a config."""
    found = [config.__dict__.pop(key, None) for key in KEYS]
    described = next((one for one in found if one is not None), None)
    if described is None:
        refuse_beside(file)
        return None
    try:
        return stored_weights(described)
    except InputError as error:
        raise error.at(Place(str(file))) from None


def _named(index: Path) -> set[str]:
    """The files that an index of weights names."""
    values = json_of(index, LARGEST_RECORD)
    names = values.get("weight_map") if isinstance(values, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise InputError("expected a file for each tensor", place=Place(str(index)), field="weight_map")
    return set(names.values())


def _tensors(
    files: list[Path], stored: CheckpointLayout | None
) -> tuple[dict[str, torch.Tensor], dict[str, dict[str, np.ndarray[Any, Any]]]]:
    """Tensors by name, and the parts of packed layers."""
    state: dict[str, torch.Tensor] = {}
    parts: defaultdict[str, dict[str, np.ndarray[Any, Any]]] = defaultdict(dict)
    packed = PARTS[stored.method] if stored else ()
    for file in files:
        try:
            with safe_open(file, framework="pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118 (not a mapping)
                    layer, _, part = key.rpartition(".")
                    tensor = tensors.get_tensor(key)
                    if part in packed:
                        parts[layer][part] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
                    elif part == "weight" and tensor.dtype not in FLOATS:
                        problem = f"weights of {str(tensor.dtype).removeprefix('torch.')} are not modelled"
                        facts = {"allowed": "binary32, FP16, BF16, or as a quantization_config says"}
                        raise InputError(problem, place=Place(str(file)), field=key, facts=facts)
                    else:
                        state[key] = tensor.float() if tensor.is_floating_point() else tensor
        except (SafetensorError, OSError) as error:
            raise InputError(f"damaged weights: {error}", place=Place(str(file))) from None
    return state, parts


def _name(path: Path) -> str:
    resolved = path.resolve()
    if resolved.suffix == ".json":
        return resolved.parent.name if resolved.stem == "config" else resolved.stem
    return resolved.name
