"""Whatever is wrong with a model or a trace is one message of one kind of error."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from sim.errors import InputError
from sim.trace.extract import TraceOptions, extract, load
from sim.trace.load import load_shapes, load_weights
from sim.workload.load import load_workload
from sim.workload.trace_file import open_trace


def test_a_folder_that_is_no_model(tmp_path):
    for loader in (load_shapes, load_weights):
        with pytest.raises(InputError, match=r"not a model: no config\.json"):
            loader(tmp_path)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"model_type": "no-such"}', '{"model_type": "llama", "vocab_size": "x"}']
)
def test_a_config_that_is_none(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"not the config of a model|transformers cannot build or run this model"):
        load_shapes(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_hidden_layers", 2000), ("hidden_size", 10**12), ("num_experts", 10**6), ("head_dim", 2**25)],
)
def test_a_config_whose_model_could_not_be_laid_out(tmp_path, key, value):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen3_moe", key: value}))
    with pytest.raises(InputError, match=f"{key}: found {value}"):
        load_shapes(tmp_path)


def test_a_model_that_is_no_language_model(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(InputError, match="not a causal language model, and no encoder of text: vit"):
        load_shapes(tmp_path)


def test_weights_missing_altogether(save_model):
    folder = save_model("llama")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="weights missing"):
        load_weights(folder)


@pytest.mark.parametrize("index", ["{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": ["b"]}}'])
def test_an_index_of_weights_that_is_none(save_model, index):
    folder = save_model("llama")
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(InputError, match=r"index\.json"):
        load_weights(folder)


def test_a_layer_without_weights(save_model):
    folder = save_model("llama")
    state = load_file(folder / "model.safetensors")
    del state["model.layers.1.mlp.up_proj.weight"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"weights missing: model\.layers\.1\.mlp\.up_proj\.weight"):
        load_weights(folder)


def test_a_shard_that_the_index_names_and_nobody_has(save_model):
    folder = save_model("llama")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"model-00002\.safetensors: weights missing"):
        load_weights(folder)


def test_weights_of_another_shape(save_model):
    folder = save_model("llama")
    state = load_file(folder / "model.safetensors")
    state["model.layers.0.mlp.up_proj.weight"] = np.zeros((3, 64), np.float32)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="another shape"):
        load_weights(folder)


def test_pickled_weights(save_model):
    folder = save_model("llama")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickled weights are refused"):
        load_weights(folder)


def test_damaged_weights(save_model):
    folder = save_model("llama")
    os.truncate(folder / "model.safetensors", 1000)
    with pytest.raises(InputError, match="damaged weights"):
        load_weights(folder)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1e6])
def test_activations_that_fp16_does_not_hold_are_named_with_their_index(value, save_model, text, tmp_path):
    options = TraceOptions(tokens=4, text=text)
    loaded = load(save_model("llama"), options)
    layer = next(site.layer for site in loaded.sites if site.name == "model.layers.1.mlp.down_proj")

    def plant(_, inputs):
        inputs[0][0, 2, 7] = value

    layer.register_forward_pre_hook(plant)
    with pytest.raises(InputError, match=r"activations of model\.layers\.1\.mlp\.down_proj.*\[2, 7\]"):
        extract(loaded, options, tmp_path / "trace")
    assert not (tmp_path / "trace").exists()
    assert not list(tmp_path.glob(".trace*"))


def test_more_tokens_than_positions(save_model):
    with pytest.raises(InputError, match="65 tokens and 0 steps are more positions"):
        load(save_model("llama"), TraceOptions(tokens=65))


def test_text_that_is_too_short(save_model, text, tmp_path):
    options = TraceOptions(tokens=64, batch=20, text=text)
    with pytest.raises(InputError, match="too short"):
        extract(load(save_model("llama"), options), options, tmp_path / "trace")


def test_filters_that_leave_nothing(save_model, tmp_path):
    options = TraceOptions(tokens=4, layers=frozenset({9}))
    with pytest.raises(InputError, match="nothing recorded"):
        extract(load(save_model("llama"), options), options, tmp_path / "trace")


@pytest.fixture
def trace(save_model, text, tmp_path):
    options = TraceOptions(tokens=4, text=text)
    extract(load(save_model("llama"), options), options, tmp_path / "trace")
    return tmp_path / "trace"


def test_a_whole_trace_is_read(trace):
    assert load_workload(str(trace)).macs > 0


def test_a_tensor_file_cut_off(trace):
    file = next(trace.glob("*.safetensors"))
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(InputError, match="missing or cut off"):
        load_workload(str(trace))


def test_a_tensor_file_changed(trace):
    file = next(trace.glob("*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    opened = open_trace(trace)
    with pytest.raises(InputError, match="hash does not match"):
        opened.activations(opened.manifest.records[0])


def test_a_manifest_cut_off(trace):
    os.truncate(trace / "manifest.json", 500)
    with pytest.raises(InputError, match=r"manifest\.json:\d+: not JSON"):
        load_workload(str(trace))


def test_a_manifest_changed(trace):
    path = trace / "manifest.json"
    path.write_text(path.read_text().replace('"m": 4', '"m": 5', 1))
    with pytest.raises(InputError, match="changed since it was recorded"):
        load_workload(str(trace))


def test_a_manifest_of_something_else(trace):
    (trace / "manifest.json").write_text('{"name": "a web app"}')
    with pytest.raises(InputError, match="not the manifest of a trace"):
        load_workload(str(trace))


@pytest.mark.parametrize("options", [{"tokens": 4}, {"steps": 2}, {"overrides": ["layers=2"]}])
def test_options_that_a_recording_has_decided(trace, options):
    with pytest.raises(InputError, match="a trace has been recorded"):
        load_workload(str(trace), **options)


def test_an_existing_folder_is_not_replaced(trace, save_model):
    options = TraceOptions(tokens=4)
    with pytest.raises(InputError, match="exists already"):
        extract(load(save_model("llama"), options), options, trace)


def test_experts_of_an_unknown_layout():
    from sim.trace.linears import linearise

    class StrangeExperts(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.everything = torch.nn.Parameter(torch.zeros(4, 8, 8))

    with pytest.raises(InputError, match="StrangeExperts: an unknown layout of experts"):
        linearise(torch.nn.ModuleDict({"mlp": StrangeExperts()}))
