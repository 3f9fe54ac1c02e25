"""Perplexity against its definition, computed here token by token with plain transformers."""

from __future__ import annotations

import math

import pytest
import torch

from sim.accuracy.perplexity import Evaluator, Format, windows
from sim.errors import InputError
from sim.trace.linears import linearise
from sim.trace.load import Loaded

TOKENS = torch.randint(0, 96, (25,), generator=torch.Generator().manual_seed(1)).tolist()


def tiny():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=96,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32,
    )
    return LlamaForCausalLM(config).eval()


def evaluator(context=16, stride=16, model=None):
    model = model or tiny()
    return Evaluator(Loaded("tiny", model, linearise(model)), TOKENS, context, stride, "fp16")


@pytest.mark.parametrize(("context", "stride"), [(8, 8), (8, 3), (16, 7), (2, 1), (32, 32)])
def test_each_token_is_scored_once_with_the_tokens_of_its_window(context, stride, monkeypatch):
    monkeypatch.setattr("sim.accuracy.perplexity.to_fp16", lambda values: values)
    model = tiny()
    total, scored = 0.0, set()
    for begin in range(0, len(TOKENS), stride):
        for position in range(begin + 1, min(begin + context, len(TOKENS))):
            if position in scored:
                continue
            with torch.no_grad():
                logits = model(torch.tensor([TOKENS[begin:position]])).logits[0, -1]
            total += torch.log_softmax(logits, -1)[TOKENS[position]].item()
            scored.add(position)
    found = evaluator(context, stride, model).perplexity(Format(None))
    assert found == pytest.approx(math.exp(-total / len(scored)), rel=1e-5)  # sums of binary32 in another order


@pytest.mark.parametrize(("tokens", "context", "stride"), [(100, 16, 16), (100, 16, 5), (17, 16, 16), (2, 64, 64)])
def test_windows_score_every_token_once_that_has_one_before_it(tokens, context, stride):
    found = list(windows(tokens, context, stride))
    scored = [token for window in found for token in range(window.scored, window.end)]
    alone = set(range(0, tokens, stride)) if stride == context else {0}
    assert scored == [token for token in range(tokens) if token not in alone]
    assert all(window.end - window.begin <= context for window in found)


def test_sixteen_bits_change_less_than_four():
    measured = evaluator()
    reference = measured.perplexity(Format(None))
    losses = [abs(measured.perplexity(Format((bits,) * 4)) - reference) for bits in (2, 4, 16)]
    assert losses[0] > losses[1] > losses[2]


def test_each_module_is_converted_at_its_own_length():
    """A format of one module converts that module's inputs and no others."""
    from sim.accuracy import perplexity

    measured = evaluator()
    asked: list[tuple[int, str]] = []
    original = perplexity._converted

    def spy(values, length, format, name):
        asked.append((length, name))
        return original(values, length, format, name)

    perplexity._converted = spy
    try:
        measured.perplexity(Format((3, 4, 5, 6)))
    finally:
        perplexity._converted = original
    lengths = {"q_proj": 3, "k_proj": 3, "v_proj": 3, "o_proj": 4, "gate_proj": 5, "up_proj": 5, "down_proj": 6}
    assert asked
    assert all(lengths[name.rpartition(".")[2]] == length for length, name in asked)
    assert {name.rpartition(".")[2] for _, name in asked} == {"q_proj", "o_proj", "gate_proj", "down_proj"}


def test_hooks_are_gone_afterwards():
    measured = evaluator()
    first = measured.perplexity(Format((2, 2, 2, 2)))
    assert measured.perplexity(Format(None)) != first
    assert measured.perplexity(Format((2, 2, 2, 2))) == first


def test_nan_is_named():
    model = tiny()
    with torch.no_grad():
        model.model.layers[1].input_layernorm.weight[3] = float("nan")
    with pytest.raises(InputError, match=r"activations of model\.layers\.1\.self_attn\.q_proj: nan at index"):
        evaluator(model=model).perplexity(Format(None))


@pytest.mark.parametrize(("context", "stride"), [(33, 33), (1, 1), (16, 0), (16, 17)])
def test_windows_that_cannot_be(context, stride):
    with pytest.raises(InputError):
        evaluator(context, stride)
