"""What a trace holds is what the model computed with: activations, INT4 weights, outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sim.trace.extract import TraceOptions, extract, load
from sim.workload.trace_file import open_trace


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mixtral"])
def test_a_layer_fed_with_the_recorded_operands_gives_what_the_model_computed(kind, save_model, text, tmp_path):
    options = TraceOptions(tokens=12, text=text)
    loaded = load(save_model(kind), options)
    outputs: dict[str, np.ndarray] = {}
    for site in loaded.sites:
        site.layer.register_forward_hook(
            lambda layer, inputs, output, name=site.name: (
                outputs.update(
                    {name: (output - layer.bias if getattr(layer, "bias", None) is not None else output).numpy()}
                )
                if isinstance(output, torch.Tensor)
                else None
            )
        )
    extract(loaded, options, tmp_path / "trace")
    trace = open_trace(tmp_path / "trace")
    checked = 0
    for record in trace.manifest.records:
        if record.activations is None:
            assert record.module in ("head", "router")
            continue
        activations, weights = trace.activations(record), trace.weights(record)
        computed = outputs[record.name].reshape(record.m, record.n)
        product = activations.astype(np.float64) @ weights.dequantise().astype(np.float64).T
        # The model runs in binary32 on activations before their rounding to FP16 (2^-11 relative).
        bound = np.abs(activations.astype(np.float64)) @ np.abs(weights.dequantise()).T * 2.0**-10 + 2.0**-20
        assert (np.abs(product - computed) <= bound).all()
        checked += 1
    assert checked >= 8


def test_the_same_run_gives_the_same_trace(save_model, text, tmp_path):
    options, folder = TraceOptions(tokens=12, steps=1, text=text), save_model("llama")
    first, second = (extract(load(folder, options), options, tmp_path / name) for name in ("a", "b"))
    assert first == second


def test_weights_kept_once_however_often_they_are_used(save_model, text, tmp_path):
    options = TraceOptions(tokens=12, steps=3, text=text)
    manifest = extract(load(save_model("llama"), options), options, tmp_path / "trace")
    keys = [key for entry in manifest.files.values() for key in entry.keys]
    assert len(keys) == len(set(keys))
    assert sum(not key.startswith("activations.") for key in keys) == 14
    assert sum(key.startswith("activations.") for key in keys) == 14 * 4
