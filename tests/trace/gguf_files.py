"""GGUF files of tiny random models, written by the `gguf` package as llama.cpp's converter writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    **{f"self_attn.{part}_proj": f"attn_{part}" for part in "qkv"},
    "self_attn.o_proj": "attn_output",
    **{f"self_attn.{part}_norm": f"attn_{part}_norm" for part in "qk"},
    **{f"mlp.{part}_proj": f"ffn_{part}" for part in ("gate", "up", "down")},
}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890,."
Kinds = Callable[[str], str]
"""From a tensor's name to its type's."""


def interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of q or k as the converter permutes them for llama (convert_hf_to_gguf.py: permute)."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def name_of(theirs: str) -> str:
    """llama.cpp's name of a tensor of transformers."""
    stem, _, end = theirs.rpartition(".")
    parts = stem.split(".")
    if parts[:2] == ["model", "layers"]:
        return f"blk.{parts[2]}.{NAMES['.'.join(parts[3:])]}.{end}"
    return f"{NAMES[stem]}.{end}"


def write(
    path: Path,
    model: torch.nn.Module,
    kind_of: Kinds = lambda name: "F32",
    extra: Mapping[str, int] | None = None,
    tokens: Mapping[str, Any] | None = None,
) -> None:
    """Write a model; its matrices of blocks are quantised by the package."""
    config = model.config
    architecture = config.model_type
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if architecture == "qwen3":
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    for key, value in (extra or {}).items():
        writer.add_uint32(key, value)
    for key, value in (vocabulary() if tokens is None else tokens).items():
        (writer.add_array if isinstance(value, list) else writer.add_string)(f"tokenizer.ggml.{key}", value)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for theirs, tensor in model.state_dict().items():
        values = tensor.numpy()
        part = theirs.split(".")[-2]
        if architecture == "llama" and part in heads:
            values = interleaved(values, heads[part])
        kind = gguf.GGMLQuantizationType[kind_of(name_of(theirs)) if values.ndim == 2 else "F32"]
        if kind.name in ("F32", "F16"):
            writer.add_tensor(name_of(theirs), values.astype("f4" if kind.name == "F32" else "f2"))
        else:
            writer.add_tensor(name_of(theirs), gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def vocabulary() -> dict[str, Any]:
    """Ninety-six tokens: letters, digits, a space, one merge and one control token."""
    tokens = [*ALPHABET, "Ġ", "TH", "<|end|>"]
    tokens += [f"<{number}>" for number in range(96 - len(tokens))]
    types = [3 if token == "<|end|>" else 1 for token in tokens]
    return {"model": "gpt2", "pre": "smollm", "tokens": tokens, "token_type": types, "merges": ["T H"]}
