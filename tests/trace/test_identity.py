"""Searches and traces know weights, tokenizer, text and code by their bytes, and by nothing else."""

from __future__ import annotations

import json
import os

import pytest

from sim.accuracy.perplexity import Evaluator
from sim.errors import InputError
from sim.precision_search.run import run
from sim.trace import identity
from sim.trace.extract import TraceOptions, extract, load
from sim.trace.load import load_weights
from sim.trace.text import tokens_of
from sim.trace.weights import quantise


def searched(folder, text, out):
    """A search of two tuples, and how many passes over the text it took."""
    loaded = load_weights(folder)
    made = quantise(loaded)
    evaluator = Evaluator(loaded, tokens_of(folder, text)[:40], 40, 40, made.method, made)
    passes, scores = [], evaluator.scores
    evaluator.scores = lambda format_: passes.append(format_) or scores(format_)
    return run(evaluator, out, 0.05, 2), len(passes)


def with_other_bytes(path, change):
    """Change a file and leave it as old, and as long, as it was."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def flip_last(content):
    content[-3] ^= 1  # in the last tensor of the file: a bit of a weight


def swap_two(content):
    at, other = (content.index(f'"{letter}": {code}'.encode()) for letter, code in (("T", ord("T")), ("Q", ord("Q"))))
    content[at + 1], content[other + 1] = content[other + 1], content[at + 1]


def test_a_search_begun_goes_on_whatever_the_times_of_its_files(save_model, text, tmp_path):
    folder = save_model("llama")
    first, passes = searched(folder, text, tmp_path / "search")
    assert passes == 3
    for path in (*folder.iterdir(), text):
        os.utime(path, (1, 1))
    again, passes = searched(folder, text, tmp_path / "search")
    assert passes == 0
    assert [visit.perplexity for visit in again.visits] == [visit.perplexity for visit in first.visits]


@pytest.mark.parametrize(
    ("file", "change", "part"),
    [
        ("model.safetensors", flip_last, "model"),
        ("tokenizer.json", swap_two, "text or tokeniser"),
        ("text", lambda content: content.__setitem__(5, ord("Z")), "text or tokeniser"),
    ],
)
def test_one_byte_more_or_less_is_another_search_with_figures_of_its_own(
    file, change, part, save_model, text, tmp_path
):
    folder = save_model("llama", tie_word_embeddings=False)
    first, _ = searched(folder, text, tmp_path / "search")
    with_other_bytes(text if file == "text" else folder / file, change)
    with pytest.raises(InputError, match=f"belongs to a search of another {part}\n"):
        searched(folder, text, tmp_path / "search")
    other, passes = searched(folder, text, tmp_path / "other")
    assert passes == 3
    assert other.reference != first.reference


def test_other_code_is_another_search(save_model, text, tmp_path, monkeypatch):
    folder = save_model("llama")
    searched(folder, text, tmp_path / "search")
    monkeypatch.setattr("sim.accuracy.perplexity.of_code", lambda: "another")
    with pytest.raises(InputError, match="belongs to a search of another version of the code\n"):
        searched(folder, text, tmp_path / "search")


def test_the_code_is_every_byte_of_what_decides(tmp_path, monkeypatch):
    package = tmp_path / "sim"
    for part in identity.DECIDING:
        (package / part).mkdir(parents=True)
        (package / part / "one.py").write_text("x = 1\n")
    (package / "report").mkdir()
    (package / "report" / "one.py").write_text("x = 1\n")
    monkeypatch.setattr(identity, "PACKAGE", package)
    told = {identity.of_code.__wrapped__()}
    for part in identity.DECIDING:
        file = package / part / "one.py"
        before = file.stat()
        file.write_text("x = 2\n")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        told.add(identity.of_code.__wrapped__())
    assert len(told) == 1 + len(identity.DECIDING)
    (package / "report" / "one.py").write_text("x = 2\n")
    assert identity.of_code.__wrapped__() in told


def test_a_trace_tells_the_weights_it_was_recorded_with(save_model, text, tmp_path):
    folder, options = save_model("llama", tie_word_embeddings=False), TraceOptions(tokens=8, text=text)
    revisions = []
    for number in range(3):
        revisions.append(extract(load(folder, options), options, tmp_path / str(number)).model.revision)
        if number == 0:
            os.utime(folder / "model.safetensors", (1, 1))
        else:
            with_other_bytes(folder / "model.safetensors", flip_last)
    assert revisions[0] == revisions[1] != revisions[2]
    assert json.loads((tmp_path / "2" / "manifest.json").read_text())["model"]["revision"] == revisions[2]
