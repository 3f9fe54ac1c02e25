"""What a traced model does between its GeMMs, against the readers that know its class by hand."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from sim.errors import InputError
from sim.trace.extract import TraceOptions, extract, load, record
from sim.trace.load import load_weights
from sim.workload import vector
from sim.workload.gemm import FusedAttention, Gemm, as_vector_work
from sim.workload.load import load_workload
from sim.workload.trace_file import open_trace

LONGER = {"max_position_embeddings": 256}
MODELS = [
    ("opt", {**LONGER, "do_layer_norm_before": True}),
    ("llama", {**LONGER, "tie_word_embeddings": True}),
    ("mistral", {**LONGER, "sliding_window": 70}),
    ("mixtral", {**LONGER, "sliding_window": None}),
    ("qwen2", LONGER),
    ("gpt2", {"n_positions": 256, "n_head": 4}),
]


def work(phase):
    """Operations and bytes by module, GeMMs of routers as the vector unit would do them."""
    total = Counter()
    for item in phase.items:
        if isinstance(item, Gemm) and item.module in ("qkv", "o", "up", "down", "head"):
            total[item.module, "macs"] += item.macs
            continue
        if isinstance(item, FusedAttention):
            total["scores", "operations"] += item.scores * item.head_size * item.count
            total["context", "operations"] += item.scores * item.value_size * item.count
            total["softmax", "operations"] += item.scores * (5 + 3 * item.capped) * item.count
            continue
        one = as_vector_work(item) if isinstance(item, Gemm) else item
        for key in ("operations", "read_bytes", "write_bytes"):
            total[one.module, key] += getattr(one, key) * one.count
    return total


@pytest.mark.parametrize(("kind", "changes"), MODELS)
def test_a_trace_holds_all_the_work_that_the_config_reader_knows_of(kind, changes, save_model, tmp_path):
    folder, options = save_model(kind, **changes), TraceOptions(tokens=150, batch=2, steps=3)
    extract(load(folder, options), options, tmp_path / "trace")
    traced = load_workload(str(tmp_path / "trace"), scope="all")
    read = load_workload(str(folder), phase="both", tokens=150, batch=2, steps=3, scope="all")
    for one, other in zip(traced.phases, read.phases, strict=True):
        found, expected = work(one), work(other)
        if one.name == "prefill":  # the last norm of the real module takes all tokens, not the last of each sequence
            norm = "layer" if kind in ("opt", "gpt2") else "rms"
            for rows, sign in ((300, 1), (2, -1)):
                last = vector.norm("", norm, rows, 64, 1)
                for key in ("operations", "read_bytes", "write_bytes"):
                    expected["norm", key] += sign * getattr(last, key)
        assert +found == +expected


def test_padding_is_no_work(save_model, tmp_path):
    loaded = load_weights(save_model("mixtral"))
    prompts, options = [[5, 6, 7, 8, 9], [10, 11]], TraceOptions(steps=2)
    record(loaded, options, prompts, tmp_path / "together")
    total = Counter()
    for prompt in prompts:
        record(loaded, options, [prompt], tmp_path / str(len(prompt)))
        alone = load_workload(str(tmp_path / str(len(prompt))), scope="all")
        total += sum((work(phase) for phase in alone.phases), Counter())
    together = load_workload(str(tmp_path / "together"), scope="all")
    found = sum((work(phase) for phase in together.phases), Counter())
    keys = [key for key in found if key[1] in ("operations", "macs")]
    assert {key: found[key] for key in keys} == {key: total[key] for key in keys}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("bloom", "the attention of 2 of 2 layers"), ("modernbert", "windows that look both ways")],
)
def test_what_the_recorder_does_not_see_is_refused_by_name(kind, reason, tmp_path):
    from transformers import AutoConfig

    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 96, "head_dim": 16}
    AutoConfig.for_model(kind, **sizes, n_layer=2, n_head=4, pad_token_id=0).save_pretrained(tmp_path)
    options = TraceOptions(tokens=8)
    extract(load(tmp_path, options), options, tmp_path / "trace")
    assert load_workload(str(tmp_path / "trace")).macs > 0
    with pytest.raises(InputError, match=f"--scope: scope `all` needs what was not recorded: .*{reason}"):
        load_workload(str(tmp_path / "trace"), scope="all")


@pytest.mark.parametrize(("kind", "an_operation"), [("gemma2", 5 + 3), ("gemma", 5)])
def test_soft_caps_are_three_operations_a_score(kind, an_operation, tmp_path):
    from transformers import AutoConfig

    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 96, "head_dim": 16}
    AutoConfig.for_model(kind, **sizes, num_key_value_heads=2).save_pretrained(tmp_path)
    options = TraceOptions(tokens=64)
    extract(load(tmp_path, options), options, tmp_path / "trace")
    total = work(load_workload(str(tmp_path / "trace"), scope="all").phases[0])
    assert total["softmax", "operations"] == 2 * 4 * 64 * an_operation * 64


def test_some_modules_alone_are_not_all(save_model, tmp_path):
    options = TraceOptions(tokens=8, modules=frozenset({"o"}))
    extract(load(save_model("llama"), options), options, tmp_path / "trace")
    with pytest.raises(InputError, match="needs what was not recorded: all but some modules"):
        load_workload(str(tmp_path / "trace"), scope="all")


def test_some_layers_alone_are_their_share(save_model, tmp_path):
    folder = save_model("llama")
    for name, layers in (("one", frozenset({1})), ("all", frozenset())):
        options = TraceOptions(tokens=70 - 6, layers=layers)
        extract(load(folder, options), options, tmp_path / name)
    one, every = (work(load_workload(str(tmp_path / name), scope="all").phases[0]) for name in ("one", "all"))
    for key in (("scores", "operations"), ("softmax", "operations"), ("activation", "operations"), ("qkv", "macs")):
        assert 2 * one[key] == every[key] > 0


def test_latent_attention_has_heads_of_its_own_sizes(tmp_path):
    from transformers import AutoConfig

    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 96}
    latent = {"q_lora_rank": 24, "kv_lora_rank": 16, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 12}
    config = AutoConfig.for_model("deepseek_v3", **sizes, **latent, num_key_value_heads=4, first_k_dense_replace=2)
    config.save_pretrained(tmp_path)
    options = TraceOptions(tokens=64)
    manifest = extract(load(tmp_path, options), options, tmp_path / "trace")
    attention = manifest.attentions[0]
    assert (attention.head_size, attention.value_size, attention.rotated_values) == (24, 12, (4 + 1) * 8)
    total = work(load_workload(str(tmp_path / "trace"), scope="all").phases[0])
    assert total["scores", "operations"] == 2 * 4 * 64 * 64 * 24
    assert total["context", "operations"] == 2 * 4 * 64 * 64 * 12
    assert total["qkv", "macs"] == 2 * 64 * (64 * 24 + 24 * 4 * 24 + 64 * (16 + 8) + 16 * 4 * (16 + 12))


def test_the_interface_is_itself_again(save_model, tmp_path):
    from transformers import AttentionInterface

    before, options = AttentionInterface.get_interface, TraceOptions(tokens=4)
    extract(load(save_model("llama"), options), options, tmp_path / "trace")
    assert AttentionInterface.get_interface is before
    assert open_trace(tmp_path / "trace").manifest.unseen == ""
    assert torch.is_inference_mode_enabled() is False
