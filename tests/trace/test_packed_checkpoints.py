"""AWQ and GPTQ checkpoints packed here by their published layouts, nibble by nibble, and read back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from sim.errors import InputError
from sim.formats.weights.integer import IntegerWeights
from sim.trace.extract import TraceOptions, extract, load
from sim.trace.load import load_shapes, load_weights
from sim.trace.quantised import unpack
from sim.trace.weights import quantise
from sim.workload.gemm import FP16, as_vector_work
from sim.workload.load import load_workload
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.quantisation import stored_weights

K, N, GROUP = 192, 16, 64
AWQ = {"quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm"}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "checkpoint_format": "gptq"}
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # nibble i of a word holds column order[i] (AutoAWQ, WQLinear_GEMM)


def weights(k: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = -(-k // GROUP)
    scales = rng.uniform(0.001, 0.02, (groups, n)).astype(np.float16)
    return rng.integers(0, 16, (k, n)), rng.integers(1, 16, (groups, n)), scales


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
    tensor = unpack(stored_weights(config), pack(codes, zeros, scales), "layer").tensor
    assert (tensor.codes.reshape(N, K) == codes.T).all()
    assert (tensor.zeros == zeros.T).all()
    assert (tensor.scales == scales.T).all()
    value = (codes[70, 3] - zeros[1, 3]) * np.float32(scales[1, 3])
    assert tensor.dequantise()[3, 70] == value


def pack_llama(folder, config, pack, left_out=()):
    """Pack the layers of a saved Llama, but for those left out; the weights that each stands for."""
    state = load_file(folder / "model.safetensors")
    packed, expected = {}, {}
    for name, tensor in state.items():
        layer = name.removesuffix(".weight")
        if "proj" in name and not layer.endswith(tuple(left_out)):
            n, k = tensor.shape
            codes, zeros, scales = weights(k, n, seed=len(expected))
            packed |= {f"{layer}.{part}": values for part, values in pack(codes, zeros, scales).items()}
            widened = (codes - zeros.repeat(GROUP, axis=0)) * scales.repeat(GROUP, axis=0).astype(np.float32)
            expected[layer] = widened.T
        else:
            packed[name] = tensor
    save_file(packed, folder / "model.safetensors", {"format": "pt"})
    describe(folder, {**config, **({"modules_to_not_convert": list(left_out)} if left_out else {})})
    return expected


def describe(folder, quantisation):
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, "quantization_config": quantisation}, indent=1))


@pytest.mark.parametrize(("config", "pack"), [(AWQ, awq), (GPTQ, gptq)])
def test_a_packed_llama_runs_with_the_weights_of_its_checkpoint(config, pack, save_model):
    folder = save_model("llama", intermediate_size=128)
    expected = pack_llama(folder, config, pack)
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


@pytest.mark.parametrize("values", [False, True])
def test_layers_left_in_fp16_stay_fp16(values, save_model, text, tmp_path):
    from sim.accuracy.perplexity import Evaluator

    folder = save_model("llama", intermediate_size=128)
    before = load_file(folder / "model.safetensors")
    pack_llama(folder, AWQ, awq, left_out=("o_proj", "lm_head"))
    options = TraceOptions(tokens=8, text=text if values else None)
    loaded = load(folder, options)
    manifest = extract(loaded, options, tmp_path / "trace")
    assert manifest.method == "awq"
    for record in manifest.records:
        kept = record.module in ("o", "head")
        assert manifest.weights_of(record) == (FP16 if kept else IntegerWeights(4, GROUP))
        assert (record.weights is None) == (kept or not values)
    if values:
        for site in loaded.sites:
            if site.kind == "o":
                assert (site.weight.detach().numpy() == before[f"{site.name}.weight"]).all()
        evaluator = Evaluator(loaded, [1, 2, 3], 3, 3, "awq")
        assert {site.kind for site in evaluator.sites} == {"qkv", "up", "down"}
    integers = load_workload(str(tmp_path / "trace"))
    assert {gemm.module for gemm in integers.gemms} == {"qkv", "up", "down"}
    everything = load_workload(str(tmp_path / "trace"), scope="all")
    kept = [gemm for gemm in everything.gemms if gemm.module == "o"]
    assert kept
    assert all(gemm.weights == FP16 and gemm.mantissa_bits is None for gemm in kept)
    assert as_vector_work(kept[0]).operations == kept[0].m * kept[0].k * kept[0].n


def test_a_layer_that_the_checkpoint_holds_in_fp16_is_not_quantised_in_silence(save_model):
    folder = save_model("llama", intermediate_size=128)
    pack_llama(folder, AWQ, awq, left_out=("down_proj",))
    describe(folder, AWQ)  # which says nothing of down_proj
    assert {name.rpartition(".")[2] for name in quantise(load_weights(folder)).tensors} == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj")
    }


def test_a_packed_head_is_refused(save_model):
    folder = save_model("llama", intermediate_size=128)
    pack_llama(folder, AWQ, awq)
    state = load_file(folder / "model.safetensors")
    del state["lm_head.weight"]
    head = awq(*weights(64, 96))
    save_file(state | {f"lm_head.{part}": values for part, values in head.items()}, folder / "model.safetensors")
    with pytest.raises(InputError, match="lm_head: packed weights of no linear layer, or of a head"):
        load_weights(folder)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8])
def test_weights_of_an_unknown_type_are_refused(dtype, save_model):
    from safetensors.torch import load_file as load_torch
    from safetensors.torch import save_file as save_torch

    folder = save_model("llama")
    state = load_torch(folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    save_torch({**state, name: state[name].to(dtype)}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=f"{name}: weights of {str(dtype)[6:]} are not modelled"):
        load_weights(folder)


def test_a_quantization_config_without_packed_weights_is_refused(save_model):
    folder = save_model("llama")
    describe(folder, AWQ)
    with pytest.raises(InputError, match="a quantization_config, and no packed weights"):
        load_weights(folder)


@pytest.mark.parametrize("name", ["quantize_config.json", "hf_quant_config.json"])
def test_a_quantisation_told_by_another_file_is_refused(name, save_model):
    folder = save_model("llama")
    (folder / name).write_text('{"bits": 3, "group_size": 128}')
    for reader in (load_weights, load_shapes, lambda path: load_workload(str(path))):
        with pytest.raises(InputError, match=f"{name}: a quantisation that config.json says nothing of"):
            reader(folder)


def test_a_folder_of_a_gguf_file_alone_says_how_it_is_given(save_model):
    folder = save_model("llama")
    (folder / "model.safetensors").rename(folder / "model.gguf")
    with pytest.raises(InputError, match=r"model\.gguf: a GGUF file holds .*\n  mend       give the file"):
        load_weights(folder)


def test_groups_smaller_than_a_dot_product_are_refused_by_the_machine(save_model, tmp_path):
    from sim.arch.load import load_arch
    from sim.machine.machine import Machine

    folder, options = save_model("llama"), TraceOptions(tokens=4)
    describe(folder, {**AWQ, "group_size": 32})
    extract(load(folder, options), options, tmp_path / "trace")
    gemm = load_workload(str(tmp_path / "trace")).gemms[0]
    assert gemm.weights.group_size == 32
    machine = Machine(load_arch("anda-hpca25"))
    with pytest.raises(InputError, match=r"mxu\.dot_length: found 64: .* has weights in groups of 32"):
        machine.piece(gemm).plan()


@pytest.mark.parametrize(
    "config",
    [
        {"quant_method": "bitsandbytes", "bits": 4},
        {**AWQ, "version": "marlin"},
        {**AWQ, "bits": 8},
        {**GPTQ, "checkpoint_format": "exllama"},
        {**GPTQ, "group_size": 0},
        {**GPTQ, "bits": 5},
        {**GPTQ, "bits": "4"},
        {**GPTQ, "dynamic": {"-:.*": {}}},
        {**GPTQ, "lm_head": True},
        {**GPTQ, "modules_in_block_to_quantize": [["o_proj"]]},
        {**AWQ, "modules_to_not_convert": "lm_head"},
        {**AWQ, "modules_to_not_convert": ["*"]},
        {"quant_method": "fp8"},
        {"quant_method": "mxfp4"},
        {"bits": 4},
        ["awq"],
    ],
)
def test_unknown_layouts_are_refused(config):
    with pytest.raises(InputError, match="quantization_config"):
        stored_weights(config)


def gptq_words(codes: np.ndarray, bits: int) -> np.ndarray:
    """Pack rows of codes [K, N] as AutoGPTQ's QuantLinear.pack does, its three words of 32 codes of 3 bits among it."""
    packed = np.zeros((len(codes) * bits // 32, codes.shape[1]), np.uint64)
    i = row = 0
    while row < len(packed):
        if bits != 3:
            for j in range(i, i + 32 // bits):
                packed[row] |= codes[j].astype(np.uint64) << np.uint64(bits * (j - i))
            i, row = i + 32 // bits, row + 1
            continue
        for j in range(i, i + 10):
            packed[row] |= codes[j].astype(np.uint64) << np.uint64(3 * (j - i))
        i += 10
        packed[row] |= codes[i].astype(np.uint64) << np.uint64(30)
        row += 1
        packed[row] |= codes[i].astype(np.uint64) >> np.uint64(2) & np.uint64(1)
        i += 1
        for j in range(i, i + 10):
            packed[row] |= codes[j].astype(np.uint64) << np.uint64(3 * (j - i) + 1)
        i += 10
        packed[row] |= codes[i].astype(np.uint64) << np.uint64(31)
        row += 1
        packed[row] |= codes[i].astype(np.uint64) >> np.uint64(1) & np.uint64(3)
        i += 1
        for j in range(i, i + 10):
            packed[row] |= codes[j].astype(np.uint64) << np.uint64(3 * (j - i) + 2)
        i += 10
        row += 1
    return (packed & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.int32)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("size", [32, 128, -1])
@pytest.mark.parametrize("checkpoint_format", ["gptq", "gptq_v2"])
def test_gptq_of_every_width_gives_its_codes_and_has_the_bytes_of_the_format(bits, size, checkpoint_format):
    rng, k, n = np.random.default_rng(bits), 256, 64
    groups = 1 if size < 0 else k // size
    less = int(checkpoint_format == "gptq")
    codes, zeros = rng.integers(0, 1 << bits, (k, n)), rng.integers(less, 1 << bits, (groups, n))
    scales = rng.uniform(0.001, 0.02, (groups, n)).astype(np.float16)
    parts = {
        "qweight": gptq_words(codes, bits),
        "qzeros": np.ascontiguousarray(gptq_words(((zeros - less) % (1 << bits)).T, bits).T),
        "scales": scales,
    }
    layout = stored_weights({**GPTQ, "bits": bits, "group_size": size, "checkpoint_format": checkpoint_format})
    tensor = unpack(layout, parts, "layer").tensor
    exact = (codes - zeros.repeat(k // groups, axis=0)) * scales.repeat(k // groups, axis=0).astype(np.float64)
    np.testing.assert_array_equal(tensor.decode(), exact.T)
    stored = layout.format
    assert stored == IntegerWeights(bits, "channel" if size < 0 else size)
    assert 8 * sum(part.nbytes for part in parts.values()) == n * stored.column_bits(k)


@pytest.mark.parametrize(("bits", "size"), [(8, 64), (3, -1), (2, 64)])
def test_a_checkpoint_of_another_width_is_traced_and_replayed_with_its_values(bits, size, save_model, text, tmp_path):
    from sim.arch.load import load_arch
    from sim.functional.replay import replay
    from sim.machine.machine import Machine
    from sim.workload.trace_file import open_trace

    folder, rng, expected = save_model("llama", intermediate_size=128), np.random.default_rng(bits), {}
    state = load_file(folder / "model.safetensors")
    for name in [name for name in state if "proj" in name]:
        n, k = state.pop(name).shape
        groups = 1 if size < 0 else k // size
        codes, zeros = rng.integers(0, 1 << bits, (k, n)), rng.integers(1, 1 << bits, (groups, n))
        scales = rng.uniform(0.001, 0.02, (groups, n)).astype(np.float16)
        layer = name.removesuffix(".weight")
        state[f"{layer}.qweight"] = gptq_words(codes, bits)
        state[f"{layer}.qzeros"] = np.ascontiguousarray(gptq_words((zeros - 1).T, bits).T)
        state[f"{layer}.scales"] = scales
        expected[layer] = ((codes - zeros.repeat(k // groups, 0)) * scales.repeat(k // groups, 0).astype(np.float64)).T
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    describe(folder, {**GPTQ, "bits": bits, "group_size": size})
    options = TraceOptions(tokens=8, text=text)
    extract(load(folder, options), options, tmp_path / "trace")
    trace, machine = open_trace(tmp_path / "trace"), Machine(load_arch("anda-hpca25"))
    recorded = [record for record in trace.manifest.records if record.activations]
    assert {record.name for record in recorded} == set(expected)
    for record in recorded:
        np.testing.assert_array_equal(trace.weights(record).decode(), expected[record.name])
    lengths = (16, 16, 16, 16)
    done = list(replay(trace, machine.pe, lambda gemm: machine.piece(gemm).plan(), PrecisionPlan(lengths)))
    assert all(one.quality.sqnr_decibels > 60 for one in done)  # FP16 outputs; nothing else is lost
    gemms = load_workload(str(tmp_path / "trace"), precision="8").gemms
    assert {gemm.weights for gemm in gemms} == {IntegerWeights(bits, "channel" if size < 0 else size)}


@pytest.mark.parametrize("size", [32, 64, 128])
def test_awq_has_the_bytes_of_the_format(size):
    rng, k, n = np.random.default_rng(0), 256, 64
    codes, zeros = rng.integers(0, 16, (k, n)), rng.integers(0, 16, (k // size, n))
    parts = awq(codes, zeros, np.ones((k // size, n), np.float16))
    assert 8 * sum(part.nbytes for part in parts.values()) == n * IntegerWeights(4, size).column_bits(k)


def test_rows_in_another_order_than_their_groups_are_brought_together():
    codes, zeros, scales = weights(K, N)
    group_of = np.random.default_rng(1).permutation(np.arange(K) // GROUP)
    parts = {**gptq(codes, zeros, scales), "g_idx": group_of.astype(np.int32)}
    packed = unpack(stored_weights(GPTQ), parts, "layer")
    expected = (codes - zeros[group_of]) * scales[group_of].astype(np.float32)
    assert (packed.dequantise() == expected.T).all()
    assert (packed.tensor.dequantise() == expected.T[:, packed.order]).all()
    assert (np.diff(group_of[packed.order]) >= 0).all()


def test_a_layer_of_mixed_rows_is_recorded_in_their_order(save_model, text, tmp_path):
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
        unpack(stored_weights(GPTQ), {**parts, "g_idx": np.zeros(K, np.int32)}, "layer")
    del parts["qzeros"]
    with pytest.raises(InputError, match="layer: missing qzeros"):
        unpack(stored_weights(GPTQ), parts, "layer")


def test_parts_that_do_not_fit_are_refused():
    parts = awq(*weights(K, N))
    with pytest.raises(InputError, match="parts do not fit weights of 192 x 16"):
        unpack(stored_weights(AWQ), {**parts, "scales": parts["scales"][:1]}, "layer")


def compressed(bits, size, symmetric, **changes):
    weights = {"num_bits": bits, "type": "int", "strategy": "channel" if size == "channel" else "group"}
    weights |= {"symmetric": symmetric, "group_size": None if size == "channel" else size}
    group = {"targets": ["Linear"], "weights": weights, "input_activations": None, "output_activations": None}
    whole = {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": group}}
    return {**whole, "ignore": ["lm_head"], **changes}


def in_words(values, bits, along=1):
    """Signed values as compressed-tensors' pack_to_int32 packs them, filled up to whole words."""
    unsigned = (values.astype(np.int64) + (1 << bits - 1)).astype(np.uint64)
    unsigned = unsigned.T if along == 0 else unsigned
    each = 32 // bits
    unsigned = np.pad(unsigned, [(0, 0), (0, -unsigned.shape[1] % each)])
    packed = sum(unsigned[:, place::each] << np.uint64(bits * place) for place in range(each))
    packed = packed.astype(np.uint32).view(np.int32)
    return np.ascontiguousarray(packed.T if along == 0 else packed)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("size", [32, 64, "channel"])
@pytest.mark.parametrize("bits", [4, 8])
def test_compressed_tensors_hold_the_integers_that_were_packed(bits, size, mixed, symmetric):
    rng, n, k, half = np.random.default_rng(bits), 18, 96 if size == 32 else 192, 1 << bits - 1
    count = 1 if size == "channel" else k // size
    values, zeros = rng.integers(-half, half, (n, k)), rng.integers(-half, half, (n, count))
    scales = rng.uniform(0.001, 0.02, (n, count)).astype(np.float16)
    group_of = np.arange(k) // (k // count)
    parts = {
        "weight_packed": in_words(values, bits),
        "weight_shape": np.array([n, k]),
        "weight_scale": scales.astype(np.float32),
    }
    if mixed:
        group_of = rng.permutation(group_of)
        parts["weight_g_idx"] = group_of.astype(np.int32)
    if not symmetric:
        parts["weight_zero_point"] = in_words(zeros, bits, along=0)
    packed = unpack(stored_weights(compressed(bits, size, symmetric)), parts, "layer")
    offsets = 0 if symmetric else zeros[:, group_of]
    np.testing.assert_array_equal(packed.dequantise(), (values - offsets) * scales[:, group_of].astype(np.float32))
    assert packed.format == IntegerWeights(bits, size, zero_point_bits=0 if symmetric else bits)


def test_a_compressed_llama_is_traced_with_its_formats(save_model, text, tmp_path):
    from safetensors.torch import load_file as load_torch
    from safetensors.torch import save_file as save_torch

    folder = save_model("llama", intermediate_size=128)
    state, expected = load_torch(folder / "model.safetensors"), {}
    for name in [name for name in state if "proj" in name and "layers.0.mlp.down" not in name]:
        n, k = state.pop(name).shape
        values = np.random.default_rng(n).integers(-8, 8, (n, k))
        layer = name.removesuffix(".weight")
        state[f"{layer}.weight_packed"] = torch.from_numpy(in_words(values, 4))
        state[f"{layer}.weight_shape"] = torch.tensor([n, k])
        state[f"{layer}.weight_scale"] = torch.full((n, k // 32), 2.0**-7, dtype=torch.bfloat16)
        expected[layer] = values / 128
    save_torch(state, folder / "model.safetensors", {"format": "pt"})
    describe(folder, compressed(4, 32, True, ignore=["lm_head", "re:.*layers.0.mlp.down_proj"]))
    for options in (TraceOptions(tokens=8), TraceOptions(tokens=8, text=text)):
        loaded = load(folder, options)
        manifest = extract(loaded, options, tmp_path / str(options.text is None))
        for record in manifest.records:
            stored = FP16 if record.name not in expected else IntegerWeights(4, 32, zero_point_bits=0)
            assert manifest.weights_of(record) == stored
    for site in loaded.sites:
        if site.name in expected:
            assert (site.weight.detach().numpy() == expected[site.name]).all()


def test_scales_that_fp16_does_not_hold_are_refused():
    parts = awq(*weights(K, N))
    scales = parts["scales"].astype(np.float32) * np.float32(1.0001)
    with pytest.raises(InputError, match="layer: scales that FP16 does not hold\n  found      scales of float32"):
        unpack(stored_weights(AWQ), {**parts, "scales": scales}, "layer")


_GROUP = compressed(4, 32, True)["config_groups"]["group_0"]


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"format": "float-quantized"}, "packing `float-quantized`"),
        ({"format": "int-quantized"}, "packing `int-quantized`"),
        ({"config_groups": {"a": {**_GROUP, "weights": {**_GROUP["weights"], "type": "float"}}}}, "floating-point"),
        ({"config_groups": {"a": {**_GROUP, "weights": {**_GROUP["weights"], "num_bits": 3}}}}, "a packing of 3 bits"),
        (
            {"config_groups": {"a": {**_GROUP, "weights": {**_GROUP["weights"], "strategy": "block"}}}},
            "scales a tensor",
        ),
        ({"config_groups": {"a": {**_GROUP, "input_activations": {"num_bits": 8}}}}, "activations quantised"),
        ({"config_groups": {"a": {**_GROUP, "targets": ["re:.*q_proj"]}}}, "formats that differ by module"),
        ({"config_groups": {"a": _GROUP, "b": _GROUP}}, "formats that differ by module"),
        ({"config_groups": None}, "formats that differ by module"),
        ({"kv_cache_scheme": {"num_bits": 8}}, "a format of keys and values"),
        ({"sparsity_config": {"format": "sparse-24"}}, "of zeros"),
    ],
)
def test_what_compressed_tensors_may_say_beyond_that_is_refused(changes, missing):
    with pytest.raises(InputError, match=f"quantization_config.*\n  missing    .*{missing}"):
        stored_weights({**compressed(4, 32, True), **changes})
