"""Changing any key of a model changes the work, or is refused; only `source` texts may change nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sim import shipped
from sim.errors import InputError
from sim.workload.gemm import Workload
from sim.workload.load import load_workload
from sim.workload.model import Attention, Experts, InferenceRun, Mlp, Model, NamedPrecision, Weights
from sim.workload.precision_rules import PrecisionRule

WriteModel = Callable[[dict[str, Any]], str]
Path_ = tuple[str | int, ...]
TINY: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "tiny.yaml").read_text())

CHOICES = [
    *(["layer", "rms"], ["relu", "gelu", "silu"], ["prefill", "decode", "both", "mixed"], ["fp-int", "all"]),
    *(["q4_0", "q4_1", "q8_0", "fp16", "bf16", "planes"], ["channel", 128, 64]),
    ["zipf:1.5", "zipf:1.5:1", "zipf:0.5", "even"],
    *(["int4", "int3"], ["int8", "fp16"], ["5,6", "5,7", "6,6"]),
    *(["careful", "bold"], ["8,8,8,8", "7,8,8,8", "fp16"]),
]


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Paths of all single values."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path
        return
    for key, inner in items:
        yield from leaves(inner, (*path, key))


def others(value: Any) -> list[Any]:
    """Other values of the same type."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value * 2, max(1, value // 2)] if value > 1 else [2, 3]
    (choices,) = [choices for choices in CHOICES if value in choices] or [[f"{value}-other"]]
    return [choice for choice in choices if choice != value]


def works(file: str, values: dict[str, Any]) -> list[Workload]:
    """All that a file can ask for: its own run, and both phases in full under each of its precisions."""
    full: dict[str, Any] = {"phase": "both", "tokens": 700, "steps": 150, "scope": "all"}
    names = list(values.get("precision", {})) or ["8"]
    return [load_workload(file), *(load_workload(file, precision=name, **full) for name in names)]


def changed(values: dict[str, Any], path: Path_, value: Any) -> dict[str, Any]:
    result = copy.deepcopy(values)
    level = result
    for key in path[:-1]:
        level = level[key]  # type: ignore[index]
    level[path[-1]] = value  # type: ignore[index]
    return result


RULES = [
    {"phase": "decode", "precision": 7},
    {"layers": 1, "steps": 10, "precision": [6, 5, 4, 3]},
    {"positions": 705, "weight_bits": 2},
]
RULED = {"ruled": {"mantissa_bits": 8, "weight_bits": 3, "rules": RULES, "source": "made up"}}
DECODE = {"phase": "decode", "batch": 2, "context": 100, "steps": 50, "scope": "all", "precision": "careful"}
MIXED = {"phase": "mixed", "batch": 2, "tokens": 300, "chunk": 70, "context": 126, "scope": "all"}
MODELS = {
    "tiny": TINY,
    "tiny decode": {**TINY, "run": DECODE},
    "tiny mixed": {**TINY, "run": {**MIXED, "precision": "careful"}},
    "tiny skewed": {**TINY, "run": {**TINY["run"], "routing": "zipf:1.5"}},
    "tiny minimum": {**TINY, "weights": {"bits": 3, "group_size": "channel", "minimum_bits": 16}},
    "tiny planes": {**TINY, "weights": {"format": "planes", "bits": 4, "read_bits": 3}},
    "tiny rules": {**TINY, "weights": {"format": "planes"}, "precision": RULED, "run": {"precision": "ruled"}},
    "tiny blocks": {**TINY, "weights": {"format": "q4_0"}},
    **{name: yaml.safe_load(shipped.find(name, "workloads").read_text()) for name in ("opt-125m", "llama2-70b")},
}
CASES = [(model, path) for model, values in MODELS.items() for path in leaves(values) if "source" not in path]


@pytest.mark.parametrize(
    ("model", "path"), CASES, ids=lambda part: part if isinstance(part, str) else ".".join(map(str, part))
)
def test_a_changed_key_changes_the_work_or_is_refused(write_model: WriteModel, model: str, path: Path_) -> None:
    values = MODELS[model]
    before = works(write_model(values), values)
    written: Any = values
    for key in path:
        written = written[key]
    taken = 0
    for value in others(written):
        candidate = changed(values, path, value)
        try:
            after = works(write_model(candidate), candidate)
        except InputError:
            continue
        taken += 1
        assert after != before, f"{value} in place of {written} changes nothing"
    assert taken or (model, *path) in ALONE


ALONE = (
    ("tiny decode", "run", "phase"),
    ("tiny mixed", "run", "phase"),
    ("tiny planes", "weights", "format"),
    ("tiny rules", "weights", "format"),
    ("tiny rules", "run", "precision"),
)
"""Keys whose every other value the keys beside them exclude: another phase does not take a decode's context."""


def test_the_walk_reaches_every_key_of_the_schema() -> None:
    reached = {str(part) for model in MODELS for path in leaves(MODELS[model]) for part in path}
    for section in (Attention, Experts, Mlp, Model, NamedPrecision, InferenceRun, Weights, PrecisionRule):
        assert set(section.model_fields) <= reached
