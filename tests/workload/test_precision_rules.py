"""Precision by phase, layer and position: every layer of every step has what the last rule that holds says."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sim.errors import InputError
from sim.workload.gemm import Gemm, VectorWork, Workload
from sim.workload.load import load_workload
from sim.workload.precision import plan_of

LAYERS, CONTEXT, STEPS = 6, 20, 40
TINY: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "tiny.yaml").read_text())
PLANES = {**TINY, "experts": None, "layers": LAYERS, "weights": {"format": "planes", "bits": 4}}
PLANES.pop("experts")
WriteModel = Callable[[dict[str, Any]], str]
Rule = dict[str, Any]


def work(write_model: WriteModel, rules: list[Rule], phase: str = "both", **keys: Any) -> Workload:
    """A model of six layers under rules; four planes stored, eight mantissa bits elsewhere."""
    named = {"ruled": {"mantissa_bits": 8, "rules": rules, "source": "made up"}}
    run = {"phase": phase, "precision": "ruled", "batch": 2}
    run |= {"tokens": CONTEXT, "steps": STEPS} if phase == "both" else {"context": CONTEXT, "steps": STEPS}
    return load_workload(write_model({**PLANES, "precision": named, "run": run, **keys}))


def within(value: int | None, text: str | None) -> bool:
    if text is None:
        return True
    for part in str(text).split(","):
        first, dash, last = part.partition("-")
        if value is not None and int(first) <= value <= (int(last) if last else 10**9 if dash else int(first)):
            return True
    return False


def at(rules: list[Rule], phase: str, layer: int, step: int | None) -> tuple[list[int], list[int]]:
    lengths, bits = [8] * 4, [4] * 4
    for rule in rules:
        position = None if step is None else CONTEXT + step
        if (
            rule.get("phase", phase) == phase
            and within(layer, rule.get("layers"))
            and within(step, rule.get("steps"))
            and within(position, rule.get("positions"))
        ):
            lengths, bits = rule.get("precision", lengths), rule.get("weight_bits", bits)
    return lengths, bits


def spelled_out(rules: list[Rule]) -> Counter[tuple[Any, ...]]:
    """Each projection of each layer in the prompt and in each step: rows, sizes, lengths in and out, bits."""
    hidden, width, queries, keys, modules = 128, 320, 128, 64, ("qkv", "o", "up", "down")
    shapes = [
        *(("q", "qkv", hidden, queries), ("k", "qkv", hidden, keys), ("v", "qkv", hidden, keys)),
        *(("o", "o", queries, hidden), ("gate", "up", hidden, width), ("up", "up", hidden, width)),
        ("down", "down", width, hidden),
    ]
    counts: Counter[tuple[Any, ...]] = Counter()
    for phase, step, rows in (("prefill", None, 2 * CONTEXT), *(("decode", step, 2) for step in range(STEPS))):
        for layer in range(LAYERS):
            lengths, bits = at(rules, phase, layer, step)
            after = at(rules, phase, min(layer + 1, LAYERS - 1), step)[0]
            read_at = {"qkv": None, "o": lengths[2], "up": lengths[3], "down": after[0]}
            for _, module, k, n in shapes:
                number = modules.index(module)
                counts[phase, module, rows, k, n, lengths[number], read_at[module], bits[number]] += 1
    return counts


def counted(workload: Workload) -> Counter[tuple[Any, ...]]:
    counts: Counter[tuple[Any, ...]] = Counter()
    for phase in workload.phases:
        for item in phase.items:
            assert isinstance(item, Gemm)
            key = (phase.name, item.module, item.m, item.k, item.n, item.mantissa_bits, item.output_mantissa_bits)
            counts[*key, item.weights.read_bits] += item.count
    return counts


def random_rules(seed: int) -> list[Rule]:
    rng, rules = random.Random(seed), []

    def ranges(most: int) -> str:
        parts = []
        for _ in range(rng.randint(1, 2)):
            first = rng.randrange(most)
            last = rng.randrange(first, most)
            parts.append(rng.choice([str(first), f"{first}-{last}", f"{first}-"]))
        return ",".join(parts)

    for _ in range(rng.randint(1, 5)):
        rule: Rule = {}
        if rng.random() < 0.6:
            rule["layers"] = ranges(LAYERS)
        if rng.random() < 0.3:
            rule["steps"] = ranges(STEPS)
        if rng.random() < 0.3:
            rule["positions"] = ranges(CONTEXT + STEPS)
        if rng.random() < 0.4:
            rule["phase"] = "decode" if rule.keys() & {"steps", "positions"} else rng.choice(["prefill", "decode"])
        if rng.random() < 0.6:
            rule["precision"] = [rng.randint(1, 16) for _ in range(4)]
        if rng.random() < 0.6 or "precision" not in rule:
            rule["weight_bits"] = [rng.randint(1, 4) for _ in range(4)]
        rules.append(rule)
    return rules


@pytest.mark.parametrize("seed", range(60))
def test_every_layer_of_every_step_has_what_the_last_rule_says(write_model: WriteModel, seed: int) -> None:
    rules = random_rules(seed)
    assert counted(work(write_model, rules)) == spelled_out(rules)


def test_the_resolved_model_gives_the_same_work_again(write_model: WriteModel, tmp_path: Path) -> None:
    rules = [{"layers": "1-3", "steps": "4-", "precision": [7, 6, 5, 4], "weight_bits": 2}]
    once = work(write_model, rules)
    again = load_workload(write_model(once.resolved))
    assert again.phases == once.phases
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"precision": "fp16", "weight_bits": 3, "rules": rules}))
    filed = load_workload(write_model(PLANES), phase="both", steps=9, precision=str(tmp_path / "mine.yaml"))
    assert {gemm.mantissa_bits for gemm in filed.gemms} == {None, 7, 6, 5, 4}
    assert {gemm.weights.read_bits for gemm in filed.gemms} == {3, 2}
    assert load_workload(write_model(filed.resolved)).phases == filed.phases


def test_rules_that_say_nothing_new_cut_nothing(write_model: WriteModel) -> None:
    ruled = work(write_model, [{"layers": "1-3", "steps": "4-", "precision": 8}])
    run = {"phase": "both", "precision": 8, "batch": 2, "tokens": CONTEXT, "steps": STEPS}
    plain = load_workload(write_model({**PLANES, "run": run}))
    assert [phase.items[0] for phase in ruled.phases] == [phase.items[0] for phase in plain.phases]
    assert not any("[" in item.name for phase in plain.phases for item in phase.items)


def test_parts_of_a_phase_are_named_by_layers_and_steps(write_model: WriteModel) -> None:
    names = {gemm.name for gemm in work(write_model, [{"layers": 2, "positions": "30-", "weight_bits": 3}]).gemms}
    assert "attention.q" in names, "the prompt"
    assert {"attention.q [steps 0-9]", "mlp.up [layers 2, steps 10-39]"} <= names


def test_attention_and_head_are_those_of_all_steps(write_model: WriteModel) -> None:
    rules = [{"layers": "1-3", "steps": "4-17", "weight_bits": 2}]
    run = {"phase": "both", "tokens": CONTEXT, "steps": STEPS, "precision": "ruled", "scope": "all", "batch": 2}
    ruled, plain = work(write_model, rules, run=run), work(write_model, [{"weight_bits": 4}], run=run)
    kinds = ("attention", "head", "norm", "quantise", "rotary", "activation")
    for kind in kinds:
        sums = []
        for one in (ruled, plain):
            items = [item for phase in one.phases for item in phase.items if item.module == kind]
            sums.append(sum(i.count * i.operations if isinstance(i, VectorWork) else i.macs for i in items))
        assert sums[0] == sums[1] > 0, kind


def test_integers_may_differ_from_layer_to_layer_and_planes_over_time(write_model: WriteModel) -> None:
    keys = {"weights": {"bits": 4, "group_size": 64}}
    widths = work(write_model, [{"layers": "0,5", "weight_bits": [8, 8, 8, 6]}], **keys)
    assert {str(gemm.weights) for gemm in widths.gemms} == {
        f"integers of {bits} bits (zero-point, group_size 64)" for bits in (4, 6, 8)
    }
    assert {gemm.weights.zero_point_bits for gemm in widths.gemms} == {4, 6, 8}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"layers": "9-", "precision": 5}, "rules.0.layers: a layer that the model does not have\n.*9-\n.*0 to 5"),
        ({"layers": "0-6", "precision": 5}, "a layer that the model does not have"),
        ({"layers": "3-1", "precision": 5}, "precision.ruled.rules.0.layers: expected a range that ends after"),
        ({"layers": "a", "precision": 5}, r"expected numbers and ranges such as 0,3,8-15 or 16-, found `a`"),
        ({"layers": 1}, "a rule gives `precision`, `weight_bits` or both"),
        ({"phase": "prefill", "steps": 1, "precision": 5}, "steps and positions are those of decoding"),
        ({"phase": "Decode", "precision": 5}, "rules.0.phase: found 'Decode'; did you mean `decode`"),
        ({"weight_bits": 9}, "weight_bits: width of weights 9\n  allowed    1 to 8"),
        ({"weight_bits": [4, 3]}, "expected one width of weights or four"),
        ({"weight_bits": 5}, "rules.0.weight_bits: 5 planes read\n  allowed    1 to 4"),
        ({"precision": 17}, "precision: mantissa length 17\n  allowed    1 to 16"),
        ({"layer": 3, "precision": 4}, "layer: unknown key; did you mean `layers`"),
    ],
)
def test_rules_that_do_not_fit_are_refused(write_model: WriteModel, rule: Rule, message: str) -> None:
    with pytest.raises(InputError) as caught:
        work(write_model, [rule])

    assert re.search(message, caught.value.render(), re.S), caught.value.render()


@pytest.mark.parametrize(
    ("keys", "rule", "message"),
    [
        (
            {"weights": {"bits": 4}},
            {"steps": "4-", "weight_bits": 3},
            "weight_bits: bits of weights that change as a model runs are planes",
        ),
        ({"weights": {"format": "q8_0"}}, {"weight_bits": 3}, "weights of format q8_0 have one width"),
        ({"run": {"phase": "mixed", "precision": "ruled"}}, {"steps": "4-", "precision": 3}, "rules are about layers"),
    ],
)
def test_what_the_weights_or_the_phase_do_not_take_is_refused(
    write_model: WriteModel, keys: dict[str, Any], rule: Rule, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        work(write_model, [rule], **keys)


def test_a_file_with_rules_is_refused_where_lengths_are_taken(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("precision: 8\nweight_bits: 3\n")
    (tmp_path / "w.csv").write_text("g,16,64,64\n")
    with pytest.raises(InputError, match="--precision: precision: only mantissa lengths are taken here"):
        load_workload(str(tmp_path / "w.csv"), precision=str(tmp_path / "p.yaml"))
    assert plan_of(str(tmp_path / "p.yaml"), {}).weight_bits == (3, 3, 3, 3)
