"""`run CONFIG.json` of classes that no reader knows: the same work as a reader's, at any tokens, batch and phase."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from sim.errors import InputError
from sim.trace import described
from sim.workload.load import load_workload
from sim.workload.options import Options

from .test_scope_all import MODELS, work

RUNS = [
    {"phase": "prefill", "tokens": 100, "batch": 2},
    {"phase": "decode", "context": 130, "steps": 5, "batch": 3},
    {"phase": "both", "tokens": 70, "steps": 4},
    {"phase": "mixed", "tokens": 150, "chunk": 40, "context": 90, "batch": 3},
    {"phase": "mixed", "tokens": 30, "chunk": 64, "context": 64, "batch": 1},
    {},
]


@pytest.mark.parametrize("asked", RUNS, ids=lambda asked: asked.get("phase", "usual"))
@pytest.mark.parametrize(("kind", "changes"), MODELS)
def test_by_trace_and_by_hand_it_is_the_same_work(kind, changes, asked, save_model):
    longer = {key: 4096 for key in ("max_position_embeddings", "n_positions") if key in changes}
    path = save_model(kind, **{**changes, **longer}) / "config.json"
    for scope in ("fp-int", "all"):
        traced = described.read(path, Options(**asked, scope=scope))
        read = load_workload(str(path), **asked, scope=scope)
        assert [phase.name for phase in traced.phases] == [phase.name for phase in read.phases]
        for one, other in zip(traced.phases, read.phases, strict=True):
            found, expected = (
                {key: count for key, count in (+work(phase)).items() if scope == "fp-int" or key[0] != "norm"}
                for phase in (one, other)
            )
            assert found == expected


def test_rules_reach_the_same_layers_and_steps(save_model, tmp_path):
    path, rules = save_model("llama", max_position_embeddings=4096) / "config.json", tmp_path / "rules.yaml"
    rules.write_text(
        "precision: 8\nrules: [{layers: 1, precision: [7, 6, 5, 4]}, {steps: 2-, positions: 73-74, precision: 3}]\n"
    )
    asked = {"phase": "both", "tokens": 70, "steps": 6, "precision": str(rules)}
    found, expected = (
        [_precise(phase) for phase in one.phases]
        for one in (described.read(path, Options(**asked)), load_workload(str(path), **asked))
    )
    assert found == expected
    assert {key[4] for key in found[1]} == {8, 7, 6, 5, 4, 3}


def _precise(phase):
    counts = Counter()
    for gemm in phase.items:
        counts[gemm.module, gemm.m, gemm.k, gemm.n, gemm.mantissa_bits, gemm.output_mantissa_bits] += gemm.count
    return counts


@pytest.fixture
def qwen3(tmp_path):
    from transformers import AutoConfig

    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    values = AutoConfig.for_model("qwen3", **sizes, head_dim=16, intermediate_size=96, vocab_size=96).to_dict()
    (tmp_path / "config.json").write_text(json.dumps({**values, "max_position_embeddings": 512}, indent=1, default=str))
    return str(tmp_path / "config.json")


def test_a_class_that_no_reader_knows_runs(qwen3):
    workload = load_workload(qwen3, tokens=64, precision="7,6,5,4", scope="all")
    macs = 2 * 64 * (64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 96)
    assert sum(gemm.macs for gemm in workload.gemms if gemm.weights.bits == 4) == macs
    assert {gemm.mantissa_bits for gemm in workload.gemms} == {7, 6, 5, 4}
    assert load_workload(qwen3, tokens=128).macs == 2 * load_workload(qwen3, tokens=64).macs


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"phase": "mixed", "steps": 2}, "--steps: run.steps: phase `mixed` does not take it"),
        ({"phase": "mixed", "tokens": 20, "context": 600}, "are more positions than the model has"),
        ({"phase": "prefill", "steps": 3}, "--steps: run.steps: phase `prefill` does not take it"),
        ({"tokens": 0}, "--tokens: run.tokens: expected greater than or equal to 1"),
        ({"tokens": 513}, "are more positions than the model has"),
        ({"overrides": ("layers=3",)}, "--set-workload layers=3: layers: unknown key"),
        ({"precision": "17"}, "--precision: precision: mantissa length 17"),
    ],
)
def test_what_such_a_run_refuses(asked, message, qwen3):
    with pytest.raises(InputError, match=message):
        load_workload(qwen3, **asked)


def test_an_encoder_is_one_pass(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert", "num_hidden_layers": 2}')
    path = str(tmp_path / "config.json")
    assert {gemm.module for gemm in load_workload(path, tokens=32).gemms} == {"qkv", "o", "up", "down"}
    with pytest.raises(InputError, match="is an encoder: its tokens see one another"):
        load_workload(path, phase="decode", context=32)


def test_a_class_of_another_kind_is_refused_by_name(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    with pytest.raises(InputError, match="mamba has layers of `linear_attention`, which are not modelled"):
        load_workload(str(tmp_path))


def test_a_module_of_ones_own_is_a_workload():
    import torch
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    from sim import from_module

    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.up_proj, self.c_attn = nn.Linear(64, 96), Conv1D(32, 96)

        def forward(self, x):
            return self.c_attn(self.up_proj(x).relu())

    x = torch.randn(2, 5, 64)
    module = Mine()
    before = module(x)
    workload = from_module(module, {"x": x}, "7,6,5,4")
    assert [(gemm.m, gemm.k, gemm.n, gemm.mantissa_bits) for gemm in workload.gemms] == [
        (10, 64, 96, 5),
        (10, 96, 32, 7),
    ]
    assert torch.allclose(module(x), before)
    with pytest.raises(InputError, match="no linear layer ran"):
        from_module(nn.ReLU(), {"input": x})
