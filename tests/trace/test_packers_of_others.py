"""Layers that AutoAWQ, AutoGPTQ, GPTQModel and compressed-tensors packed: bytes, integers and values, all equal.

Files and how they were made: tests/trace/packers.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from sim.errors import InputError
from sim.trace.load import load_weights
from sim.trace.quantised import Packed, unpack
from sim.workload.quantisation import stored_weights
from tests.trace.packers.layers import AUTO_GPTQ, AUTOAWQ, COMPRESSED, GPTQMODEL, PackedLayer
from tests.trace.test_packed_checkpoints import AWQ_ORDER, describe, gptq_words, in_words, words

FOLDER = Path(__file__).parent / "packers"
TOLD = json.loads((FOLDER / "packed.json").read_text(encoding="utf-8"))
LAYERS = {"autoawq": AUTOAWQ, "auto-gptq": AUTO_GPTQ, "gptqmodel": GPTQMODEL, "compressed-tensors": COMPRESSED}
EACH = pytest.mark.parametrize(
    ("package", "layer"),
    [pytest.param(package, layer, id=f"{package}-{layer.name}") for package in LAYERS for layer in LAYERS[package]],
)


def parts(package: str, layer: PackedLayer) -> dict[str, NDArray[Any]]:
    tensors = load_file(FOLDER / f"{package}.safetensors")
    return {name.rpartition(".")[2]: one for name, one in tensors.items() if name.startswith(f"{layer.name}.")}


def config(package: str, layer: PackedLayer) -> dict[str, Any]:
    found: dict[str, Any] = TOLD[package]["layers"][layer.name]["quantization_config"]
    return found


def read(package: str, layer: PackedLayer) -> Packed:
    return unpack(stored_weights(config(package, layer)), parts(package, layer), layer.name)


def test_every_layer_is_there():
    for package, layers in LAYERS.items():
        assert set(TOLD[package]["layers"]) == {layer.name for layer in layers}
        assert {name.partition(".")[0] for name in load_file(FOLDER / f"{package}.safetensors")} == {
            layer.name for layer in layers
        }


@EACH
def test_the_integers_that_were_packed_are_read(package: str, layer: PackedLayer) -> None:
    codes, zeros, scales, group_of = layer.integers()
    packed = read(package, layer)
    order = np.arange(layer.k) if packed.order is None else packed.order
    assert (packed.order is not None) == layer.mixed
    np.testing.assert_array_equal(packed.tensor.codes.reshape(layer.n, layer.k), codes[:, order])
    np.testing.assert_array_equal(packed.tensor.zeros, zeros)
    np.testing.assert_array_equal(packed.tensor.scales, scales)
    assert (np.diff(group_of[order]) >= 0).all()
    np.testing.assert_array_equal(packed.dequantise(), layer.values())


@EACH
def test_values_are_those_that_the_package_itself_reads(package: str, layer: PackedLayer) -> None:
    halves = read(package, layer).dequantise().astype("<f2")
    digest = TOLD[package]["layers"][layer.name]["values_sha256"]
    assert hashlib.sha256(halves.tobytes()).hexdigest() == digest
    halves[3, 5] += np.float16(0.0625)
    assert hashlib.sha256(halves.tobytes()).hexdigest() != digest


@EACH
def test_bytes_are_those_of_the_layouts_written_down_here(package: str, layer: PackedLayer) -> None:
    """The packers that the other tests pack with."""
    codes, zeros, scales, group_of = layer.integers()
    found, bits = parts(package, layer), layer.bits
    if package == "compressed-tensors":
        half = 1 << bits - 1
        made = {"weight_packed": in_words(codes - half, bits), "weight_scale": scales}
        made["weight_shape"] = np.array([layer.n, layer.k])
        if layer.zeros is not None:
            made["weight_zero_point"] = in_words(zeros - half, bits, along=0)
    elif package == "autoawq":
        made = {"qweight": words(codes.T, AWQ_ORDER), "qzeros": words(zeros.T, AWQ_ORDER), "scales": scales.T}
    else:
        less = config(package, layer)["checkpoint_format"] == "gptq"
        made = {"qweight": gptq_words(codes.T, bits), "scales": scales.T, "g_idx": group_of}
        stored = np.ascontiguousarray(gptq_words(zeros, bits).T) if not less or bits != 3 else None
        if stored is None:
            stored = np.ascontiguousarray(gptq_words(zeros - 1 & 7, bits).T)
        elif less:
            ones = sum(1 << place for place in range(0, 32, bits))
            stored = (stored.view(np.uint32) - np.uint32(ones)).view(np.int32)
        made["qzeros"] = stored
    assert set(found) == set(made)
    for name, values in made.items():
        assert (found[name].dtype, found[name].shape) == (values.dtype, values.shape), name
        assert found[name].tobytes() == np.ascontiguousarray(values).tobytes(), name


@EACH
def test_bytes_are_as_many_as_the_format_says(package: str, layer: PackedLayer) -> None:
    """But for the order of rows, the shape, and what fills words up."""
    stored = stored_weights(config(package, layer)).format
    told = {"g_idx", "weight_shape"}
    found = sum(8 * part.nbytes for name, part in parts(package, layer).items() if name not in told)
    expected = layer.n * stored.column_bits(layer.k)
    if layer.n % 32 == 0:
        assert found == expected
    else:
        filled = -layer.n * layer.bits % 32 * layer.groups if stored.zero_point_bits else 0
        assert found == expected + filled


@pytest.mark.parametrize("package", LAYERS)
def test_a_model_runs_with_a_layer_of_each_package(package, save_model):
    """Through the checkpoint's reader: config.json and model.safetensors."""
    for layer in LAYERS[package]:
        if (layer.n, layer.k) != (64, 128):
            continue
        folder = save_model("llama", intermediate_size=128)
        name = "model.layers.0.mlp.down_proj"
        state = load_file(folder / "model.safetensors")
        del state[f"{name}.weight"]
        packed = {f"{name}.{part}": values for part, values in parts(package, layer).items()}
        save_file(state | packed, folder / "model.safetensors", {"format": "pt"})
        describe(folder, config(package, layer))
        loaded = load_weights(folder)
        site = next(site for site in loaded.sites if site.name == name)
        np.testing.assert_array_equal(site.weight.detach().numpy(), layer.values().astype(np.float32))


