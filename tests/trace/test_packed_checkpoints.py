"""AWQ and GPTQ checkpoints packed here by their published layouts, nibble by nibble, and read back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from sim.errors import InputError
from sim.trace.load import load_weights
from sim.trace.quantised import layout_of, unpack
from sim.trace.weights import quantise

K, N, GROUP = 192, 16, 64
AWQ = {"quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm"}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "checkpoint_format": "gptq"}
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # nibble i of a word holds column order[i] (AutoAWQ, WQLinear_GEMM)


def weights(k: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = -(-k // GROUP)
    scales = rng.uniform(0.001, 0.02, (groups, n)).astype(np.float16)
    return rng.integers(0, 16, (k, n)), rng.integers(0, 16, (groups, n)), scales


def words(nibbles: np.ndarray, order: tuple[int, ...] = tuple(range(8))) -> np.ndarray:
    """Pack the last axis, eight values a word of 32 bits."""
    packed = np.zeros((*nibbles.shape[:-1], nibbles.shape[-1] // 8), np.uint32)
    for word in range(packed.shape[-1]):
        for place, value in enumerate(order):
            packed[..., word] |= nibbles[..., 8 * word + value].astype(np.uint32) << np.uint32(4 * place)
    return packed.view(np.int32)


def awq(codes: np.ndarray, zeros: np.ndarray, scales: np.ndarray) -> dict[str, np.ndarray]:
    return {"qweight": words(codes, AWQ_ORDER), "qzeros": words(zeros, AWQ_ORDER), "scales": scales}


def gptq(codes: np.ndarray, zeros: np.ndarray, scales: np.ndarray, stored_less: int = 1) -> dict[str, np.ndarray]:
    return {
        "qweight": np.ascontiguousarray(words(codes.T).T),
        "qzeros": words((zeros - stored_less) % 16),
        "scales": scales,
        "g_idx": (np.arange(len(codes)) // GROUP).astype(np.int32),
    }


@pytest.mark.parametrize(
    ("config", "pack"),
    [
        (AWQ, awq),
        (GPTQ, gptq),
        ({**GPTQ, "checkpoint_format": "gptq_v2"}, lambda *parts: gptq(*parts, stored_less=0)),
    ],
)
def test_codes_zeros_and_scales_come_back(config, pack):
    codes, zeros, scales = weights(K, N)
    tensor = unpack(layout_of(config), pack(codes, zeros, scales), "layer").tensor
    assert (tensor.codes.reshape(N, K) == codes.T).all()
    assert (tensor.zeros == zeros.T).all()
    assert (tensor.scales == scales.T).all()
    value = (codes[70, 3] - zeros[1, 3]) * np.float32(scales[1, 3])
    assert tensor.dequantise()[3, 70] == value


@pytest.mark.parametrize(("config", "pack"), [(AWQ, awq), (GPTQ, gptq)])
def test_a_packed_llama_runs_with_the_weights_of_its_checkpoint(config, pack, save_model):
    folder = save_model("llama", intermediate_size=128)
    state = load_file(folder / "model.safetensors")
    packed, expected = {}, {}
    for name, tensor in state.items():
        if "proj" in name:
            n, k = tensor.shape
            codes, zeros, scales = weights(k, n, seed=len(expected))
            layer = name.removesuffix(".weight")
            packed |= {f"{layer}.{part}": values for part, values in pack(codes, zeros, scales).items()}
            widened = (codes - zeros.repeat(GROUP, axis=0)) * scales.repeat(GROUP, axis=0).astype(np.float32)
            expected[layer] = widened.T
        else:
            packed[name] = tensor
    save_file(packed, folder / "model.safetensors", {"format": "pt"})
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, "quantization_config": config}))
    loaded = load_weights(folder)
    made = quantise(loaded)
    assert made.method == config["quant_method"]
    assert set(made.tensors) == set(expected)
    for site in loaded.sites:
        if site.name in expected:
            assert (site.weight.detach().numpy() == expected[site.name]).all()
            assert (made.tensors[site.name].dequantise() == expected[site.name]).all()
    with torch.no_grad():
        assert torch.isfinite(loaded.model(torch.tensor([[1, 2, 3]])).logits).all()


@pytest.mark.parametrize(
    "config",
    [
        {"quant_method": "bitsandbytes", "bits": 4},
        {**AWQ, "version": "marlin"},
        {**AWQ, "bits": 8},
        {**GPTQ, "checkpoint_format": "exllama"},
        {**GPTQ, "group_size": -1},
    ],
)
def test_unknown_layouts_are_refused(config):
    with pytest.raises(InputError, match="quantization_config"):
        layout_of(config)


def test_rows_in_another_order_than_their_groups_are_brought_together():
    codes, zeros, scales = weights(K, N)
    group_of = np.random.default_rng(1).permutation(np.arange(K) // GROUP)
    parts = {**gptq(codes, zeros, scales), "g_idx": group_of.astype(np.int32)}
    packed = unpack(layout_of(GPTQ), parts, "layer")
    expected = (codes - zeros[group_of]) * scales[group_of].astype(np.float32)
    assert (packed.dequantise() == expected.T).all()
    assert (packed.tensor.dequantise() == expected.T[:, packed.order]).all()
    assert (np.diff(group_of[packed.order]) >= 0).all()


def test_a_layer_of_mixed_rows_is_recorded_in_their_order(save_model, text, tmp_path):
    from sim.trace.extract import TraceOptions, extract
    from sim.workload.trace_file import open_trace

    folder = save_model("llama", intermediate_size=128)
    state = load_file(folder / "model.safetensors")
    layer = "model.layers.0.mlp.down_proj"
    codes, zeros, scales = weights(128, 64)
    group_of = np.random.default_rng(2).permutation(np.arange(128) // GROUP).astype(np.int32)
    del state[f"{layer}.weight"]
    state |= {f"{layer}.{part}": one for part, one in {**gptq(codes, zeros, scales), "g_idx": group_of}.items()}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, "quantization_config": GPTQ}))
    loaded = load_weights(folder)
    seen: dict[str, np.ndarray] = {}
    site = next(site for site in loaded.sites if site.name == layer)
    site.layer.register_forward_hook(lambda _, inputs, output: seen.update(x=inputs[0], y=output))
    extract(loaded, TraceOptions(tokens=8, text=text), tmp_path / "trace")
    trace = open_trace(tmp_path / "trace")
    record = next(one for one in trace.manifest.records if one.name == layer)
    order = loaded.packed[layer].order
    assert (trace.activations(record) == seen["x"].reshape(8, 128).numpy().astype(np.float16)[:, order]).all()
    product = seen["x"].reshape(8, 128).numpy().astype(np.float64)[:, order] @ trace.weights(record).dequantise().T
    assert np.allclose(product, seen["y"].reshape(8, 64).numpy(), rtol=1e-4, atol=1e-6)  # binary32 against float64


def test_groups_of_unequal_rows_and_missing_parts_are_refused():
    parts = gptq(*weights(K, N))
    with pytest.raises(InputError, match="groups do not have 64 rows each"):
        unpack(layout_of(GPTQ), {**parts, "g_idx": np.zeros(K, np.int32)}, "layer")
    del parts["qzeros"]
    with pytest.raises(InputError, match="layer: missing qzeros"):
        unpack(layout_of(GPTQ), parts, "layer")


def test_parts_that_do_not_fit_are_refused():
    parts = awq(*weights(K, N))
    with pytest.raises(InputError, match="parts do not fit weights of 192 x 16"):
        unpack(layout_of(AWQ), {**parts, "scales": parts["scales"][:1]}, "layer")
