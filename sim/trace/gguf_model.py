"""A model in a GGUF file: its keys as a config of transformers, its tensors by transformers' names.

architectures   llama (Llama, Mistral, SmolLM), qwen2, qwen3; every key of theirs and every tensor must be known
rows            of llama's q and k are stored with the two halves of a head's rotation interleaved; put back here
embeddings, head   values, whatever their type: embeddings are no GeMM, and a head stays FP16
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig

from sim.errors import InputError, Place
from sim.formats.weight import WeightFormat
from sim.trace.checkpoint import Checkpoint
from sim.trace.classes import blamed_on, refuse_oversized
from sim.trace.gguf_file import FLOATS, GgufFile, GgufTensor
from sim.trace.linears import Site
from sim.trace.quantised import Packed
from sim.workload.gemm import FP16

KEYS = {
    "vocab_size": "vocab_size",
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.key_length": "head_dim",
    "attention.value_length": "head_dim",
    "rope.dimension_count": "head_dim",
}
"""Of an architecture's keys in a file, and of transformers' config; keys that mean the same must agree."""
NEEDED = (
    *("embedding_length", "block_count", "feed_forward_length", "context_length"),
    *("attention.head_count", "attention.layer_norm_rms_epsilon"),
)
ROPE_BASE, USUAL_BASE = "rope.freq_base", 10_000.0
"""llama.cpp takes the usual one where the key is missing (llama-model.cpp)."""
NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
QK_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
OUTSIDE = ("token_embd", "output", "output_norm")
"""Tensors of no layer."""


@dataclass(frozen=True)
class GgufArchitecture:
    """An architecture: its names of tensors, and whether rows of q and k are interleaved."""

    names: dict[str, str]
    interleaved: bool
    biased: tuple[str, ...] = ()
    """Tensors that have a bias whatever the file holds, so that no key of the config tells it."""


ARCHITECTURES = {
    "llama": GgufArchitecture(NAMES, interleaved=True),
    "qwen2": GgufArchitecture(NAMES, interleaved=False, biased=("attn_q", "attn_k", "attn_v")),
    "qwen3": GgufArchitecture(NAMES | QK_NORMS, interleaved=False),
}


class GgufModel(Checkpoint):
    """A GGUF file.

    Raises
    ------
    InputError
        For another architecture, and for keys or tensors that are not known: they could mean anything.
    """

    def __init__(self, path: Path) -> None:
        self.path = self.config_file = path
        self.name = path.resolve().stem
        self.file = GgufFile(path)
        self.architecture = self.file.text("general.architecture", tuple(ARCHITECTURES))
        self._kind = ARCHITECTURES[self.architecture]
        self._named = {self._hugging_face(name): tensor for name, tensor in self.file.tensors.items()}
        values = self._values()
        refuse_oversized(values, path)
        with blamed_on(path):
            self.config = AutoConfig.for_model(**values)
        self._layers = {
            name.removesuffix(".weight"): tensor
            for name, tensor in self._named.items()
            if len(tensor.shape) == 2 and name.startswith("model.layers.")
        }
        for tensor in self._layers.values():
            if tensor.format is None and tensor.kind not in FLOATS:
                raise tensor.refuse()
        self.method = "gguf" if any(tensor.format for tensor in self._layers.values()) else None

    def formats(self, sites: Iterable[Site]) -> dict[str, WeightFormat]:
        if self.method is None:
            return {}
        stored = {site.name: self._layers[site.name].format for site in sites if site.name in self._layers}
        return {name: FP16 if one is None else one for name, one in stored.items()}

    def weight_files(self) -> list[Path]:
        return [self.path]

    def weights(self) -> tuple[dict[str, torch.Tensor], dict[str, Packed]]:
        packed = {layer: self._packed(layer, tensor) for layer, tensor in self._layers.items() if tensor.format}
        state = {f"{layer}.weight": torch.from_numpy(weights.dequantise()) for layer, weights in packed.items()}
        for name, tensor in self._named.items():
            if name not in state:
                values, order = tensor.values(), self._rows(name, tensor.shape[0])
                state[name] = torch.from_numpy(values if order is None else values[order])
        return state, packed

    def _packed(self, layer: str, tensor: GgufTensor) -> Packed:
        assert tensor.format is not None
        integers, order = tensor.integers(), self._rows(f"{layer}.weight", tensor.shape[0])
        return Packed(tensor.format, integers if order is None else integers.rows(order))

    def _rows(self, name: str, rows: int) -> NDArray[np.intp] | None:
        """Which stored row each of transformers' rows is; None: as they come."""
        heads = {"q_proj": self.config.num_attention_heads, "k_proj": self.config.num_key_value_heads}
        count = heads.get(name.split(".")[-2])
        if count is None or not self._kind.interleaved:
            return None
        return np.arange(rows).reshape(count, -1, 2).swapaxes(1, 2).reshape(-1)

    def _hugging_face(self, name: str) -> str:
        """transformers' name of a tensor."""
        found = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)", name)
        layer, part, kind = found.groups() if found else (None, "", "")
        if part not in self._kind.names or (layer is None) != (part in OUTSIDE):
            facts = {"missing": f"what it does in {self.architecture}", "allowed": ", ".join(self._kind.names)}
            raise InputError("a tensor that is not modelled", place=self.file.place, field=name, facts=facts)
        prefix = "" if layer is None else f"model.layers.{layer}."
        return f"{prefix}{self._kind.names[part]}.{kind}"

    def _values(self) -> dict[str, Any]:
        """What `AutoConfig.for_model` takes."""
        values: dict[str, Any] = {}
        own = {key: told for key, told in self.file.keys.items() if key.startswith(f"{self.architecture}.")}
        for short in NEEDED:
            if f"{self.architecture}.{short}" not in own:
                raise InputError("missing", place=self.file.place, field=f"{self.architecture}.{short}")
        hidden, heads = own[f"{self.architecture}.embedding_length"], own[f"{self.architecture}.attention.head_count"]
        if f"{self.architecture}.attention.key_length" not in own and _whole(hidden) and _whole(heads) and heads:
            values["head_dim"] = hidden // heads
        for key, told in own.items():
            if not isinstance(told, int | float):
                facts = {"found": f"{told!r:.80}", "allowed": "one number for all layers"}
                raise InputError("not modelled", place=self.file.place, field=key, facts=facts)
            known = KEYS.get(key.removeprefix(f"{self.architecture}."))
            if known is None and key != f"{self.architecture}.{ROPE_BASE}":
                facts = {"allowed": ", ".join((*KEYS, ROPE_BASE))}
                raise InputError("a key that is not modelled", place=self.file.place, field=key, facts=facts)
            if known is not None and values.setdefault(known, told) != told:
                facts = {"found": f"{told} beside {values[known]}", "allowed": "the same"}
                raise InputError("heads of several sizes", place=self.file.place, field=key, facts=facts)
        values.setdefault("num_key_value_heads", values["num_attention_heads"])
        base = own.get(f"{self.architecture}.{ROPE_BASE}", USUAL_BASE)
        biases = {part for part in self._kind.names if f"blk.0.{part}.bias" in self.file.tensors}
        return {
            "model_type": self.architecture,
            **values,
            "vocab_size": self._vocabulary(values),
            "rope_parameters": {"rope_type": "default", "rope_theta": base},
            "tie_word_embeddings": "output.weight" not in self.file.tensors,
            "attention_bias": any(part.startswith("attn") for part in biases - set(self._kind.biased)),
            "mlp_bias": any(part.startswith("ffn") for part in biases),
        }

    def _vocabulary(self, values: dict[str, Any]) -> int:
        embeddings: GgufTensor | None = self.file.tensors.get("token_embd.weight")
        if embeddings is None:
            raise InputError("missing", place=Place(str(self.path)), field="token_embd.weight")
        if values.get("vocab_size", embeddings.shape[0]) != embeddings.shape[0]:
            facts = {"found": embeddings.shape[0], "expected": values["vocab_size"]}
            raise InputError("embeddings of another vocabulary", place=self.file.place, field="vocab_size", facts=facts)
        return embeddings.shape[0]


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
