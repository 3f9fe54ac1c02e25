"""Whatever a user hands over is used, or refused by one InputError: no other exception, soon, and in little memory."""

from __future__ import annotations

import copy
import json
import resource
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim import shipped
from sim.arch.load import load_arch
from sim.errors import InputError
from sim.result.json import load_result
from sim.workload.load import load_workload
from sim.workload.precision import resolve

from . import corpus

SECONDS = 10
BYTES = 500e6
ENDINGS = {"arch.yaml": load_arch, "work.yaml": load_workload, "config.json": load_workload, "rows.csv": load_workload}
ENDINGS |= {"precision.yaml": lambda name: resolve(name), "result.json": lambda name: load_result(Path(name))}
LLAMA = {
    **{"model_type": "llama", "hidden_act": "silu", "hidden_size": 64, "intermediate_size": 128},
    **{"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100},
    "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128, "modules_to_not_convert": ["lm_head"]},
}
SEEDS = {
    "arch.yaml": (shipped.ROOT / "arch_configs" / "anda-hpca25.yaml").read_text(),
    "work.yaml": (Path(__file__).parents[1] / "workload" / "tiny.yaml").read_text(),
    "config.json": json.dumps(LLAMA, indent=1),
    "rows.csv": "name,M,N,K,module,count,mantissa_bits\na,1,2,3,o,7,5\nb,4,5,6,,,\n",
    "precision.yaml": "precision: [7, 6, 5, 4]\nsource: mine\n",
    "result.json": json.dumps({"schema_version": 1, "workload": {}, "layers": []}),
}
NASTY = [
    None,
    True,
    -1,
    0,
    2**24 + 1,
    10**12,
    2**70,
    1e308,
    1e-308,
    "",
    "x" * 300,
    "1",
    "\u2028",
    [],
    [[]],
    {},
    {"": 1},
    {"a": {"b": []}},
]
PIECES = [
    "{",
    "[",
    "]",
    "&a ",
    "*a",
    "!!int ",
    "- ",
    ": ",
    "\n",
    "\t",
    "'",
    '"',
    "#",
    "%",
    "\x00",
    "\u2028",
    "9" * 30,
    "-",
    "null",
    ".nan",
]


def handed_over(reader: Any, *arguments: Any) -> None:
    """Read; an InputError is an answer, whatever else it raises is not."""
    begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = ""
    try:
        reader(*arguments)
    except InputError as error:
        said = error.render()
    assert len(said) < 5000
    said.encode()
    assert time.process_time() - begun < SECONDS  # of its own: others may want the processor too
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < BYTES


@pytest.mark.parametrize("name", SEEDS)
def test_the_seeds_are_inputs_that_are_used(name, tmp_path):
    (tmp_path / name).write_text(SEEDS[name])
    if name != "result.json":
        ENDINGS[name](str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (name, text)
        for name in SEEDS
        for text in {"yaml": corpus.YAML, "json": corpus.JSON, "csv": corpus.CSV}[name[-4:].strip(".")]
    ],
)
def test_what_once_crashed_is_answered(name, text, tmp_path):
    (tmp_path / name).write_text(text, errors="surrogatepass")
    handed_over(ENDINGS[name], str(tmp_path / name))


@pytest.mark.parametrize("name", corpus.NAMES)
@pytest.mark.parametrize("reader", [load_arch, load_workload])
def test_names_of_no_file_are_answered(reader, name):
    handed_over(reader, name)


@pytest.mark.parametrize("assignment", corpus.SETS)
def test_assignments_are_answered(assignment):
    handed_over(load_arch, "anda-hpca25", [assignment])
    handed_over(lambda: load_workload("llama-7b", overrides=[assignment]))


usual = settings(max_examples=350, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", SEEDS)
@usual
@given(data=st.data())
def test_texts_with_pieces_lost_and_put_in_are_answered(name, tmp_path, data):
    text = SEEDS[name]
    for _ in range(data.draw(st.integers(1, 4))):
        at, lost = data.draw(st.integers(0, len(text))), data.draw(st.sampled_from([0, 0, 1, 3, 40]))
        put = data.draw(st.sampled_from(PIECES) | st.text(max_size=8))
        text = text[:at] + put + text[at + lost :]
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    handed_over(ENDINGS[name], str(tmp_path / name))


QWEN = {
    **{"model_type": "qwen3", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "head_dim": 16},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 96, "max_position_embeddings": 64},
    **{"hidden_act": "silu", "pad_token_id": None, "layer_types": ["full_attention", "full_attention"]},
    **{"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, "rms_norm_eps": 1e-6, "dtype": "float32"},
}


@settings(usual, max_examples=100)
@given(data=st.data())
def test_configs_that_transformers_builds_are_answered(tmp_path, data):
    values = copy.deepcopy(QWEN)
    for _ in range(data.draw(st.integers(1, 2))):
        values[data.draw(st.sampled_from(list(QWEN)[1:]))] = copy.deepcopy(data.draw(st.sampled_from([*NASTY, 3, 7])))
    (tmp_path / "config.json").write_text(json.dumps(values))
    handed_over(lambda: load_workload(str(tmp_path), tokens=8, scope=data.draw(st.sampled_from(["fp-int", "all"]))))


def places(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return (
        [path, *(place for key, one in inner for place in places(one, (*path, key)))]
        if path
        else [place for key, one in inner for place in places(one, (key,))]
    )


@pytest.mark.parametrize("name", [name for name in SEEDS if name != "rows.csv"])
@usual
@given(data=st.data())
def test_values_of_another_kind_are_answered(name, tmp_path, data):
    values = yaml.safe_load(SEEDS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(places(values)))
        level = values
        for key in above:
            level = level[key]
        level[last] = copy.deepcopy(data.draw(st.sampled_from(NASTY)))
    write = json.dumps if name.endswith("json") else yaml.safe_dump
    (tmp_path / name).write_text(write(values))
    handed_over(ENDINGS[name], str(tmp_path / name))
