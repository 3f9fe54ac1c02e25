"""Models of seven classes: what is recorded is what their shapes say, in every way of running them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.trace.extract import TraceOptions, extract, load, record
from sim.trace.load import load_weights
from sim.workload.load import load_workload
from sim.workload.trace_file import open_trace

from .conftest import CONFIGS

KINDS = list(CONFIGS)


def expected_macs(folder: Path, tokens: int, steps: int, batch: int = 1) -> int:
    """Of all weight GeMMs, from the sizes in the config; one row of logits a sequence and step."""
    config = CONFIGS[folder.name]
    d = config.get("hidden_size", config.get("n_embd"))
    heads, layers = config.get("num_attention_heads", 1), config.get("num_hidden_layers", config.get("n_layer"))
    keys = d // heads * config.get("num_key_value_heads", heads)
    width = config.get("intermediate_size", config.get("ffn_dim", 4 * d))
    gated = 3 if "num_key_value_heads" in config else 2
    a_token = 2 * d * d + 2 * d * keys + gated * d * width * config.get("num_experts_per_tok", 1)
    a_token += d * config.get("num_local_experts", 0)
    rows, logits = batch * (tokens + steps), batch * (1 + steps)
    transform = d * d if folder.name == "bert" else 0  # a dense layer before the head
    return layers * a_token * rows + (transform + d * config["vocab_size"]) * logits


@pytest.mark.parametrize("kind", KINDS)
def test_macs_equal_the_count_from_the_config(kind, save_model, tmp_path):
    folder, options = save_model(kind), TraceOptions(tokens=7, batch=2, steps=3)
    extract(load(folder, options), options, tmp_path / "trace")
    workload = load_workload(str(tmp_path / "trace"), scope="all")
    assert sum(gemm.macs for gemm in workload.gemms) == expected_macs(folder, 7, 3, 2)
    assert [phase.name for phase in workload.phases] == ["prefill", "decode"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_real_run_records_the_same_work_as_shapes_alone(kind, save_model, text, tmp_path):
    folder = save_model(kind)
    for name, options in (
        ("shapes", TraceOptions(tokens=20, batch=2, steps=2)),
        ("values", TraceOptions(tokens=20, batch=2, steps=2, text=text)),
    ):
        extract(load(folder, options), options, tmp_path / name)
    shapes, values = (open_trace(tmp_path / name).manifest.records for name in ("shapes", "values"))
    assert sum(r.m * r.k * r.n for r in shapes) == sum(r.m * r.k * r.n for r in values)
    if kind != "mixtral":  # which expert takes which token is known of real values only
        bare = [r.model_copy(update={"activations": None, "weights": None}) for r in values]
        assert bare == shapes


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_has_its_kind(kind, save_model, tmp_path):
    options = TraceOptions(tokens=4)
    manifest = extract(load(save_model(kind), options), options, tmp_path / "trace")
    modules = [record.module for record in manifest.records if ".1." in record.name]
    fused, experts = kind == "gpt2", 4 if kind == "mixtral" else 1
    assert modules.count("qkv") == (1 if fused else 3)
    assert modules.count("o") == 1
    gates = 2 if kind in ("llama", "mistral", "qwen2") else 1
    assert modules.count("up") == gates * experts
    assert modules.count("down") == experts
    assert modules.count("router") == (kind == "mixtral")
    assert [record.module for record in manifest.records].count("head") == 1


def test_traced_macs_equal_those_of_the_config_reader(save_model, tmp_path):
    """Two ways to the same work: torch on the meta device, and the shapes of config.json."""
    for kind in ("opt", "llama", "mistral", "qwen2", "gpt2"):
        folder, options = save_model(kind), TraceOptions(tokens=16)
        extract(load(folder, options), options, tmp_path / f"trace-{kind}")
        traced = load_workload(str(tmp_path / f"trace-{kind}"))
        read = load_workload(str(folder), tokens=16)
        assert traced.macs == read.macs


@pytest.mark.parametrize("kind", ["opt", "llama", "mixtral", "gpt2"])
def test_padding_is_left_out_and_changes_no_sequence(kind, save_model, tmp_path):
    prompts = [[5, 6, 7, 8, 9], [10, 11], [12, 13, 14]]
    loaded = load_weights(save_model(kind))
    manifest = record(loaded, TraceOptions(steps=2), prompts, tmp_path / "together")
    alone = [record(loaded, TraceOptions(steps=2), [prompt], tmp_path / f"alone-{len(prompt)}") for prompt in prompts]
    assert manifest.tokens.prompts == [5, 2, 3]
    macs = [sum(r.m * r.k * r.n for r in one.records) for one in (manifest, *alone)]
    assert macs[0] == sum(macs[1:])


def test_a_padded_batch_decodes_what_each_prompt_decodes_alone(save_model, text, tmp_path):
    from sim.trace.weights import quantise

    prompts = [[5, 6, 7, 8, 9], [10, 11], [12, 13, 14]]
    loaded = load_weights(save_model("llama"))
    weights = quantise(loaded)
    together = record(loaded, TraceOptions(steps=4), prompts, tmp_path / "together", weights).tokens.identifiers
    alone = [
        record(loaded, TraceOptions(steps=4), [prompt], tmp_path / f"alone-{len(prompt)}", weights).tokens.identifiers[
            0
        ]
        for prompt in prompts
    ]
    assert together == alone


def test_filters_keep_what_they_name(save_model, tmp_path):
    options = TraceOptions(tokens=4, layers=frozenset({1}), modules=frozenset({"o", "down"}))
    manifest = extract(load(save_model("llama"), options), options, tmp_path / "trace")
    assert [r.name for r in manifest.records] == ["model.layers.1.self_attn.o_proj", "model.layers.1.mlp.down_proj"]


def test_any_torch_module_is_recorded(tmp_path):
    import torch

    from sim.trace.extract import record_module

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(96, 32), torch.nn.ReLU(), torch.nn.Linear(32, 8))
    manifest = record_module(module, {"input": torch.ones(2, 5, 96)}, tmp_path / "trace", "symmetric")
    assert [(r.m, r.k, r.n) for r in manifest.records] == [(10, 96, 32), (10, 32, 8)]
    trace = open_trace(tmp_path / "trace")
    assert (trace.activations(manifest.records[0]) == 1).all()
    assert trace.weights(manifest.records[1]).shape == (8, 32)
