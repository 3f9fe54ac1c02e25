"""Attention of a real model as a machine computes it: the contract's values, and losses that fall with bits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from sim.accuracy.attention import attention_as
from sim.accuracy.attention_format import AttentionFormat, AttentionShape, attention_format
from sim.accuracy.perplexity import Evaluator, Format
from sim.arch.load import load_arch
from sim.errors import InputError
from sim.formats.softmax import query_factor
from sim.functional.attention import AttentionArithmetic
from sim.machine.machine import Machine
from sim.trace.linears import linearise
from sim.trace.load import Loaded
from sim.workload.attention import CACHES
from sim.workload.load import load_workload
from tests.accuracy.test_perplexity import TOKENS, evaluator, tiny

ANDA = Machine(load_arch("anda-hpca25"))


def sizes(**changes):
    from transformers import LlamaConfig

    plain = {"vocab_size": 96, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    return LlamaConfig(**plain | {"num_attention_heads": 4, "max_position_embeddings": 64} | changes)


def format_of(kv: str, lengths=(8, 8), machine=ANDA, key_block=64) -> Format:
    cache = CACHES[kv]
    arithmetic = AttentionArithmetic(machine.pe, *lengths, 64, key_block)
    return Format(None, attention=AttentionFormat(kv, cache.bits if cache.integers else None, arithmetic))


@torch.inference_mode()
def test_a_text_at_once_is_decoded_token_by_token_over_the_cache():
    model, taken = tiny(), []
    chosen = format_of("int4", (5, 7)).attention
    originals = AttentionArithmetic.attend_by_pages

    def spy(self, queries, head, visible, page):
        outputs = originals(self, queries, head, visible, page)
        taken.append((queries, head, outputs))
        return outputs

    AttentionArithmetic.attend_by_pages = spy
    try:
        with attention_as(model, chosen):
            model(torch.tensor([TOKENS]))
    finally:
        AttentionArithmetic.attend_by_pages = originals
    assert len(taken) == 2 * 2  # layers, heads of keys and values
    for queries, head, outputs in taken:
        for token in range(len(TOKENS)):
            seen = head.part(slice(0, token + 1))
            alone = chosen.arithmetic.attend(queries[:, token], seen, np.ones((2, token + 1), bool))
            np.testing.assert_array_equal(alone.outputs, outputs[:, token])


@torch.inference_mode()
def test_each_query_head_sees_its_own_keys_and_the_factor_of_powers_of_two():
    """Heads, masks and scaling from transformers' own attention, apart from rounding."""
    from transformers import LlamaForCausalLM, MistralConfig, MistralForCausalLM

    torch.manual_seed(1)
    window = MistralConfig(
        **sizes().to_dict() | {"num_key_value_heads": 2, "sliding_window": 5, "model_type": "mistral"}
    )
    for model in (LlamaForCausalLM(sizes(num_key_value_heads=2)).eval(), MistralForCausalLM(window).eval()):
        identifiers = torch.tensor([TOKENS, TOKENS[::-1]])
        expected = model(identifiers).logits
        wide = format_of("fp16", (None, None), Machine(load_arch("fp-fp"))).attention
        with attention_as(model, wide):
            found = model(identifiers).logits
        assert 0 < float((found - expected).abs().max()) < 2e-3 * float(expected.abs().max())
        with attention_as(model, format_of("int3", (2, 2)).attention):
            rough = model(identifiers).logits
        assert float((rough - expected).abs().max()) > 20 * float((found - expected).abs().max())
        assert torch.equal(model(identifiers).logits, expected), "the model is as it was"
    assert query_factor(0.125) == np.float32(np.log2(np.e) / 8)


def test_bits_lost_are_lost_in_order():
    measured = evaluator()
    reference = measured.scores(Format(None))
    by_cache = [np.abs(measured.scores(format_of(kv, (16, 16))) - reference).mean() for kv in ("int8", "int4", "int3")]
    assert by_cache == sorted(by_cache)
    by_length = [np.abs(measured.scores(format_of("int8", (m, m))) - reference).mean() for m in (12, 6, 4, 2)]
    assert by_length == sorted(by_length)
    few = [np.abs(measured.scores(format_of("int8", one)) - reference).mean() for one in ((3, 12), (12, 3), (12, 12))]
    assert few[2] < min(few[:2])
    assert few[0] != few[1]


def test_a_machine_says_how_its_attention_is_computed():
    made = attention_format(ANDA, tiny(), 2048, "int8", (6, 8))
    assert (made.lengths, made.cache_bits, made.arithmetic.key_block) == ((6, 8), 8, 512)
    assert attention_format(ANDA, tiny(), 100, "int8", (6, 8)).arithmetic.key_block == 128
    assert AttentionShape.of(tiny()).macs(3) == (2 * 4 * 16 * 2,) * 2  # 1, 2 and 3 keys


