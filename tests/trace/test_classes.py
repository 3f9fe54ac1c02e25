"""Current classes of models: every matrix of the built module is a GeMM here or an embedding, or it is refused."""

from __future__ import annotations

import json

import pytest
from torch import nn

from sim.accuracy.perplexity import Evaluator
from sim.errors import InputError
from sim.trace.extract import TraceOptions, extract, load
from sim.trace.load import load_shapes
from sim.workload.gemm import FusedAttention
from sim.workload.load import load_workload

SHORT = {"num_hidden_layers": 2, "n_layer": 2}
DECODERS = [
    *("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "gemma", "gemma2"),
    *("gemma3_text", "phi3", "deepseek_v3", "gpt2", "gpt_neox", "opt", "falcon", "bloom"),
    *("starcoder2", "olmo2", "olmoe", "granite", "smollm3", "glm4", "cohere2", "modernbert-decoder"),
]
ENCODERS = ["bert", "roberta", "modernbert"]
UNSEEN = {"falcon": "the attention", "bloom": "the attention", "modernbert": "look both ways"}
"""What scope `all` is refused for; with every other class it runs."""
REFUSED = {
    "mamba": "layers of `linear_attention`, which are not modelled",
    "jamba": "layers of `linear_attention`, which are not modelled",
    "qwen3_next": "layers of `linear_attention`, which are not modelled",
    "rwkv": "Rwkv.*: convolutions, state spaces and linear attention are not modelled",
    "t5": "an encoder-decoder",
    "vit": "no encoder of text",
    "gpt_oss": "GptOssExperts: an unknown layout of experts",
    "llama4_text": "layers of `chunked_attention`, which are not modelled",
}


@pytest.fixture
def described(tmp_path):
    def _described(kind):
        from transformers import AutoConfig

        values = AutoConfig.for_model(kind, **SHORT).to_dict()
        (tmp_path / "config.json").write_text(json.dumps(values, default=str))
        return tmp_path

    return _described


@pytest.mark.parametrize("kind", [*DECODERS, *ENCODERS])
def test_every_parameter_is_a_gemms_an_embeddings_or_a_vectors(kind, described):
    loaded = load_shapes(described(kind))
    inside = {id(site.weight): site.k * site.n for site in loaded.sites}
    embeddings = {
        id(module.weight): module.weight.numel()
        for module in loaded.model.modules()
        if isinstance(module, nn.Embedding)
    }
    vectors = {id(one): one.numel() for one in loaded.model.parameters() if one.dim() < 2}
    total = {id(one): one.numel() for one in loaded.model.parameters()}
    assert {**inside, **embeddings, **vectors} == total


@pytest.mark.parametrize("kind", [*DECODERS, *ENCODERS])
def test_each_class_runs_and_says_what_of_it_is_not_seen(kind, described, tmp_path):
    options = TraceOptions(tokens=16, steps=0 if kind in ENCODERS else 1)
    manifest = extract(load(described(kind), options), options, tmp_path / "t")
    modules = {record.module for record in manifest.records}
    assert modules >= {"qkv", "o", "up", "down"}
    assert ("head" in modules) == (kind not in ENCODERS)
    assert load_workload(str(tmp_path / "t")).macs > 0
    if kind in UNSEEN:
        with pytest.raises(InputError, match=UNSEEN[kind]):
            load_workload(str(tmp_path / "t"), scope="all")
    else:
        work = load_workload(str(tmp_path / "t"), scope="all")
        assert "attention" in {item.module for phase in work.phases for item in phase.items}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_modelled_is_refused_by_name(kind, described, tmp_path):
    with pytest.raises(InputError, match=REFUSED[kind]):
        load(described(kind), TraceOptions(tokens=16))


def test_the_tokens_of_an_encoder_see_one_another(described, tmp_path):
    options = TraceOptions(tokens=100)
    loaded = load(described("bert"), options)
    manifest = extract(loaded, options, tmp_path / "t")
    assert {attention.causal for attention in manifest.attentions} == {False}
    work = load_workload(str(tmp_path / "t"), scope="all")
    found = [item for phase in work.phases for item in phase.items if isinstance(item, FusedAttention)]
    macs = sum(item.macs for item in found)
    assert macs == 2 * 2 * 12 * 100 * 128 * 64  # products, layers, heads, queries, keys in whole pages, values
    assert all("pooler" not in record.name and "cls" not in record.name for record in manifest.records)


def test_an_encoder_decodes_nothing_and_has_no_perplexity(described):
    folder = described("bert")
    with pytest.raises(InputError, match=r"--steps: .* is an encoder: its tokens see one another"):
        load(folder, TraceOptions(tokens=4, steps=1))
    with pytest.raises(InputError, match="is an encoder: its tokens see those after them, so there is no next one"):
        Evaluator(load_shapes(folder), [1, 2, 3], 3, 3, "fp16")
