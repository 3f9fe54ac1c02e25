"""Bits a byte of the shipped model on test.txt: beside 5-grams on all of it, in number formats on its beginning."""

from __future__ import annotations

import importlib.util
import lzma
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from records.record import FLOATING, RESULTS, ROOT, Record, Sample, read, written
from sim.accuracy.perplexity import Evaluator, Format
from sim.trace.load import load_weights
from sim.trace.weights import quantise

MODEL = ROOT / "workloads" / "tiny-llama"
RECORD = RESULTS / "tiny_llama.json"
CONTEXT, PART = 256, 65536
NGRAM, FLOAT = "5-gram, Kneser-Ney", "fp16 weights, fp16 activations"
FORMATS = {
    "fp16": Format(None),
    "figna 13": Format((13, 13, 13, 13)),
    **{f"anda {bits}": Format((bits, bits, bits, bits)) for bits in range(4, 12)},
    **{f"block float {bits}": Format((bits, bits, bits, bits), "nearest") for bits in range(4, 12)},
}


class TinyLlama(Record):
    name = "tiny-llama"
    files: ClassVar[tuple[Path, ...]] = (RECORD,)

    def make(self) -> None:
        test = _test()
        part, formats = test[:PART], _formats()
        report = {
            "text": "test.txt",
            "context": CONTEXT,
            "stride": CONTEXT,
            "bits_a_byte": {
                f"all {len(test)} bytes": {NGRAM: _ngrams(test), FLOAT: _bits(test, Format(None), "fp16")},
                f"first {PART} bytes": {name: _bits(part, *formats[name]) for name in formats},
            },
        }
        RECORD.write_text(written(report), encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        formats, recorded = _formats(), read(RECORD)["bits_a_byte"][f"first {PART} bytes"]
        yield Sample("formats", sorted(recorded), sorted(formats))
        name = random.choice(sorted(formats))
        yield Sample(name, recorded[name], _bits(_test()[:PART], *formats[name]), FLOATING)


def _test() -> bytes:
    return (MODEL / "test.txt").read_bytes()


@cache
def _formats() -> dict[str, tuple[Format, str]]:
    """Formats by what the record calls them, each with its quantisation of the weights."""
    method = quantise(load_weights(MODEL)).method
    quantised = {f"int4 weights ({method}), {name}": (format_, method) for name, format_ in FORMATS.items()}
    return {FLOAT: (Format(None), "fp16"), **quantised}


def _bits(text: bytes, format_: Format, method: str) -> float:
    evaluator = Evaluator(load_weights(MODEL), list(text), CONTEXT, CONTEXT, method)
    return math.log2(evaluator.perplexity(format_))


def _ngrams(test: bytes) -> float:
    """The baseline, from the file beside the model."""
    found = importlib.util.spec_from_file_location("ngram", MODEL / "ngram.py")
    assert found is not None
    assert found.loader is not None
    ngram: Any = importlib.util.module_from_spec(found)
    found.loader.exec_module(ngram)
    return float(ngram.bits_a_byte(lzma.decompress((MODEL / "train.txt.xz").read_bytes()), test))