@pytest.mark.parametrize(
    ("kv", "message"),
    [
        ("int5", "--kv: found 'int5'; did you mean `int[843]`.\n  allowed    int8, int4, int3, fp16"),
        ("fp16", "PEs of kind anda do not multiply the FP16 keys and values of attention"),
    ],
)
def test_a_cache_that_no_pe_takes_is_refused(kv, message):
    with pytest.raises(InputError, match=message):
        attention_format(ANDA, tiny(), 16, kv, (8, 8))


def test_heads_that_groups_do_not_divide_are_refused_with_both_numbers():
    model = tiny()
    model.config.num_key_value_heads = 3
    with pytest.raises(InputError, match="cannot share keys and values evenly") as refused:
        attention_format(ANDA, model, 16, "int8", (8, 8))
    assert refused.value.facts["found"] == "4 heads, 3 of keys and values"


def named_model(kind: str):
    import transformers

    values = {"vocab_size": 96, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    if kind == "gemma2":
        config = transformers.Gemma2Config(**values, num_key_value_heads=2, head_dim=16, intermediate_size=64)
        return transformers.Gemma2ForCausalLM(config).eval()
    config = transformers.BloomConfig(vocab_size=96, hidden_size=64, n_layer=1, n_head=4)
    return transformers.BloomForCausalLM(config).eval()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gemma2", r"model\.layers\.0\.self_attn: softly capped scores \(`softcap`\) have no contract"),
        ("bloom", "--kv: BloomForCausalLM computes its attention itself"),
    ],
)
def test_attention_without_a_contract_is_refused_by_name(kind, message):
    model = named_model(kind)
    measured = Evaluator(Loaded(kind, model, linearise(model)), TOKENS, 16, 16, "fp16")
    with pytest.raises(InputError, match=message):
        measured.scores(format_of("int8"))
    assert np.isfinite(measured.scores(Format(None))).all()


def test_a_cache_of_latents_is_refused_by_name():
    model = tiny()
    model.config.kv_lora_rank = 8
    with pytest.raises(InputError, match=r"a cache of latents \(`kv_lora_rank`\) has no contract"):
        attention_format(ANDA, model, 16, "int8", (8, 8))


def test_keys_that_are_no_numbers_are_named():
    model = tiny()
    with torch.no_grad():
        model.model.layers[1].self_attn.k_proj.weight[3] = float("nan")
    measured = Evaluator(Loaded("tiny", model, linearise(model)), TOKENS, 16, 16, "fp16")
    with pytest.raises(InputError, match=r"model\.layers\.1\.self_attn: keys: nan at index"):
        measured.scores(format_of("int8"))


def test_the_commands_take_caches_and_lengths(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from sim.cli import app

    model, text = "workloads/tiny-llama", "workloads/tiny-llama/test.txt"
    common = ["--text", text, "--tokens", "100", "--context", "50"]

    def told(*options: str) -> dict[str, dict[str, object]]:
        app(["perplexity", model, *common, "--weights", "fp16", "--json", *options], standalone_mode=False)
        return {row["format"]: row for row in json.loads(capsys.readouterr().out)}

    rows = told("--kv", "int4", "--attention-precision", "6,9", "--precision", "7")
    assert [*rows] == ["fp16", "anda 7,7,7,7", "kv int4, attention 6,9", "anda 7,7,7,7, kv int4, attention 6,9"]
    own = rows["kv int4, attention 6,9"]
    assert (own["kv"], own["attention_precision"], own["precision"]) == ("int4", [6, 9], None)
    assert rows["fp16"]["kv"] is None
    assert [*told("--attention-precision", "6")] == ["fp16", "kv int8, attention 6,6"]
    for options, message in (
        (["--attention-precision", "6,8,8"], "--attention-precision: expected one mantissa length or two"),
        (["--kv", "fp16"], "do not multiply the FP16 keys and values"),
    ):
        with pytest.raises(InputError) as caught:
            app(["perplexity", model, *common, "--weights", "fp16", *options], standalone_mode=False)
        assert message in caught.value.render()

    out = tmp_path / "s"
    searched = ["--kv", "int8", "--out", str(out), "--iterations", "4", "--tolerance", "0.1"]
    app(["search", model, *common, *searched], standalone_mode=False)
    found = yaml.safe_load((out / "precision.yaml").read_text())
    assert found["source"].endswith("keys and values int8")
    report = json.loads((out / "search.json").read_text())
    assert report["best"]["attention_precision"] == found["attention_precision"]
    assert report["kv"] == "int8"
    assert report["attention_macs_a_token"] == [4 * 4 * 64 * 51 // 2] * 2
    assert "queries,softmax" in capsys.readouterr().out
    file = str(out / "precision.yaml")
    work = load_workload("opt-125m", scope="all", precision=file)
    [attention] = [item for item in work.phases[0].items if item.module == "attention"]
    assert [attention.query_bits, attention.probability_bits] == found["attention_precision"]
    assert work.resolved["run"]["attention_precision"] == ",".join(map(str, found["attention_precision"]))
    asked = load_workload("opt-125m", scope="all", precision=file, attention_precision="3")
    assert asked.resolved["run"]["attention_precision"] == "3"
