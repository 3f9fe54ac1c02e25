"""Perplexity under rules: what decoding token by token gives, with each step's own planes and mantissa lengths."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sim.accuracy.convert import to_block_float, to_fp16
from sim.accuracy.perplexity import Evaluator, Format
from sim.errors import InputError
from sim.formats.weights.integer import IntegerWeights
from sim.trace.linears import linearise
from sim.trace.load import Loaded
from sim.trace.weights import as_format, quantise
from sim.workload.precision_rules import PrecisionRule
from tests.accuracy.test_perplexity import TOKENS, tiny

MODULE = {"q_proj": 0, "k_proj": 0, "v_proj": 0, "o_proj": 1, "gate_proj": 2, "up_proj": 2, "down_proj": 3}
RULES = (
    PrecisionRule(positions="5-", weight_bits=4),
    PrecisionRule(layers=1, weight_bits=(8, 6, 5, 3), precision=6),
    PrecisionRule(steps="9-12", layers=0, weight_bits=2, precision=(4, 3, 5, 7)),
    PrecisionRule(phase="prefill", precision=1),
)


def at(layer: int, position: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Lengths and planes by RULES, spelled out."""
    lengths, bits = (8, 8, 8, 8), (8, 8, 8, 8) if position < 5 else (4, 4, 4, 4)
    if layer == 1:
        lengths, bits = (6, 6, 6, 6), (8, 6, 5, 3)
    elif 9 <= position <= 12:
        lengths, bits = (4, 3, 5, 7), (2, 2, 2, 2)
    return lengths, bits


@pytest.fixture(scope="module")
def loaded():
    model = tiny()
    return as_format(Loaded("tiny", model, linearise(model)), IntegerWeights(8, 64, zero_point_bits=0))


@pytest.fixture(scope="module")
def weights(loaded):
    return quantise(loaded)


def decoded_token_by_token(loaded, weights) -> float:
    """The mean negative log-likelihood of TOKENS[1:], a token a step over a cache of keys and values."""
    from transformers import DynamicCache

    model, cache, total = loaded.model, DynamicCache(), 0.0
    original = {site.name: site.layer.weight for site in loaded.sites}
    position = 0

    def convert(name: str, layer: int):
        def hook(_, inputs):
            return (to_block_float(to_fp16(inputs[0]), at(layer, position)[0][MODULE[name]]),)

        return hook

    sites = [site for site in loaded.sites if site.name in weights.tensors]
    named = [(site, site.name.rpartition(".")[2], int(site.name.split(".")[2])) for site in sites]
    handles = [site.layer.register_forward_pre_hook(convert(name, layer)) for site, name, layer in named]
    with torch.inference_mode():
        for position in range(len(TOKENS) - 1):
            for site, name, layer in named:
                planes = weights.tensors[site.name].planes(at(layer, position)[1][MODULE[name]])
                site.layer.weight = torch.nn.Parameter(torch.from_numpy(planes.dequantise()), requires_grad=False)
            logits = model(torch.tensor([[TOKENS[position]]]), past_key_values=cache, use_cache=True).logits[0, -1]
            total -= torch.log_softmax(logits.double(), -1)[TOKENS[position + 1]].item()
    for handle in handles:
        handle.remove()
    for site in loaded.sites:
        site.layer.weight = original[site.name]
    return total / (len(TOKENS) - 1)


def test_a_text_scored_at_once_is_a_text_decoded(loaded, weights):
    measured = Evaluator(loaded, TOKENS, 32, 32, "8 bits", weights)
    found = -measured.scores(Format((8, 8, 8, 8), rules=RULES)).mean()
    expected = decoded_token_by_token(loaded, weights)
    assert found == pytest.approx(expected, abs=2e-6)
    plain = -measured.scores(Format((8, 8, 8, 8))).mean()
    assert abs(found - plain) > 1e-4, "the rules matter"


def test_all_planes_are_the_weights_and_fewer_lose_more(loaded, weights):
    measured = Evaluator(loaded, TOKENS, 16, 16, "8 bits", weights)
    whole = measured.scores(Format(None))
    np.testing.assert_array_equal(measured.scores(Format(None, weight_bits=(8,) * 4)), whole)
    losses = [np.abs(measured.scores(Format(None, weight_bits=(bits,) * 4)) - whole).mean() for bits in (1, 3, 5, 7)]
    assert losses == sorted(losses, reverse=True)
    np.testing.assert_array_equal(measured.scores(Format(None)), whole), "layers are as they were"


def test_conversion_to_fp16_takes_planes_too(loaded, weights):
    measured = Evaluator(loaded, TOKENS, 16, 16, "8 bits", weights)
    wide, rounded = (
        measured.scores(Format((11,) * 4, conversion=conversion, weight_bits=(3,) * 4))
        for conversion in ("fp32", "fp16")
    )
    assert 0 < np.abs(wide - rounded).max() < 0.05


@pytest.mark.parametrize(
    ("format", "message"),
    [
        (Format(None, weight_bits=(9, 8, 8, 8)), "weight read_bits: found 9\n  allowed    1 to 8"),
        (Format(None, rules=(PrecisionRule(layers="2-", precision=4),)), r"rules\.0\.layers: a layer that the model"),
    ],
)
def test_what_the_model_does_not_have_is_refused(loaded, weights, format, message):
    with pytest.raises(InputError, match=message):
        Evaluator(loaded, TOKENS, 16, 16, "8 bits", weights).scores(format)


def test_planes_of_weights_that_are_no_integers_are_refused():
    model = tiny()
    measured = Evaluator(Loaded("tiny", model, linearise(model)), TOKENS, 16, 16, "fp16")
    with pytest.raises(InputError, match="planes of weights need integer weights"):
        measured.scores(Format(None, weight_bits=(3, 3, 3, 3)))


def test_the_commands_take_formats_rules_and_planes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from sim.cli import app

    model, text = "workloads/tiny-llama", "workloads/tiny-llama/test.txt"

    def told(*options: str) -> dict[str, float]:
        common = ["--text", text, "--tokens", "256", "--context", "64", "--json"]
        app(["perplexity", model, *common, *options], standalone_mode=False)
        return {row["format"]: row["perplexity"] for row in json.loads(capsys.readouterr().out)}

    (tmp_path / "deep.yaml").write_text("precision: 8\nrules: [{positions: 16-, weight_bits: 3}]\n")
    widths = {
        bits: told("--weights", f"{{bits: {bits}, group_size: 64, zero_point_bits: 0}}")["fp16"] for bits in (2, 4, 8)
    }
    assert widths[2] > widths[4] > widths[8] > 0
    assert told("--weights", "q8_0")["fp16"] == pytest.approx(told("--weights", "fp16")["fp16"], rel=0.01)
    deep = told("--weights", "{format: planes, bits: 8}", "--precision", str(tmp_path / "deep.yaml"))
    assert deep["deep"] > deep["fp16"]
    for wrong, message in (
        ("q8", "--weights: found 'q8'; did you mean `q8_0`"),
        ("{bits: 9}", "--weights weights={bits: 9}: weights.bits: integers of 9 bits"),
        ("{bit: 4}", "weights.bit: unknown key; did you mean `bits`"),
    ):
        with pytest.raises(InputError) as caught:
            app(["perplexity", model, "--text", text, "--weights", wrong], standalone_mode=False)
        assert message in caught.value.render()
