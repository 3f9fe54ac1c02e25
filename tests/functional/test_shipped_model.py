"""The shipped model: better than a 5-gram model, and its trace computed by every machine as the oracle says."""

from __future__ import annotations

import importlib.util
import lzma
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sim import shipped
from sim.arch.load import load_arch
from sim.formats import fp16
from sim.formats.weights.integer import IntegerWeights
from sim.functional.execute import execute
from sim.functional.tiles import output_tiles
from sim.machine.machine import Machine
from sim.workload.precision_rules import everywhere
from sim.workload.readers.trace import gemm_of
from sim.workload.trace_file import Trace, open_trace
from tests.formats import oracle
from tests.functional.oracles import accumulator

MODEL = shipped.ROOT / "workloads" / "tiny-llama"
HELD_OUT = 8192  # bytes of the test text


@pytest.fixture(scope="module")
def loaded():
    import torch

    from sim.trace.load import load_weights

    torch.set_num_threads(1)
    return load_weights(MODEL)


@pytest.fixture(scope="module")
def ngram():
    spec = importlib.util.spec_from_file_location("ngram", MODEL / "ngram.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_a_llama_of_the_size_that_was_asked_for(loaded):
    config = loaded.model.config
    assert (config.model_type, config.vocab_size) == ("llama", 256)
    assert config.hidden_size >= 256
    assert config.num_hidden_layers >= 4
    assert (MODEL / "model.safetensors").stat().st_size <= 8 << 20


def test_it_needs_at_most_two_bits_a_byte_and_fewer_than_a_5_gram_model(loaded, ngram):
    from sim.accuracy.perplexity import Evaluator, Format

    test = (MODEL / "test.txt").read_bytes()[:HELD_OUT]
    baseline = ngram.bits_a_byte(lzma.decompress((MODEL / "train.txt.xz").read_bytes()), test)
    evaluator = Evaluator(loaded, list(test), context=256, stride=256, method="fp16")
    bits = math.log2(evaluator.perplexity(Format(None)))
    assert bits <= 2.0
    assert bits < baseline


def test_no_verse_of_a_chapter_held_out_stands_in_the_training_text():
    train = lzma.decompress((MODEL / "train.txt.xz").read_bytes())
    for name in ("validation.txt", "test.txt"):
        chapters = (MODEL / name).read_bytes().strip().split(b"\n\n")
        assert len(chapters) == 59 + (name == "validation.txt")
        # Whole chapters recur nowhere (single verses do, word for word, in this book).
        assert not any(chapter in train for chapter in chapters)


def test_the_5_gram_model_gives_probabilities(ngram):
    orders = ngram.train(np.frombuffer((MODEL / "validation.txt").read_bytes()[:5000], np.uint8))
    for context in (b"the ", b"heor", b"zzzz", b"e th"):
        text = np.frombuffer(b"".join(context + bytes([byte]) for byte in range(256)), np.uint8)
        probabilities = ngram.probabilities(orders, text)[::5]
        assert probabilities.min() > 0
        assert probabilities.sum() == pytest.approx(1, abs=1e-12)


def test_the_5_gram_model_by_hand(ngram):
    # "aab": unigrams by kinds of predecessors: a after a (1), b after a (1), the first a after nothing (0).
    orders = ngram.train(np.frombuffer(b"aab", np.uint8), longest=2)
    # bigrams aa, ab: once each, none twice: D = 1 / (1 + 0) = 1; unigrams likewise D = 1: p(b) = p0 = 1 / 256.
    found = ngram.probabilities(orders, np.frombuffer(b"ab", np.uint8))
    assert found == pytest.approx([1 / 256])


@pytest.fixture(scope="module")
def trace(loaded, tmp_path_factory) -> Trace:
    from sim.trace.extract import TraceOptions, record
    from sim.trace.weights import quantise

    out: Path = tmp_path_factory.mktemp("traces") / "tiny-llama"
    prompt = list((MODEL / "test.txt").read_bytes()[:20])
    record(loaded, TraceOptions(steps=1, layers=frozenset({2})), [prompt], out, quantise(loaded))
    return open_trace(out)


CASES = [("anda-hpca25", bits) for bits in range(1, 17)]
CASES += [(name, 7) for name in ("fp-fp", "fp-int", "ifpu", "figna", "figna-m11", "figna-m8")]


@pytest.mark.parametrize(("name", "mantissa_bits"), CASES)
def test_every_output_of_a_sampled_tile_equals_the_oracle(name, mantissa_bits, trace):
    rng = np.random.default_rng(CASES.index((name, mantissa_bits)))
    record = trace.manifest.records[rng.integers(len(trace.manifest.records))]
    machine = Machine(load_arch(name))
    gemm = gemm_of(record, everywhere((mantissa_bits,) * 4), IntegerWeights())
    plan = machine.piece(gemm).plan()
    activations, weights = trace.activations(record), trace.weights(record)
    outputs = execute(plan, machine.pe, activations, weights).outputs
    tiles = list(output_tiles(plan))
    tile = tiles[rng.integers(len(tiles))]
    columns = range(tile.column, tile.column + tile.columns)
    integers = weights.rows(slice(columns.start, columns.stop)).integers().reshape(len(columns), -1)[:, : record.k]
    for row in range(tile.row, tile.row + tile.rows):
        codes = fp16.to_codes(activations[row]).tolist()
        for column, of_column in zip(columns, integers.tolist(), strict=True):
            scales = [Fraction(scale) for scale in weights.scales[column].tolist()]
            pair = oracle.Column(codes, of_column, scales, weights.group_size)
            expected = accumulator(name, pair, gemm.mantissa_bits)
            assert outputs[row, column] == float(oracle.binary16(expected))
