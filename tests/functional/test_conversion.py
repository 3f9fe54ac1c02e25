"""`mxu.conversion: fp16` of a machine's YAML, through values, replay and perplexity, against the numeric contract."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.formats import contract
from sim.formats.block_float import BlockFloat
from sim.formats.int4 import Int4Tensor
from sim.units import processing_element

K, N, TOKENS = 200, 24, 12
ALIGNING = {"anda-hpca25": 7, "figna": 13, "ifpu": 13, "figna-m8": 8}


def operands(largest, seed=0):
    rng = np.random.default_rng(seed)
    activations = (rng.normal(size=(TOKENS, K)) * largest / 4).astype(np.float16)
    return activations, Int4Tensor.quantise(rng.normal(size=(N, K)), "zero-point", 64)


def pe_of(name, *overrides):
    return processing_element.make(load_arch(name, overrides))


@pytest.mark.parametrize("name", ALIGNING)
@pytest.mark.parametrize("largest", [1.0, 60_000.0])
def test_values_with_conversion_to_fp16_are_those_of_the_contract(name, largest):
    activations, weights = operands(largest)
    expected, usual = (
        contract.gemm(BlockFloat.align(activations, ALIGNING[name]), weights, conversion)
        for conversion in ("fp16", "fp32")
    )
    with np.errstate(invalid="ignore"):
        found = pe_of(name, "mxu.conversion=fp16").multiply(activations, weights, 7)
    assert np.array_equal(found, expected.accumulators, equal_nan=True)
    assert not np.array_equal(found, usual.accumulators)
    assert np.array_equal(pe_of(name).multiply(activations, weights, 7), usual.accumulators)
    assert bool(expected.overflows) == (largest > 1)


@pytest.mark.parametrize("name", ["fp-fp", "fp-int"])
def test_kinds_without_integer_sums_refuse_it(name):
    with pytest.raises(InputError, match=r"--set mxu\.conversion=fp16: mxu\.conversion: found fp16: a PE of kind"):
        pe_of(name, "mxu.conversion=fp16")


def test_figures_of_the_rtl_are_of_binary32():
    with pytest.raises(InputError, match="this PE was not synthesised"):
        load_arch("anda-hpca25", ["cost.pe=rtl", "mxu.conversion=fp16"])


@pytest.fixture(scope="module")
def evaluator():
    from transformers import LlamaConfig, LlamaForCausalLM

    from sim.accuracy.perplexity import Evaluator
    from sim.trace.linears import linearise
    from sim.trace.load import Loaded
    from sim.trace.weights import quantise

    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 160, "num_attention_heads": 4, "num_key_value_heads": 2}
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=96, num_hidden_layers=1, max_position_embeddings=64, **sizes)
    ).eval()
    loaded = Loaded("tiny", model, linearise(model))
    made = quantise(loaded)
    return Evaluator(loaded, list(range(60)), 60, 60, made.method, made)


def test_a_layer_of_a_model_computes_what_the_contract_says():
    from sim.accuracy.convert import to_block_float
    from sim.accuracy.grouped import grouped_linear

    activations, weights = operands(1.0)
    layer = torch.nn.Linear(K, N)
    converted = to_block_float(torch.from_numpy(activations.astype(np.float32)), 7)
    found = grouped_linear(layer, weights, 64)(converted.reshape(3, 4, K)).reshape(TOKENS, N) - layer.bias
    expected = contract.gemm(BlockFloat.align(activations, 7), weights, "fp16").accumulators
    # The bias is added and taken away again, in binary32.
    assert np.allclose(found.detach().numpy(), expected, rtol=0, atol=1e-6)


def test_perplexity_and_search_take_the_conversion(evaluator, tmp_path):
    from sim.accuracy.perplexity import Format
    from sim.precision_search.run import run

    usual, fp16 = (Format((6, 6, 6, 6), conversion=one) for one in ("fp32", "fp16"))
    before, converted = evaluator.scores(usual), evaluator.scores(fp16)
    assert not np.array_equal(before, converted)
    assert np.abs(before - converted).max() < 0.1
    assert np.array_equal(evaluator.scores(usual), before)  # the layers are themselves again
    assert np.array_equal(evaluator.scores(Format(None)), evaluator.scores(Format(None, conversion="fp16")))
    found = [run(evaluator, tmp_path / one.conversion, 0.0, 10, like=one) for one in (usual, fp16)]
    lengths = (13, 13, 13, 13)  # sums of four bits are mostly exact in FP16
    assert found[0].evaluations[lengths].perplexity != found[1].evaluations[lengths].perplexity
    with pytest.raises(InputError, match="belongs to a search of another format"):
        run(evaluator, tmp_path / "fp32", 0.0, 10, like=fp16)


def test_it_needs_integer_weights(evaluator):
    from sim.accuracy.perplexity import Evaluator, Format
    from sim.trace.load import Loaded

    plain = Evaluator(Loaded("tiny", evaluator.model, evaluator.sites), [1, 2, 3], 3, 3, "fp16")
    with pytest.raises(InputError, match="conversion to FP16 and planes of weights need integer weights"):
        plain.scores(Format((6, 6, 6, 6), conversion="fp16"))
