"""Hugging Face configs and CSVs give the work that the same shapes give in our YAML."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.formats.weight import Grouping
from sim.formats.weights.integer import IntegerWeights
from sim.machine.machine import Machine
from sim.workload.gemm import FP16, Gemm
from sim.workload.load import load_workload

Write = Callable[[str, str], str]

LLAMA = {"hidden_act": "silu", "vocab_size": 32000, "rope_scaling": None, "tie_word_embeddings": False}
CONFIGS: dict[str, dict[str, Any]] = {
    "opt-2.7b": {
        "model_type": "opt",
        "activation_function": "relu",
        "hidden_size": 2560,
        "ffn_dim": 10240,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "vocab_size": 50272,
        "word_embed_proj_dim": 2560,
    },
    "llama-13b": {
        **LLAMA,
        "model_type": "llama",
        "hidden_size": 5120,
        "intermediate_size": 13824,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
    },
    "llama3-70b": {
        **LLAMA,
        "model_type": "llama",
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
    "mistral-7b": {
        **LLAMA,
        "model_type": "mistral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "sliding_window": 4096,
    },
    "mixtral-8x7b": {
        **LLAMA,
        "model_type": "mixtral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "sliding_window": None,
    },
    "qwen2.5-7b": {
        **LLAMA,
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "use_sliding_window": False,
        "sliding_window": 131072,
    },
}


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_a_config_json_is_the_shipped_model(tmp_path: Path, name: str, indent: int | str | None) -> None:
    path = tmp_path / name / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(CONFIGS[name], indent=indent))
    asked: dict[str, Any] = {"phase": "both", "tokens": 5000, "steps": 100, "scope": "all", "precision": "9,8,7,6"}
    read = load_workload(str(path), **asked)
    assert read == load_workload(name, **asked)
    assert read.name == name


def test_gpt2_has_one_mlp_four_times_as_wide_and_no_gate(write: Write) -> None:
    config = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257, "n_inner": None}
    workload = load_workload(
        write("gpt2.json", json.dumps({**config, "activation_function": "gelu_new"})), tokens=1, scope="all"
    )
    gemms = [gemm for gemm in workload.gemms if gemm.module not in ("scores", "context")]
    # Weights of GPT-2 small: 124,439,808 parameters less 1024 positions, biases and norms; the head is the embedding.
    others = 1024 * 768 + 12 * (3 * 768 + 768 + 3072 + 768 + 4 * 768) + 2 * 768
    assert sum(gemm.k * gemm.n * gemm.count for gemm in gemms) == 124_439_808 - others
    assert workload.name == "gpt2"


def test_the_groups_of_a_quantised_checkpoint_change_the_bytes_of_its_weights(write: Write) -> None:
    from sim.mapping.operands import GroupedWeights

    config = {
        **{"model_type": "llama", "hidden_act": "silu", "hidden_size": 256, "intermediate_size": 512},
        **{"num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100},
    }
    for size in (64, 128, 256):
        quantisation = {"quant_method": "awq", "bits": 4, "group_size": size, "modules_to_not_convert": ["lm_head"]}
        path = write("x.json", json.dumps({**config, "quantization_config": quantisation}))
        gemm = load_workload(path).gemms[0]
        groups = gemm.k // size
        assert GroupedWeights(gemm.weights).data_bytes(8, 1, gemm.k) == 8 * (gemm.k * 4 + groups * 20) // 8


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize(("size", "grouping"), [(32, 32), (128, 128), (-1, "channel")])
def test_gptq_of_every_width_is_read_from_a_config(write: Write, bits: int, size: int, grouping: Grouping) -> None:
    config = {
        **{"model_type": "llama", "hidden_act": "silu", "hidden_size": 256, "intermediate_size": 512},
        **{"num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100},
        "quantization_config": {"quant_method": "gptq", "bits": bits, "group_size": size},
    }
    workload = load_workload(write("x.json", json.dumps(config)))
    assert {gemm.weights for gemm in workload.gemms} == {IntegerWeights(bits, grouping)}


def quantised(method: str, **keys: object) -> dict[str, object]:
    return {"quant_method": method, **keys}


def compressed(bits: int, size: int | None) -> dict[str, object]:
    weights = {"num_bits": bits, "type": "int", "strategy": "group" if size else "channel", "symmetric": True}
    group = {"targets": ["Linear"], "weights": {**weights, "group_size": size}, "input_activations": None}
    return quantised("compressed-tensors", format="pack-quantized", config_groups={"a": group}, ignore=["lm_head"])


@pytest.mark.parametrize("model_type", ["llama", "qwen3"])
def test_what_a_config_says_of_its_weights_is_moved_or_refused(write: Write, model_type: str) -> None:
    # A token reads all weights once: what DRAM moves for them is what the config says, each request in whole bursts.
    config = {
        **{"model_type": model_type, "hidden_act": "silu", "hidden_size": 512, "intermediate_size": 1024},
        **{"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "head_dim": 128},
        **{"vocab_size": 96, "max_position_embeddings": 64},
    }
    values, columns = 2 * (4 * 512 * 512 + 3 * 512 * 1024), 2 * (4 * 512 + 2 * 1024 + 512)
    bits = {
        "none": (None, 4 + Fraction(20, 128)),
        "awq 128": (quantised("awq", bits=4, group_size=128), 4 + Fraction(20, 128)),
        "awq 32": (quantised("awq", bits=4, group_size=32), 4 + Fraction(20, 32)),
        "gptq 3": (quantised("gptq", bits=3, group_size=128), 3 + Fraction(19, 128)),
        "gptq 8": (quantised("gptq", bits=8, group_size=128), 8 + Fraction(24, 128)),
        "gptq 2 64": (quantised("gptq", bits=2, group_size=64), 2 + Fraction(18, 64)),
        "compressed 4 32": (compressed(4, 32), 4 + Fraction(16, 32)),
        "compressed 8": (compressed(8, None), 8 + Fraction(16 * columns, values)),
    }
    machine, moved = Machine(load_arch("fp-fp")), {}
    for name, (told, stored) in bits.items():
        path = write("x.json", json.dumps({**config, **({"quantization_config": told} if told else {})}))
        gemms = load_workload(path, phase="decode", context=8).gemms
        assert sum(gemm.k * gemm.n * gemm.count for gemm in gemms) == values
        counts = [(gemm.count, machine.run(gemm).counters) for gemm in gemms]
        moved[name] = sum(count * counters["dram.weight_bytes"] for count, counters in counts)
        requests = sum(count * counters["weight_loader.requests"] for count, counters in counts)
        assert 0 <= moved[name] - values * stored / 8 < machine.arch.dram.burst_bytes * requests
    assert len(set(moved.values())) == len(moved) - 1  # AWQ in groups of 128 is what is made where nothing is told
    refused = {
        "8-bit floating-point weights": quantised("fp8"),
        "a table of 4-bit levels": quantised("bitsandbytes", load_in_4bit=True),
        "4-bit floating-point weights": quantised("mxfp4"),
        "a packing of 5 bits": quantised("gptq", bits=5, group_size=128),
    }
    for missing, told in refused.items():
        path = write("x.json", json.dumps({**config, "quantization_config": told}))
        with pytest.raises(InputError, match=missing):
            load_workload(path)


def test_csv_rows_are_gemms(write: Write) -> None:
    path = write("mine.csv", "a,1,2,3\n\n# a comment\nb, 64, 128, 256,\n")
    workload = load_workload(path, precision="6")
    assert workload.name == "mine"
    assert workload.gemms == (
        Gemm("a", "other", m=1, n=2, k=3, mantissa_bits=6),
        Gemm("b", "other", m=64, n=128, k=256, mantissa_bits=6),
    )


def test_csv_columns_may_stand_in_any_order_under_a_header(write: Write) -> None:
    text = "K,N,M,name,count,mantissa_bits,module\n3,2,1,a,7,5,o\n6,5,4,b,,,down\n64,9,8,c,2,,scores\n"
    assert load_workload(write("x.csv", text), precision="9,8,7,6").gemms == (
        Gemm("a", "o", m=1, n=2, k=3, count=7, mantissa_bits=5, output_mantissa_bits=7),
        Gemm("b", "down", m=4, n=5, k=6, mantissa_bits=6, output_mantissa_bits=9),
        Gemm("c", "scores", m=8, n=9, k=64, count=2, weights=FP16),
    )


def test_the_topologies_of_scale_sim_are_read_as_they_are(write: Write) -> None:
    text = "Layer, M, N, K,\nGEMM1, 64, 128, 256,\nGEMM2, 1, 2, 3,\n"
    assert load_workload(write("x.csv", text), precision="6").gemms == (
        Gemm("GEMM1", "other", m=64, n=128, k=256, mantissa_bits=6),
        Gemm("GEMM2", "other", m=1, n=2, k=3, mantissa_bits=6),
    )


HEAD = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "


def test_convolutions_are_gemms_of_their_windows(write: Write) -> None:
    # AlexNet's first layer: ceil((224 - 11) / 4) + 1 = 55 windows each way, of 11 x 11 x 3 values, 96 filters.
    rows = "Strides,\nConv1, 224, 224, 11, 11, 3, 96, 4,\nFC, 1, 1, 1, 1, 9216, 4096, 1,\n"
    assert load_workload(write("x.csv", HEAD + rows), precision="6").gemms == (
        Gemm("Conv1", "other", m=55 * 55, k=11 * 11 * 3, n=96, mantissa_bits=6),
        Gemm("FC", "other", m=1, k=9216, n=4096, mantissa_bits=6),
    )
    rows = "Stride Height, Stride Width\na, 9, 20, 3, 4, 5, 6, 2, 5\nDP1, 8, 8, 3, 3, 32, 1, 1, 1\n"
    assert load_workload(write("x.csv", HEAD + rows), precision="6").gemms == (
        Gemm("a", "other", m=4 * 5, k=3 * 4 * 5, n=6, mantissa_bits=6),  # 20 values: windows at 0, 5, 10, 15, 20
        Gemm("DP1", "other", m=6 * 6, k=9, n=1, count=32, mantissa_bits=6),
    )


@pytest.mark.parametrize("size", range(3, 12))
@pytest.mark.parametrize("stride", range(1, 5))
def test_the_windows_of_a_convolution_are_those_that_begin_inside(size: int, stride: int, write: Write) -> None:
    # A window at every stride from the first on, until one reaches the last value or beyond.
    starts, window = [0], 3
    while starts[-1] + window < size:
        starts.append(starts[-1] + stride)
    gemm = load_workload(write("x.csv", f"{HEAD}Strides\na,{size},3,{window},3,1,1,{stride}"), precision="6").gemms[0]
    assert gemm.m == len(starts)


def test_a_model_written_as_csv_is_the_same_work(write: Write) -> None:
    model = load_workload("llama3-8b", precision="9,8,7,6")
    lines = ["name,M,N,K,module,count"]
    lines += [f"{gemm.name},{gemm.m},{gemm.n},{gemm.k},{gemm.module},{gemm.count}" for gemm in model.gemms]
    assert load_workload(write("x.csv", "\n".join(lines)), precision="9,8,7,6").gemms == model.gemms


def test_a_csv_with_a_byte_order_mark_and_windows_lines_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xef\xbb\xbfname,M,N,K\r\na,1,2,3\r\n")
    assert load_workload(str(path), precision="fp16").gemms == (Gemm("a", "other", m=1, n=2, k=3),)


@pytest.mark.parametrize("precision", ["ptb-1%", "7,6,5,4", "6", "fp16", None])
def test_the_resolved_config_gives_the_workload_again(write: Write, precision: str | None) -> None:
    for phase in ("prefill", "decode", "both"):
        workload = load_workload("llama-7b", phase=phase, batch=2, scope="all", precision=precision)
        again = load_workload(write("again.yaml", yaml.safe_dump(workload.resolved)))
        assert again == workload
        assert again.resolved == workload.resolved


def test_a_precision_file_is_read(write: Write) -> None:
    path = write("found.yaml", "precision: [7, 6, 5, 4]\n")
    assert load_workload("llama-7b", precision=path).precision == (7, 6, 5, 4)


@pytest.mark.parametrize("written", ["6", "'6'", "[6, 6, 6, 6]", "6,6,6,6", "'6, 6, 6, 6'"])
def test_a_precision_in_yaml_may_be_a_number_a_list_or_a_text(write: Write, written: str) -> None:
    path = write("m.yaml", f"extends: opt-125m\nrun:\n  precision: {written}\n")
    assert load_workload(path).precision == (6, 6, 6, 6)
