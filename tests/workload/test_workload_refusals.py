"""Every bad input is one message: where it stands, what was found, what is allowed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sim.errors import InputError
from sim.workload.load import load_workload

Write = Callable[[str, str], str]
WriteModel = Callable[[dict[str, Any]], str]
TINY: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "tiny.yaml").read_text())


def refused(name: str, **asked: Any) -> str:
    with pytest.raises(InputError) as raised:
        load_workload(name, **asked)
    return str(raised.value)


@pytest.mark.parametrize("asked", ["0", "17", "-1", "7,6,6,17", "0,6,6,6"])
def test_a_mantissa_length_outside_1_to_16_is_refused(asked: str) -> None:
    worst = next(part for part in asked.split(",") if not 1 <= int(part) <= 16)
    assert refused("llama-7b", precision=asked) == (
        f"--precision: precision: mantissa length {worst}\n  allowed    1 to 16"
    )


@pytest.mark.parametrize("asked", ["7,6", "7,6,6,6,6", "7,,6,6", ",", "-"])
def test_a_precision_has_one_length_or_four(asked: str) -> None:
    message = refused("llama-7b", precision=asked)
    assert message.startswith("--precision: precision: expected one mantissa length or four (qkv,o,up,down), found")


def test_an_unknown_precision_names_the_nearest() -> None:
    message = refused("llama-7b", precision="wikitext-1%")
    assert "unknown precision `wikitext-1%`; did you mean `wikitext2-1%`?" in message
    assert "allowed    fp16, wikitext2-0.1%, wikitext2-1%, ptb-0.1%, ptb-1%, c4-0.1%, c4-1%, one length" in message
    # A model without published lengths has no name to offer but fp16.
    assert "allowed    fp16, one length" in refused("mixtral-8x7b", precision="wikitext2-1%")


def test_a_precision_file_is_checked(write: Write) -> None:
    assert "no-such.yaml: No such file" in refused("llama-7b", precision="no-such.yaml")
    for text, found in (
        ("precision: [7, 6, 17, 6]", "m.yaml:1: precision: mantissa length 17\n  allowed    1 to 16"),
        ("precision: [7, 6]", "m.yaml:1: precision: expected one mantissa length or four (qkv,o,up,down), found `7,6`"),
        ("precision: [7, 6, 6, 6]\nmodel: x", "m.yaml:2: model: unknown key"),
    ):
        assert found in refused("llama-7b", precision=write("m.yaml", text))


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    assert "neither a file nor a shipped name of workloads; did you mean `llama-13b`?" in refused("lama-13b")
    assert "no such file" in refused("folder/llama-13b.yaml")
    assert "no such file" in refused("nowhere.csv")


def test_a_file_of_another_kind_is_refused(write: Write) -> None:
    message = refused(write("model.txt", "a,1,2,3"))
    assert "model.txt: no reader for `.txt` files\n  allowed    .yaml, .yml, .json, .gguf, .csv" in message


MISFITS: list[tuple[tuple[str, ...], Any, str]] = [
    (("layers",), 0, "layers: expected greater than or equal to 1, found 0"),
    (("layers",), "3", "layers: expected integer, found '3' (text)"),
    (("layers",), True, "layers: expected integer, found True"),
    (("layer",), 3, "layer: unknown key; did you mean `layers`?"),
    (("attention", "head"), 3, "attention.head: unknown key; did you mean `heads`?"),
    (("attention", "key_value_heads"), 3, "attention: 4 heads cannot share 3 key_value_heads evenly"),
    (("attention", "page_tokens"), 0, "attention.page_tokens: expected greater than or equal to 1"),
    (("experts", "per_token"), 5, "experts: 5 experts per_token of 4 experts"),
    (("mlp", "activation"), "sillu", "mlp.activation: found 'sillu'; did you mean `silu`?"),
    (("weights", "bits"), 9, "weights.bits: integers of 9 bits\n  allowed    1 to 8"),
    (("weights", "bits"), 17, "weights.bits: expected less than or equal to 16"),
    (("weights", "format"), "q4_2", "weights.format: no weight format 'q4_2'; did you mean `q4_"),
    (("weights", "format"), "q4_0", "weights.group_size: weights of format q4_0 have no group_size to choose"),
    (("weights", "minimum_bits"), 16, "weights.minimum_bits: a zero point and a minimum exclude one another"),
    (("weights", "group_size"), 100, "weights.group_size: expected a multiple of 16, `channel` or `tensor`, found 100"),
    (
        ("precision", "bold", "mantissa_bits"),
        [1, 2, 3],
        "precision.bold.mantissa_bits: expected one mantissa length or four",
    ),
    (("precision", "bold", "mantissa_bits"), [1, 2, 3, 17], "mantissa_bits: mantissa length 17"),
    (("precision", "fp16"), TINY["precision"]["bold"], "precision: `fp16` means activations as they are"),
    (("run", "phase"), "prefil", "run.phase: found 'prefil'; did you mean `prefill`?"),
    (("run", "scope"), "fp", "run.scope: found 'fp'"),
    (("run", "tokens"), 2**24 + 1, "run.tokens: expected less than or equal to 16777216"),
    (("run", "precision"), 17, "precision: mantissa length 17"),
    (("run", "precision"), "bald", "precision: unknown precision `bald`; did you mean `bold`?"),
    (("run", "precision"), 1.5, "run.precision: expected string, found 1.5"),
    (
        ("run", "steps"),
        4,
        "run.steps: phase `prefill` does not take it\n  allowed    attention_precision, batch, head, kv, phase,",
    ),
    (("run", "context"), 4, "run.context: phase `prefill` does not take it"),
    (("run",), 5, "run: expected"),
    (("extends",), "tinny.yaml", "extends: tinny.yaml: no such file"),
]


@pytest.mark.parametrize(("path", "value", "message"), MISFITS)
def test_a_misfit_in_a_model_is_refused_with_its_line(
    write_model: WriteModel, path: tuple[str, ...], value: Any, message: str
) -> None:
    values = copy.deepcopy(TINY)
    level = values
    for key in path[:-1]:
        level = level[key]
    level[path[-1]] = value
    file = write_model(values)
    found = refused(file)
    assert message in found
    lines = Path(file).read_text().splitlines()
    line = int(found.removeprefix(f"{file}:").partition(":")[0])
    # The line of the key itself, of one that does not go with it, or of its section where that as a whole does not fit.
    blamed = message.partition(":")[0].rpartition(".")[2]
    assert lines[line - 1].split(":")[0].strip().strip("- ") in (*path, "17", blamed)


@pytest.mark.parametrize("key", [key for key in TINY if key not in ("experts", "weights", "precision", "run")])
def test_a_missing_key_is_named(write_model: WriteModel, key: str) -> None:
    assert f"{key}: missing" in refused(write_model({name: value for name, value in TINY.items() if name != key}))


@pytest.mark.parametrize("phase", ["prefill", "decode", "both"])
@pytest.mark.parametrize("option", ["tokens", "context", "steps"])
def test_an_option_that_the_phase_does_not_take_is_refused(phase: str, option: str) -> None:
    takes = {"prefill": {"tokens"}, "decode": {"context", "steps"}, "both": {"tokens", "steps"}}
    for asked in ({option: 7}, {"overrides": [f"run.{option}=7"]}):
        if option in takes[phase]:
            changed = load_workload("llama-7b", phase=phase, scope="all", **asked)  # type: ignore[arg-type]
            assert changed != load_workload("llama-7b", phase=phase, scope="all")
        else:
            assert f"run.{option}: phase `{phase}` does not take it" in refused("llama-7b", phase=phase, **asked)


@pytest.mark.parametrize("option", ["tokens", "batch"])
def test_an_option_out_of_range_names_the_option(option: str) -> None:
    message = refused("llama-7b", **{option: 0})
    assert message == f"--{option}: run.{option}: expected greater than or equal to 1, found 0"


LLAMA = {
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128}
CONFIGS: list[tuple[dict[str, Any], str]] = [
    (
        {"model_type": "lama"},
        ":2: model_type: unknown architecture `lama`; did you mean `llama`?\n  allowed    ",
    ),
    ({"model_type": None}, ": model_type: missing"),
    ({"model_type": ["llama"]}, "unknown architecture `['llama']`"),
    ({"num_hidden_layers": None}, ": num_hidden_layers: missing"),
    ({"num_hidden_layers": 0}, ":6: layers: expected greater than or equal to 1, found 0"),
    ({"hidden_size": "64"}, ":4: hidden_size: expected integer, found '64'"),
    ({"num_attention_heads": 5}, "attention.head_size: missing"),
    ({"num_attention_heads": 0}, ":7: attention.heads: expected greater than or equal to 1, found 0"),
    ({"num_key_value_heads": 3}, "4 heads cannot share 3 key_value_heads evenly"),
    ({"hidden_act": "silly"}, ":3: unknown activation function `silly`; did you mean `silu`?"),
    ({"hidden_act": ["silu"]}, "unknown activation function"),
    ({"quantization_config": {**GPTQ, "bits": 5}}, ":9: quantization_config: weights of 5 bits are not modelled"),
    ({"quantization_config": {**GPTQ, "quant_method": "awq", "bits": 8}}, "weights of 8 bits are not modelled"),
    ({"compression_config": {"quant_method": "compressed-tensors"}}, "quantization_config.config_groups"),
    ({"quantization_config": {"quant_method": "fp8"}}, "missing    8-bit floating-point weights"),
    ({"quantization_config": {**GPTQ, "group_size": 40}}, ":9: quantization_config: group_size 40 is not modelled"),
    (
        {"quantization_config": {**GPTQ, "quant_method": "awq", "modules_to_not_convert": ["model.layers.0"]}},
        "layers left in FP16 (`model.layers.0`) are not modelled from a config alone",
    ),
    (
        {"word_embed_proj_dim": 32},
        ":9: word_embed_proj_dim: embeddings of 32 values, projected to 64",
    ),
    ({"use_sliding_window": True}, ":9: use_sliding_window: a sliding window in some of the layers is not modelled"),
]


@pytest.mark.parametrize(("changes", "message"), CONFIGS)
def test_a_config_json_that_cannot_be_used_is_refused(write: Write, changes: dict[str, Any], message: str) -> None:
    path = write("x.json", json.dumps({**LLAMA, **changes}, indent=1))
    assert refused(path).startswith(path)
    assert message in refused(path)


def test_text_that_is_not_a_config_is_refused(write: Write) -> None:
    assert "x.json:2: not JSON: " in refused(write("x.json", '{"model_type": "llama",\n "hidden_size": }'))
    assert "x.json:1: expected an object of keys and values" in refused(write("x.json", "[1, 2]"))


CONV = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
HEADER = "name,M,N,K,module,count,mantissa_bits\n"
ROWS = [
    ("a,1,2", ":1: found 3 cells\n  expected   4: name,m,n,k"),
    ("a,1,2,3,4", ":1: found 5 cells"),
    ("a,1,2,3\nb,1,x,3", ":2: n: found `x`\n  allowed    1 to 16777216"),
    ("a,0,2,3", ":1: m: found `0`"),
    ("a,-5,2,3", ":1: m: found `-5`"),
    ("a,1.5,2,3", ":1: m: found `1.5`"),
    ("a,1,2,", ":1: k: found `0`"),
    (",1,2,3", ":1: name: empty"),
    ("name,M,N\na,1,2", ":1: k: missing column"),
    ("name,M,N,K,modul\na,1,2,3,o", ":1: modul: unknown column; did you mean `module`?"),
    ("name,M,N,K,K\na,1,2,3,3", ":1: k: column written twice"),
    (HEADER + "a,1,2,3,upp,1,4", ":2: module: unknown module `upp`; did you mean `up`?\n  allowed    qkv, o, up"),
    (HEADER + "a,1,2,3,up,0,4", ":2: count: found `0`"),
    (HEADER + "a,1,2,3,up,1,17", ":2: mantissa_bits: found `17`\n  allowed    1 to 16"),
    (HEADER + "a,1,2,3,up,1,0", ":2: mantissa_bits: found `0`"),
    (HEADER + "a,1,2,3,head,1,8", ":2: mantissa_bits: module `head` stays FP16"),
    (HEADER, ": no GeMM in it"),
    (CONV + "Strides,\na,3,3,4,3,1,1,1,", ":2: filter height: larger than the IFMAP\n  found      4 over 3"),
    (CONV + "Strides,\na,3,3,3,3,1,1,0,", ":2: stride: found `0`"),
    (CONV + "Strides,\n,3,3,3,3,1,1,1,", ":2: name: empty"),
    (CONV + "Strides, Sparsity\na,3,3,3,3,1,1,1,1:4", ":1: sparsity: unknown column"),
    (CONV.replace("Channels,", "") + "Strides\na,3,3,3,3,1,1", ":1: channels: missing column"),
    (CONV + "Strides\na,9999999,9999999,3,3,1,1,1", ":2: m: found `99999940000009`"),
    ("Layer, M, N\na,1,2,", ":1: k: missing column"),
    ("", ": no GeMM in it"),
    ('a,1,"2,3', ":1: found 3 cells"),
]


@pytest.mark.parametrize(("text", "message"), ROWS)
def test_a_broken_row_is_refused_with_its_line(write: Write, text: str, message: str) -> None:
    path = write("rows.csv", text)
    assert path + message in refused(path)


def test_four_lengths_say_nothing_of_a_row_without_module(write: Write) -> None:
    path = write("rows.csv", "a,1,2,3")
    assert f"{path}:1: precision 7,6,6,6 says nothing of module `other`" in refused(path, precision="7,6,6,6")


FOR_MODELS = {
    "phase": "decode",
    "tokens": 1,
    "batch": 1,
    "context": 1,
    "steps": 1,
    "scope": "all",
    "overrides": ["x=1"],
}


@pytest.mark.parametrize("asked", [{name: value} for name, value in FOR_MODELS.items()])
def test_a_csv_takes_no_options_of_models(write: Write, asked: dict[str, Any]) -> None:
    message = refused(write("rows.csv", "a,1,2,3"), **asked)
    name = "set-workload x=1" if "overrides" in asked else next(iter(asked))
    assert message == f"--{name}: a CSV lists its GeMMs as they are\n  allowed    --precision"


@pytest.mark.parametrize("suffix", ["yaml", "json", "csv"])
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not a text file in UTF-8" in refused(str(path))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("weights.bits=9", "--set-workload weights.bits=9: weights.bits: integers of 9 bits\n  allowed    1 to 8"),
        ("weights.bits=17", "--set-workload weights.bits=17: weights.bits: expected less than or equal to 16"),
        (
            "weights.read_bits=3",
            "weights.read_bits=3: weights.read_bits: weights of format integer have no",
        ),
        ("weights.format=q4", "--set-workload weights.format=q4: weights.format: no weight format 'q4'"),
        ("weights={format: planes, read_bits: 5}", "planes, read_bits: 5}: weights.read_bits: 5 planes read"),
        (
            "weights.group_size=20",
            "weights.group_size=20: weights.group_size: expected a multiple of 16",
        ),
    ],
)
def test_a_misfit_of_weights_is_blamed_on_the_override_that_gave_it(given: str, message: str) -> None:
    assert message in refused("llama-7b", overrides=[given])
