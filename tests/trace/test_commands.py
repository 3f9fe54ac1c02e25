"""The commands `trace`, `perplexity` and `search` as a user types them."""

from __future__ import annotations

import json

import pytest
import typer
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from sim.commands import models
from sim.errors import InputError
from sim.workload.load import load_workload
from sim.workload.trace_file import open_trace

app = typer.Typer()
for command in (models.trace, models.perplexity, models.search):
    app.command(command.__name__)(command)


def typed(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_a_trace_of_shapes_is_a_workload(save_model, tmp_path):
    said = typed("trace", save_model("llama"), "--out", tmp_path / "t", "--tokens", 8, "--steps", 1)
    assert "30 GeMMs of llama" in said
    assert [phase.name for phase in load_workload(str(tmp_path / "t")).phases] == ["prefill", "decode"]


def test_a_config_alone_is_enough_for_shapes(save_model, tmp_path):
    folder = save_model("mixtral")
    (folder / "model.safetensors").unlink()
    typed("trace", folder / "config.json", "--out", tmp_path / "t", "--tokens", 8)
    assert load_workload(str(tmp_path / "t")).name == "mixtral"


def test_padding_of_k_is_said(save_model, text, tmp_path):
    result = CliRunner().invoke(
        app, ["trace", str(save_model("llama")), "--out", str(tmp_path / "t"), "--tokens", "8", "--text", str(text)]
    )
    assert "K = 64: the last group is filled up with zeros" in result.stderr
    assert "K = 96: the last group is filled up with zeros" in result.stderr


def test_filters_by_layer_and_module(save_model, tmp_path):
    out = tmp_path / "t"
    typed("trace", save_model("opt"), "--out", out, "--tokens", 8, "--layers", "0-1", "--modules", "o,down")
    assert [gemm.module for gemm in load_workload(str(out)).gemms] == ["o", "down"]


def test_perplexities_of_formats_beside_one_another(save_model, text):
    said = typed(
        "perplexity",
        save_model("llama"),
        "--text",
        text,
        "--context",
        32,
        "--precision",
        "7,7,6,5",
        "--compare",
        "--json",
    )
    rows = json.loads(said)
    assert [row["format"] for row in rows] == ["fp16", "anda 7,7,6,5", "figna 13", "block float 7,7,6,5"]
    assert rows[0]["relative_loss"] == 0
    assert abs(rows[2]["relative_loss"]) < abs(rows[1]["relative_loss"])


def test_a_search_leaves_a_precision_file(save_model, text, tmp_path):
    arguments = ["search", save_model("llama"), "--text", text, "--context", 32, "--tokens", 64, "--iterations", 3]
    report = json.loads(typed(*arguments, "--out", tmp_path / "s", "--json"))
    assert report["evaluations"] == 3
    assert {file.name for file in (tmp_path / "s").iterdir()} >= {"search.json", "evaluations.json", "report.html"}
    if report["best"]:
        assert load_workload("opt-125m", precision=str(tmp_path / "s" / "precision.yaml"))


def test_a_search_repeated_after_one_weight_changed_measures_anew(save_model, text, tmp_path):
    folder = save_model("llama")
    arguments = ["search", folder, "--text", text, "--context", 32, "--tokens", 64, "--iterations", 2, "--json"]
    before = json.loads(typed(*arguments, "--out", tmp_path / "s"))
    assert json.loads(typed(*arguments, "--out", tmp_path / "s"))["visits"] == before["visits"]
    state = load_file(folder / "model.safetensors")
    state["model.embed_tokens.weight"][ord("T"), 3] += 1  # the same names, shapes and size
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="belongs to a search of another model\n"):
        typed(*arguments, "--out", tmp_path / "s")
    after = json.loads(typed(*arguments, "--out", tmp_path / "t"))
    assert after["reference_perplexity"] != before["reference_perplexity"]


def test_a_trace_is_of_weights_to_the_last_bit(save_model, text, tmp_path):
    folder, file = save_model("llama"), save_model("llama") / "model.safetensors"
    revisions = []
    for out in ("a", "b", "c"):
        typed("trace", folder, "--out", tmp_path / out, "--tokens", 4, "--text", text)
        revisions.append(open_trace(tmp_path / out).manifest.model.revision)
        content = bytearray(file.read_bytes())
        content[-1] ^= out == "b"
        file.write_bytes(content)
    assert revisions[0] == revisions[1] != revisions[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--layers", "1-x"), "--layers"),
        (("--layers", "-3"), "--layers"),
        (("--modules", "qvk"), "did you mean `qkv`"),
        (("--scheme", "symetric"), "did you mean `symmetric`"),
        (("--tokens", "100"), "more positions"),
    ],
)
def test_what_a_command_refuses(words, message, save_model, tmp_path):
    with pytest.raises(InputError, match=message):
        typed("trace", save_model("llama"), "--out", tmp_path / "t", *words)
    assert not (tmp_path / "t").exists()


def test_a_folder_without_a_tokenizer(save_model, text):
    folder = save_model("llama")
    for file in folder.glob("token*"):
        file.unlink()
    with pytest.raises(InputError, match="no tokenizer"):
        typed("perplexity", folder, "--text", text, "--context", 32)


@pytest.mark.parametrize(
    "weights",
    ["q4_0", "q4_1", "q8_0", "{bits: 3, group_size: 16}", "{bits: 6, group_size: channel}", "{format: planes}"],
)
def test_a_trace_of_any_format_is_replayed_in_it(save_model, text, tmp_path, weights):
    """FP-FP converts whatever is FP16 once it is converted: sums in binary32 of the very weights, to 60 dB and more."""
    from sim.arch.load import load_arch
    from sim.functional.replay import replay
    from sim.machine.machine import Machine
    from sim.workload.model_source import weights_of
    from sim.workload.precision_rules import PrecisionPlan

    model = save_model("llama")
    typed("trace", model, "--out", tmp_path / "t", "--text", text, "--tokens", 8, "--weights", weights)
    trace, stored = open_trace(tmp_path / "t"), weights_of(weights, "--weights")
    original, held = load_file(model / "model.safetensors"), load_file(next((tmp_path / "t").glob("*.safetensors")))
    machine = Machine(load_arch("fp-fp", ["weight_dispatcher.fills_planes=true"]))
    for record in trace.manifest.records:
        if record.weights is None:
            assert record.module == "head"
            continue
        assert trace.manifest.weights_of(record) == stored
        image = held[record.weights].tobytes()
        assert 8 * len(image) == record.n * stored.stored_column_bits(record.k)
        values = original[f"{record.name}.weight"]
        assert abs(trace.weights(record).decode() - values).max() < 0.5 * abs(values).max()
    done = list(replay(trace, machine.pe, lambda gemm: machine.piece(gemm).plan(), PrecisionPlan(None)))
    assert len(done) == 14
    assert min(one.quality.sqnr_decibels for one in done) > 60
    # Half of the planes: 6 dB each, on what 4 bits told.
    if stored.nested:
        coarse = replay(trace, machine.pe, lambda gemm: machine.piece(gemm).plan(), PrecisionPlan(None, (2,) * 4))
        noise = [(one.weight_bits, one.quality.sqnr_decibels) for one in coarse]
        assert all(bits == 2 and 2 < decibels < 20 for bits, decibels in noise), noise
