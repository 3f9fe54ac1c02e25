"""Log-likelihoods against the double-precision definition, and the error of a loss against many drawn texts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sim.accuracy import likelihood
from sim.accuracy.likelihood import log_likelihoods
from sim.accuracy.loss import FormatLoss, quantile

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 256_000}


def model_of(kind="llama", **changes):
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **{**SIZES, "intermediate_size": 16, **changes})
    return MODEL_FOR_CAUSAL_LM_MAPPING[type(config)](config).eval()


@torch.inference_mode()
def test_the_sum_over_256_000_words_is_right_to_a_millionth_of_a_nat():
    model, identifiers = model_of(), torch.arange(48)[None] * 5003
    with torch.no_grad():
        model.lm_head.weight *= 20  # logits as far apart as those of a real model
    exact = torch.log_softmax(model(identifiers).logits.double(), dim=-1)
    expected = exact[0, :-1].gather(-1, identifiers[0, 1:, None])[:, 0]
    found = log_likelihoods(model, identifiers)[0]
    # The head runs on fewer rows at a time: logits differ by the order of its sums, some 1e-6 of 10.
    assert abs(float(found.mean() - expected.mean())) < 1e-6
    assert float((found - expected).abs().max()) < 1e-4


@pytest.mark.parametrize("kind", ["llama", "opt", "gpt2", "gemma2", "bloom"])
@torch.inference_mode()
def test_no_more_logits_than_the_bound_exist_and_the_body_runs_once(kind, monkeypatch):
    sizes = {"vocab_size": 500, "word_embed_proj_dim": 16, "ffn_dim": 16, "head_dim": 8, "num_key_value_heads": 1}
    model = model_of(kind, **sizes)
    identifiers = torch.randint(0, 500, (2, 30), generator=torch.Generator().manual_seed(1))
    expected = torch.log_softmax(model(identifiers).logits.double(), -1)[:, :-1]
    expected = expected.gather(-1, identifiers[:, 1:, None])[..., 0]
    monkeypatch.setattr(likelihood, "LOGITS", 7000)
    sizes, bodies = [], []
    model.get_output_embeddings().register_forward_hook(lambda _, inputs, output: sizes.append(output.numel()))
    layers = next(module for module in model.modules() if isinstance(module, torch.nn.ModuleList))
    layers[0].register_forward_hook(lambda *_: bodies.append(1))
    found = log_likelihoods(model, identifiers, first=3)
    assert torch.allclose(found, expected[:, 2:], atol=1e-5, rtol=0)
    assert max(sizes) <= 7000
    assert len(sizes) == math.ceil(27 / 7)
    assert len(bodies) == 1
    assert torch.equal(model(identifiers).logits, model(identifiers).logits)  # the body is itself again


def test_the_standard_error_is_the_spread_over_drawn_texts():
    rng = np.random.default_rng(0)
    losses, tokens = [], 4096
    for _ in range(200):
        hard, noise = rng.normal(3, 2, tokens), rng.normal(0.01, 0.3, tokens // 8).repeat(8)  # eight tokens alike
        losses.append(FormatLoss.of(-(hard + noise), -hard))
    spread = np.std([one.nats for one in losses])
    assert np.mean([one.standard_error for one in losses]) == pytest.approx(spread, rel=0.15)
    inside = np.mean([abs(one.nats - 0.01) < quantile(0.975) * one.standard_error for one in losses])
    assert 0.90 < inside < 0.99


def test_what_is_hard_about_a_text_cancels():
    hard = np.random.default_rng(0).normal(3, 2, 1000)
    assert FormatLoss.of(-hard - 0.01, -hard) == FormatLoss(pytest.approx(0.01), pytest.approx(0, abs=1e-12), 1000)


def test_noise_and_tokens_to_settle_by_hand():
    # log 1.01 = 0.00995; the loss lies 0.00495 below it, 1.645 errors of 0.004 are 0.00658
    loss = FormatLoss(0.005, 0.004, 1000)
    assert loss.within_noise(0.01)
    assert not loss.within_noise(0.02)
    assert loss.tokens_to_settle(0.01) == math.ceil(1000 * (1.6448536 * 0.004 / (math.log(1.01) - 0.005)) ** 2)
    assert FormatLoss(math.log1p(0.25), 0.1, 10).tokens_to_settle(0.25) is None
    assert FormatLoss.of(np.array([-1.0]), np.array([-1.0])).standard_error == math.inf
