"""Tiny random models of many classes, in transformers' own format, without a download."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # tests share the machine

LLAMA = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
CONFIGS = {
    "opt": {
        "vocab_size": 96,
        "hidden_size": 64,
        "word_embed_proj_dim": 64,
        "ffn_dim": 160,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
    },
    "llama": LLAMA,
    "mistral": LLAMA,
    "mixtral": {**LLAMA, "num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2": LLAMA,
    "gpt2": {"vocab_size": 96, "n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "bert": {
        "vocab_size": 96,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "is_decoder": True,
    },
}


@pytest.fixture
def save_model(tmp_path: Path) -> Callable[..., Path]:
    """Save a random model of a class, and a tokenizer of bytes below 96; returns its folder."""

    def _save(kind: str, **changes: object) -> Path:
        from tokenizers import Tokenizer, models, pre_tokenizers
        from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, PreTrainedTokenizerFast

        torch.manual_seed(0)
        config = AutoConfig.for_model(kind, **{**CONFIGS[kind], **changes})
        folder = tmp_path / kind
        MODEL_FOR_CAUSAL_LM_MAPPING[type(config)](config).save_pretrained(folder)
        characters = Tokenizer(models.WordLevel({chr(code): code for code in range(96)}, unk_token=chr(0)))
        characters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        PreTrainedTokenizerFast(tokenizer_object=characters).save_pretrained(folder)
        return folder

    return _save


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Three hundred characters, all tokens of those models."""
    path = tmp_path / "text.txt"
    path.write_text("THE QUICK BROWN FOX, 1234567890 TIMES OVER THE LAZY DOG. " * 6, encoding="utf-8")
    return path
