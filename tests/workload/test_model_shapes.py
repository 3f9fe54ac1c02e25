"""The shipped models have the parameters that their makers count, and the paper's mantissa lengths and savings."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from sim import shipped
from sim.workload.gemm import Gemm
from sim.workload.load import load_workload
from sim.workload.precision import saving

PUBLISHED = yaml.safe_load((shipped.ROOT / "results" / "published" / "anda-hpca2025.yaml").read_text())[
    "precision_combinations"
]["models"]
COMBINATIONS = [(model, name) for model, entries in PUBLISHED.items() for name in entries]

# Parameters of the released checkpoints, as their loaders count them.
CHECKPOINTS = {
    "opt-125m": 125_239_296,
    "opt-1.3b": 1_315_758_080,
    "opt-2.7b": 2_651_596_800,
    "llama-7b": 6_738_415_616,
    "llama-13b": 13_015_864_320,
    "llama-30b": 32_528_943_616,
    "llama-65b": 65_285_660_672,
    "llama2-7b": 6_738_415_616,
    "llama2-13b": 13_015_864_320,
    "llama2-70b": 68_976_648_192,
    "llama3-8b": 8_030_261_248,
    "llama3-70b": 70_553_706_496,
    "mistral-7b": 7_241_732_096,
    "mixtral-8x7b": 46_702_792_704,
    "qwen2.5-7b": 7_615_616_512,
    "pmpd-7b": 6_738_415_616,
}


def parameters(name: str) -> int:
    """Weights of every GeMM of a model, and what a checkpoint holds besides: embeddings, norms, biases.

    Four tokens are two assignments to each of eight experts at two a token, halved: each expert works once.
    """
    workload = load_workload(name, phase="decode", context=1, steps=1, batch=4, scope="all")
    gemms = [gemm for gemm in workload.gemms if gemm.module not in ("scores", "context")]
    matrices = sum(gemm.k * gemm.n * gemm.count for gemm in gemms)
    shape: dict[str, Any] = workload.resolved
    d, f, layers, vocabulary = (shape[key] for key in ("hidden_size", "intermediate_size", "layers", "vocabulary"))
    if shape["norm"] == "layer":
        # OPT ties the head to the embedding, learns 2048 + 2 positions, and gives every norm and projection a bias.
        return matrices + (2048 + 2) * d + layers * (4 * d + f + d + 2 * 2 * d) + 2 * d
    qkv_bias = sum(gemm.n for gemm in gemms if gemm.module == "qkv") if name.startswith("qwen") else 0
    return matrices + vocabulary * d + layers * (2 * d + qkv_bias) + d


@pytest.mark.parametrize("name", sorted(CHECKPOINTS))
def test_the_gemms_hold_every_parameter_of_the_checkpoint(name: str) -> None:
    assert parameters(name) == CHECKPOINTS[name]


BY_NAME = {"opt-6.7b": "6.7", "opt-13b": "13", "opt-30b": "30", "opt-66b": "66"}


@pytest.mark.parametrize(("name", "billions"), BY_NAME.items())
def test_the_parameters_round_to_the_model_s_name(name: str, billions: str) -> None:
    decimals = len(billions.partition(".")[2])
    assert f"{parameters(name) / 1e9:.{decimals}f}" == billions


def test_every_shipped_model_has_its_parameters_checked() -> None:
    assert set(shipped.names("workloads")) - set(CHECKPOINTS) == set(BY_NAME)


def test_a_weight_matrix_stands_for_multiplications_by_every_token() -> None:
    for name in shipped.names("workloads"):
        shape = load_workload(name).resolved
        attention = shape["attention"]
        q, kv = (attention[key] * attention["head_size"] for key in ("heads", "key_value_heads"))
        d, f = shape["hidden_size"], shape["intermediate_size"]
        experts = shape.get("experts", {"per_token": 1})["per_token"]
        a_token = d * (q + 2 * kv) + q * d + experts * (3 if shape["mlp"]["gated"] else 2) * d * f
        assert load_workload(name, phase="prefill", tokens=37, batch=3).macs == 37 * 3 * shape["layers"] * a_token


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_shipped_mantissa_lengths_are_the_published_ones(name: str) -> None:
    shipped_lengths = load_workload(name).resolved["precision"]
    assert {key: entry["mantissa_bits"] for key, entry in shipped_lengths.items()} == {
        key: entry["mantissa_bits"] for key, entry in PUBLISHED[name].items()
    }


def test_there_are_fifty_four_published_combinations() -> None:
    assert len(COMBINATIONS) == 9 * 6


@pytest.mark.parametrize(("model", "name"), COMBINATIONS)
def test_bit_operation_savings_are_the_published_ones(model: str, name: str) -> None:
    workload = load_workload(model, precision=name)
    # Printed with two decimals; 0.01 is one unit of the last.
    assert abs(saving(workload.gemms) - PUBLISHED[model][name]["bit_operation_saving"]) < 0.01
    # Facts of the paper's formula: weights 3 d^2 : d^2 : (2 if gated) d f : d f.
    shape = workload.resolved
    d, f, gated = shape["hidden_size"], shape["intermediate_size"], shape["mlp"]["gated"]
    weights = (3 * d * d, d * d, (1 + gated) * d * f, d * f)
    bits = sum(weight * length for weight, length in zip(weights, PUBLISHED[model][name]["mantissa_bits"], strict=True))
    assert saving(workload.gemms) == pytest.approx(16 * sum(weights) / bits, rel=1e-15)


def test_fp16_activations_save_nothing_and_one_length_saves_its_ratio() -> None:
    assert saving(load_workload("llama2-70b", precision="fp16").gemms) == 1
    assert saving(load_workload("llama2-70b", precision="4", scope="all").gemms) == 4


def test_models_without_published_lengths_run_at_eight_bits() -> None:
    assert load_workload("pmpd-7b").precision is None  # decodes with FP16 activations
    for name in set(shipped.names("workloads")) - set(PUBLISHED) - {"pmpd-7b"}:
        assert load_workload(name).precision == (8, 8, 8, 8)
    for name in PUBLISHED:
        assert load_workload(name).precision == tuple(PUBLISHED[name]["wikitext2-1%"]["mantissa_bits"])


def test_outputs_are_encoded_for_their_consumer() -> None:
    lengths = {
        gemm.name: (gemm.mantissa_bits, gemm.output_mantissa_bits)
        for gemm in load_workload("llama-7b", precision="9,8,7,6", scope="all").gemms
    }
    assert lengths == {
        "attention.q": (9, 8),
        "attention.k": (9, None),
        "attention.v": (9, None),
        "attention.o": (8, 7),
        "mlp.gate": (7, 6),
        "mlp.up": (7, 6),
        "mlp.down": (6, 9),
        "head": (9, None),
    }


def test_the_outputs_of_experts_leave_as_fp16_since_they_are_combined_first() -> None:
    downs = [gemm for gemm in load_workload("mixtral-8x7b").gemms if gemm.module == "down"]
    assert [gemm.output_mantissa_bits for gemm in downs] == [None]


def test_every_item_is_work() -> None:
    for name in shipped.names("workloads"):
        for phase in load_workload(name, phase="both", tokens=130, steps=70, scope="all").phases:
            for item in phase.items:
                sizes = (item.m, item.k, item.n) if isinstance(item, Gemm) else (item.operations,)
                assert min(*sizes, item.count) >= 1
