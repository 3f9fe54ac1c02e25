"""GGUF files through trace, timing, values, perplexity and search, against the `gguf` package and their models."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
import torch

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.formats.weights.gguf import Q4_0, Q4_1, Q8_0
from sim.functional.replay import replay
from sim.machine.machine import Machine
from sim.trace.extract import TraceOptions, extract, load
from sim.trace.load import load_shapes, load_weights
from sim.trace.text import tokens_of
from sim.trace.weights import as_format, quantise
from sim.workload.gemm import FP16, INT4
from sim.workload.load import load_workload
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.trace_file import open_trace

gguf = pytest.importorskip("gguf")
from tests.trace.gguf_files import interleaved, name_of, vocabulary, write  # noqa: E402

SIZES = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
FORMATS = {"Q4_0": Q4_0(), "Q4_1": Q4_1(), "Q8_0": Q8_0()}
BLOCKS = pytest.mark.parametrize("kind", FORMATS)


def random_model(kind="llama", **changes):
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **{**SIZES, **({"head_dim": 16} if kind == "qwen3" else {}), **changes})
    model = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)](config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases that are not all alike
            parameter.add_(torch.randn_like(parameter) / 50)
    return model


def layers_of(kind):
    """The matrices of layers in blocks of a type, the rest as they are."""
    return lambda name: kind if name.startswith("blk.") else "F32"


def logits(model):
    with torch.no_grad():
        return model(torch.tensor([[1, 2, 3, 40, 5, 66]])).logits


@pytest.fixture
def file(tmp_path):
    def _file(kind="llama", blocks=None, **changes):
        write(tmp_path / "tiny.gguf", random_model(kind, **changes), blocks or layers_of("Q4_1"))
        return tmp_path / "tiny.gguf"

    return _file


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_values_of_a_file_are_the_model_they_were_written_from(kind, tied, tmp_path):
    model = random_model(kind, tie_word_embeddings=tied)
    write(tmp_path / "m.gguf", model, lambda name: "F32")
    loaded = load_weights(tmp_path / "m.gguf")
    assert torch.equal(logits(loaded.model), logits(model))
    assert loaded.method is None
    assert loaded.formats == {site.name: FP16 if site.kind == "head" else INT4 for site in loaded.sites}


def test_llamas_with_biases_and_a_rotation_of_their_own(tmp_path):
    changes = {"attention_bias": True, "mlp_bias": True, "rope_parameters": {"rope_type": "default", "rope_theta": 500}}
    model = random_model("llama", **changes)
    write(tmp_path / "m.gguf", model)
    assert torch.equal(logits(load_weights(tmp_path / "m.gguf").model), logits(model))


@BLOCKS
def test_blocks_are_those_of_the_package_row_by_row(kind, file):
    model, loaded = random_model(), load_weights(file(blocks=layers_of(kind)))
    assert loaded.method == "gguf"
    for name, tensor in model.state_dict().items():
        if not name_of(name).startswith("blk.") or tensor.dim() != 2:
            continue
        heads = {"q_proj": 4, "k_proj": 2}.get(name.split(".")[-2])
        values = tensor.numpy()
        stored = interleaved(values, heads) if heads else values
        decoded = gguf.quants.dequantize(
            gguf.quants.quantize(stored, gguf.GGMLQuantizationType[kind]), gguf.GGMLQuantizationType[kind]
        )
        if heads:  # the converter's permutation undone: where each row went
            at = interleaved(np.arange(len(values))[:, None], heads)[:, 0]
            decoded = decoded[np.argsort(at)]
        layer = name.removesuffix(".weight")
        assert loaded.formats[layer] == FORMATS[kind]
        np.testing.assert_array_equal(loaded.packed[layer].dequantise(), decoded)
        assert (loaded.model.get_submodule(layer).weight.detach().numpy() == decoded).all()


@BLOCKS
def test_a_trace_holds_the_bytes_of_the_file(kind, file, text, tmp_path):
    path, options = file(blocks=layers_of(kind)), TraceOptions(tokens=8, text=text, steps=1)
    extract(load(path, options), options, tmp_path / "trace")
    trace = open_trace(tmp_path / "trace")
    assert trace.manifest.method == "gguf"
    in_file = {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
    record = next(one for one in trace.manifest.records if one.name == "model.layers.1.mlp.down_proj")
    stored = trace.manifest.weights_of(record)
    assert stored == FORMATS[kind]
    assert stored.image(trace.weights(record)) == in_file["blk.1.ffn_down.weight"].tobytes()
    assert in_file["blk.1.ffn_down.weight"].nbytes * 8 == record.n * stored.column_bits(record.k)
    gemms = load_workload(str(tmp_path / "trace")).gemms
    assert {gemm.weights for gemm in gemms} == {FORMATS[kind]}


@pytest.mark.parametrize(
    ("name", "overrides", "kind"),
    [
        ("fp-fp", [], "Q4_1"),
        ("fp-fp", [], "Q8_0"),
        ("anda-hpca25", ["mxu.dot_length=32"], "Q4_0"),
        ("anda-hpca25", ["mxu.dot_length=32"], "Q8_0"),
        ("fp-int", ["mxu.dot_length=32"], "Q4_0"),
    ],
)
def test_values_on_the_machines_that_take_them(name, overrides, kind, file, text, tmp_path):
    path, options = file(blocks=layers_of(kind)), TraceOptions(tokens=8, text=text)
    extract(load(path, options), options, tmp_path / "trace")
    machine = Machine(load_arch(name, overrides))
    trace = open_trace(tmp_path / "trace")
    done = list(replay(trace, machine.pe, lambda gemm: machine.piece(gemm).plan(), PrecisionPlan((16, 16, 16, 16))))
    assert len(done) == 2 * 7
    assert all(one.quality.sqnr_decibels > 55 for one in done)  # FP16 outputs, and FP-FP's rounding of weights


def test_a_minimum_is_refused_where_no_pe_adds_it(file):
    machine = Machine(load_arch("anda-hpca25"))
    with pytest.raises(InputError, match=r"found      q4_1\n  needed     the sum of a group's activations"):
        machine.piece(load_workload(str(file()), tokens=4).gemms[0])


def test_layers_of_values_stay_fp16_beside_layers_of_blocks(file, text, tmp_path):
    types = {"attn_q": "F16", "ffn_up": "Q8_0"}
    path = file(blocks=lambda name: types.get(name.split(".")[-2], layers_of("Q4_0")(name)))
    for options in (TraceOptions(tokens=8), TraceOptions(tokens=8, text=text)):
        loaded = load(path, options)
        manifest = extract(loaded, options, tmp_path / f"values {bool(options.text)}")
        by_part = {record.name.split(".")[-1]: manifest.weights_of(record) for record in manifest.records}
        assert by_part == {
            **dict.fromkeys(("k_proj", "v_proj", "o_proj", "gate_proj", "down_proj"), Q4_0()),
            "q_proj": FP16,
            "up_proj": Q8_0(),
            "lm_head": FP16,
        }
        q = next(one for one in manifest.records if "q_proj" in one.name)
        assert q.weights is None


def test_run_takes_a_file_at_any_tokens_and_phase(file):
    path = str(file())
    one, more = (load_workload(path, tokens=tokens, batch=batch) for tokens, batch in ((8, 1), (16, 3)))
    assert more.macs == 6 * one.macs
    assert {gemm.weights for gemm in one.gemms} == {Q4_1()}
    assert load_workload(path, phase="decode", context=20, steps=4).gemms[0].m == 1


def test_int4_is_made_anew_where_that_is_asked_for(file, text, tmp_path):
    loaded = load_weights(file())
    values = loaded.model.get_submodule("model.layers.0.mlp.up_proj").weight.detach().clone()
    again = as_format(loaded, INT4)
    made = quantise(again)
    assert made.method == "rtn zero-point of gguf"
    assert {again.formats[name] for name in made.tensors} == {INT4}
    codes = made.tensors["model.layers.0.mlp.up_proj"]
    assert (codes.bits, codes.group_size) == (4, 128)
    assert np.abs(codes.dequantise() - values.numpy()).max() < 0.02
    assert made.padded  # K of 64 and 96 are no multiples of 128


def test_the_tokenizer_of_a_file(file, tmp_path):
    text = tmp_path / "t.txt"
    text.write_text("THE 10 THINGS.<|end|>A")
    tokens = vocabulary()["tokens"]
    expected = ["TH", "E", "Ġ", "1", "0", "Ġ", "TH", "I", "N", "G", "S", ".", "<|end|>", "A"]
    assert [tokens[number] for number in tokens_of(file(), text)] == expected


def test_one_byte_of_a_weight_is_another_model(file, text, tmp_path):
    from sim.accuracy.perplexity import Evaluator
    from sim.precision_search.run import run

    path = file(blocks=layers_of("Q4_0"))
    first = load_weights(path)
    tokens = tokens_of(path, text)[:48]

    def searched(loaded, out):
        made = quantise(loaded)
        return run(Evaluator(loaded, tokens, 48, 48, made.method, made), out, 0.05, 3)

    before = searched(first, tmp_path / "search")
    reader = gguf.GGUFReader(path, "r+")
    changed = next(tensor for tensor in reader.tensors if tensor.name == "blk.0.ffn_down.weight")
    stamp = path.stat()
    changed.data[3, 1] ^= 0x40  # the scale of a block: its exponent
    reader.data.flush()
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    second = load_weights(path)
    assert second.revision != first.revision
    with pytest.raises(InputError, match="belongs to a search of another model"):
        searched(second, tmp_path / "search")
    after = searched(second, tmp_path / "another")
    assert after.reference != before.reference


@pytest.mark.parametrize("kind", ["Q4_K", "Q5_1", "Q6_K", "Q2_K"])
def test_types_without_a_format_are_refused_by_name(kind, tmp_path):
    model = random_model(hidden_size=256, intermediate_size=256)
    writer_kind = gguf.GGMLQuantizationType[kind]
    block, size = gguf.GGML_QUANT_SIZES[writer_kind]
    quantise_ = gguf.quants.quantize

    def empty(values, wanted):
        if wanted != writer_kind:
            return quantise_(values, wanted)
        return np.zeros((values.shape[0], values.shape[1] // block * size), np.uint8)

    gguf.quants.quantize = empty
    try:
        write(tmp_path / "m.gguf", model, lambda name: kind if name == "blk.0.ffn_up.weight" else "F32")
    finally:
        gguf.quants.quantize = quantise_
    told = "blocks of 256 weights" if kind.endswith("K") else "a fifth bit apart"
    message = rf"m\.gguf: blk\.0\.ffn_up\.weight: weights of type {kind} are not modelled\n  missing    {told}"
    for reader in (load_shapes, load_weights, lambda path: load_workload(str(path))):
        with pytest.raises(InputError, match=message):
            reader(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"llama.expert_count": 8}, r"llama\.expert_count: a key that is not modelled"),
        ({"llama.rope.scaling.factor": 4}, r"llama\.rope\.scaling\.factor: a key that is not modelled"),
        ({"llama.rope.dimension_count": 8}, r"llama\.rope\.dimension_count: heads of several sizes"),
        ({"llama.vocab_size": 97}, "vocab_size: embeddings of another vocabulary"),
    ],
)
def test_keys_that_change_the_model_are_refused(extra, message, tmp_path):
    write(tmp_path / "m.gguf", random_model(), extra=extra)
    with pytest.raises(InputError, match=message):
        load_shapes(tmp_path / "m.gguf")


def test_another_architecture_and_other_tensors_are_refused(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "mamba")
    writer.add_tensor("rope_freqs.weight", np.zeros(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(
        InputError, match=r"general\.architecture: 'mamba' is not modelled.*\n  allowed    llama, qwen2"
    ):
        load_shapes(tmp_path / "m.gguf")
    writer = gguf.GGUFWriter(tmp_path / "n.gguf", "llama")
    writer.add_tensor("rope_freqs.weight", np.zeros(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InputError, match=r"rope_freqs\.weight: a tensor that is not modelled"):
        load_shapes(tmp_path / "n.gguf")


@pytest.mark.parametrize("pre", ["deepseek-llm", None])
def test_an_unknown_tokenizer_is_refused(pre, text, tmp_path):
    tokens = {key: value for key, value in {**vocabulary(), "pre": pre}.items() if value is not None}
    write(tmp_path / "m.gguf", random_model(), tokens=tokens)
    with pytest.raises(InputError, match=r"tokenizer\.ggml\.pre: (missing|'deepseek-llm' is not modelled)"):
        tokens_of(tmp_path / "m.gguf", text)


def test_a_file_cut_anywhere_is_refused_at_once(file, tmp_path):
    whole = file().read_bytes()
    broken = tmp_path / "broken.gguf"
    for length in [0, 3, 4, 20, 40, *range(100, 4000, 300), len(whole) // 2, len(whole) - 1]:
        broken.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"broken\.gguf: "):
            load_weights(broken)


def test_counts_that_no_file_has_are_refused_at_once(file, tmp_path):
    whole = bytearray(file().read_bytes())
    at = whole.index(b"tokenizer.ggml.tokens") + len("tokenizer.ggml.tokens") + 8
    for change in (slice(8, 16), slice(16, 24), slice(at, at + 8)):
        broken = bytearray(whole)
        broken[change] = (1 << 60).to_bytes(8, "little")
        (tmp_path / "broken.gguf").write_bytes(broken)
        with pytest.raises(InputError, match="not a GGUF file, or a damaged one"):
            load_shapes(tmp_path / "broken.gguf")


def test_without_the_package_it_says_what_to_install(file, monkeypatch):
    path = file()
    monkeypatch.setattr("sim.trace.gguf_file.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"gguf not installed\n  mend       pip install 'anda-sim\[gguf\]'"):
        load_shapes(path)


def test_a_scale_that_is_no_number_is_refused_with_its_tensor(file):
    path = file(blocks=layers_of("Q8_0"))
    reader = gguf.GGUFReader(path, "r+")
    tensor = next(one for one in reader.tensors if one.name == "blk.1.ffn_gate.weight")
    tensor.data[0, :2] = [0, 0x7C]  # Inf
    reader.data.flush()
    with pytest.raises(InputError, match=r"tiny\.gguf: blk\.1\.ffn_gate\.weight: "):
        load_weights(path)


def test_the_commands_take_a_file(file, text, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from sim.cli import app

    monkeypatch.chdir(tmp_path)
    path, runner = str(file(blocks=layers_of("Q4_0"))), CliRunner()

    def told(*words):
        return runner.invoke(app, [str(word) for word in words], catch_exceptions=False)

    assert told("trace", path, "--out", "t", "--tokens", 8, "--text", text).exit_code == 0
    assert told("run", "fp-fp", "t", "--values", "--no-report", "--out", "r").exit_code == 0
    wide = ["--set", "mxu.dot_length=32"]
    assert told("run", "anda-hpca25", "t", "--values", "--no-report", "--out", "a", *wide).exit_code == 0
    common = ["--text", text, "--tokens", 64, "--context", 64]
    scored = told("perplexity", path, *common, "--precision", 8, *wide, "--json")
    assert [row["format"] for row in json.loads(scored.stdout)] == ["fp16", "anda 8,8,8,8"]
    assert told("search", path, *common, "--out", "s", "--iterations", 2, *wide).exit_code == 0
    shutil.rmtree("s")
    assert told("search", path, *common, "--out", "s", "--iterations", 2, "--weights", "int4").exit_code == 0