def test_a_zero_that_readers_do_not_agree_on_is_refused_with_its_place():
    """Less one it is all ones: AutoGPTQ's readers take 0 or 2^bits for it, GPTQModel's the next zero's borrow."""
    layer = next(layer for layer in GPTQMODEL if layer.name == "gptq-bits-4")
    told, found = config("gptqmodel", layer), parts("gptqmodel", layer)
    _, zeros, _, _ = layer.integers()
    assert (zeros == 0).any()
    unknown = {key: value for key, value in told.items() if key != "meta"}
    with pytest.raises(InputError, match=rf"{layer.name}\.qzeros: zeros that readers do not agree on") as refused:
        unpack(stored_weights(unknown), found, layer.name)
    stored = found["qzeros"].view(np.uint8)
    group, byte = np.argwhere((stored >> 4 == 15) | (stored & 15 == 15))[0]
    output = 2 * byte + (stored[group, byte] & 15 != 15)
    assert refused.value.facts["found"] == f"15, a zero of 0 less one, in group {group} of output {output}"
    assert "gptqmodel" in refused.value.facts["known"]


def test_the_order_of_rows_is_not_taken_for_the_plain_one():
    """A reader without g_idx would give other values: the digest tells them apart."""
    layer = next(layer for layer in AUTO_GPTQ if layer.mixed)
    found = parts("auto-gptq", layer)
    del found["g_idx"]
    wrong = unpack(stored_weights(config("auto-gptq", layer)), found, layer.name).dequantise().astype("<f2")
    assert hashlib.sha256(wrong.tobytes()).hexdigest() != TOLD["auto-gptq"]["layers"][layer.name]["values_sha256"]
