"""Tokens of experts: whole, adding up, as often as their chances say; what has none costs nothing."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.machine.machine import Machine
from sim.workload.gemm import Gemm
from sim.workload.load import load_workload
from sim.workload.routing import UNIT, DrawnRouting, EvenRouting, Mixture, _drawn, chances, routing_of

MIXTRAL = Mixture(32, 8, 2)
SKEWS = ["even", "zipf:0", "zipf:0.7:3", "zipf:1.2:1", "zipf:4"]


def experts_of(workload):
    """Experts by their tokens, from the gate's GeMM of each."""
    counts = Counter()
    for gemm in workload.gemms:
        if gemm.name.startswith("expert[") and gemm.name.endswith("gate"):
            assert gemm.name == f"expert[{gemm.m}].gate"
            counts[gemm.m] += gemm.count
    return counts


@given(st.integers(0, 200), st.integers(1, 16), st.integers(1, 4))
def test_evenly_is_as_evenly_as_whole_tokens_can_be_dealt(rows, experts, per_token):
    per_token = min(per_token, experts)
    dealt = Counter(Counter(assignment % experts for assignment in range(rows * per_token)).values())
    mixture = Mixture(3, experts, per_token)
    assert EvenRouting().loads(mixture, rows, range(3), range(5, 7)) == {
        tokens: 6 * count for tokens, count in dealt.items()
    }


@given(st.lists(st.fractions(0, 100), min_size=1, max_size=20), st.integers(1, 6))
def test_chances_add_up_and_none_is_above_one(weights, per_token):
    per_token = min(per_token, len(weights))
    found = chances(weights, per_token)
    assert sum(found) == per_token * UNIT
    assert all(0 <= chance <= UNIT for chance in found)
    below = [(chance, weight) for chance, weight in zip(found, weights, strict=True) if chance < UNIT and weight]
    if below and len(below) == sum(chance < UNIT for chance in found):  # in proportion, but for a unit of rounding
        scale = sum(chance for chance, _ in below) / sum((weight for _, weight in below), Fraction(0))
        assert all(abs(chance - weight * scale) <= 1 for chance, weight in below)


@pytest.mark.parametrize(("skew", "per_token"), [(0, 2), (0.8, 2), (1.5, 1), (3, 4)])
def test_an_expert_has_tokens_as_often_as_its_chance_says(skew, per_token):
    # Tokens are drawn apart from one another: those of an expert are binomial, of mean rows p, variance rows p (1 - p).
    rows, draws = 40, 4000
    weights = [Fraction(rank**-skew) for rank in range(1, 9)]
    own, random = np.array(chances(weights, per_token), np.int64), np.random.Generator(np.random.PCG64(5))
    tokens = np.array([_drawn(random, own, per_token, rows) for _ in range(draws)])
    assert (tokens.sum(axis=1) == rows * per_token).all()
    assert tokens.max() <= rows
    for p, of_expert in zip(own / UNIT, tokens.T, strict=True):
        error = math.sqrt(rows * p * (1 - p) / draws)
        assert abs(of_expert.mean() - rows * p) <= 4.5 * error
        assert of_expert.var() == pytest.approx(rows * p * (1 - p), rel=0.12)
        none = (1 - p) ** rows
        assert abs((of_expert == 0).mean() - none) <= 4.5 * math.sqrt(none * (1 - none) / draws)


@pytest.mark.parametrize("text", SKEWS)
@pytest.mark.parametrize(("rows", "passes"), [(1, 7), (16, 5), (2048, 1)])
def test_tokens_add_up_and_an_expert_is_chosen_once_a_token(text, rows, passes):
    loads = routing_of(text, None, MIXTRAL).loads(MIXTRAL, rows, range(32), range(passes))
    assert sum(tokens * count for tokens, count in loads.items()) == rows * 2 * 32 * passes
    assert min(loads) >= 1
    assert max(loads) <= rows
    assert sum(loads.values()) <= 8 * 32 * passes
    if rows == 1:
        assert loads == {1: 2 * 32 * passes}


def test_the_same_seed_is_the_same_routing_and_another_seed_another():
    one, again, other = (routing_of(text, None, MIXTRAL) for text in ("zipf:1:4", "zipf:1:4", "zipf:1:5"))
    told = [routing.loads(MIXTRAL, 64, range(32), range(3)) for routing in (one, again, other)]
    assert told[0] == told[1] != told[2]


def test_a_layer_and_step_has_its_routing_whatever_stands_beside_it():
    routing = routing_of("zipf:1:4", None, MIXTRAL)
    whole = routing.loads(MIXTRAL, 30, range(8), range(4))
    parts = [
        routing.loads(MIXTRAL, 30, layers, steps)
        for layers in (range(3), range(3, 8))
        for steps in (range(1), range(1, 4))
    ]
    assert sum(parts, Counter()) == whole


@pytest.mark.parametrize("text", SKEWS)
@pytest.mark.parametrize(
    "run",
    [
        {"phase": "prefill", "tokens": 100},
        {"phase": "decode", "batch": 6, "steps": 4},
        {"phase": "both", "tokens": 50, "steps": 3},
        {"phase": "mixed", "tokens": 90, "chunk": 40, "context": 64, "batch": 2},
    ],
    ids=lambda run: run["phase"],
)
def test_no_routing_changes_the_work_only_where_it_lies(text, run):
    even, routed = (load_workload("mixtral-8x7b", routing=one, **run, scope="all") for one in ("even", text))
    assert routed.macs == even.macs
    for one, other in zip(even.phases, routed.phases, strict=True):
        assert sum(gemm.macs for gemm in one.items if isinstance(gemm, Gemm)) == sum(
            gemm.macs for gemm in other.items if isinstance(gemm, Gemm)
        )
        activation = [
            sum(item.operations * item.count for item in phase.items if item.module == "activation")
            for phase in (one, other)
        ]
        assert activation[0] == activation[1]
    assert routed.resolved["run"]["routing"] == text
    assert load_workload("llama-7b").resolved["run"].get("routing") is None


def test_experts_without_tokens_move_no_weights_and_take_no_time():
    # Decoding eight sequences, bound by memory: an expert that has a token moves all of its weights, and no other does.
    arch = load_arch("fp-fp", ["dram.bandwidth_gigabytes_per_second=0.57"])
    shape = ["hidden_size=256", "intermediate_size=512", "layers=2", "attention.heads=2", "attention.key_value_heads=2"]
    found = {}
    for text in ("even", "zipf:1.5:2"):
        work = load_workload("mixtral-8x7b", phase="decode", batch=8, routing=text, overrides=shape)
        gemms = [gemm for gemm in work.gemms if gemm.name.startswith("expert[")]
        runs = [(gemm.count, Machine(arch).run(gemm)) for gemm in gemms]
        active = sum(experts_of(work).values())
        moved = sum(count * run.counters["dram.weight_bytes"] for count, run in runs)
        found[text] = active, moved, sum(count * run.cycles for count, run in runs)
    (even, even_bytes, even_cycles), (active, moved, cycles) = found.values()
    assert even == 16 > active
    assert Fraction(moved, even_bytes) == Fraction(active, even)
    assert cycles / even_cycles == pytest.approx(active / even, rel=0.02)


def test_a_skew_costs_prefill_rows_that_stay_empty():
    # Experts run one after the other, so the fullest decides nothing. What costs is the last tile of 16 rows of each,
    # which is partly filled.
    work = {text: load_workload("mixtral-8x7b", tokens=64, routing=text) for text in ("even", "zipf:2:1")}
    tiles = {
        text: sum(-(-gemm.m // 16) * gemm.count for gemm in one.gemms if gemm.name.endswith("gate"))
        for text, one in work.items()
    }
    assert tiles["even"] == 32 * 8 * 1  # 16 tokens each
    loads = experts_of(work["zipf:2:1"])
    assert tiles["zipf:2:1"] == sum(-(-tokens // 16) * count for tokens, count in loads.items())


def test_a_rule_of_precision_does_not_reroute(tmp_path):
    (tmp_path / "p.yaml").write_text("precision: 8\nrules:\n  - {layers: 3-9, precision: 4}\n")
    run = {"phase": "both", "tokens": 20, "steps": 2, "routing": "zipf:1:2"}
    found = []
    for precision in ("8", str(tmp_path / "p.yaml")):
        counts = Counter()
        for gemm in load_workload("mixtral-8x7b", **run, precision=precision).gemms:
            counts[gemm.m, gemm.k, gemm.n] += gemm.count
        found.append(counts)
    assert found[0] == found[1]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A trace of a random mixture, its folder, and the tokens that each layer's experts had."""
    pytest.importorskip("torch")
    import torch
    from transformers import MixtralConfig, MixtralForCausalLM

    from sim.trace.extract import TraceOptions, record
    from sim.trace.linears import linearise
    from sim.trace.load import Loaded
    from sim.trace.weights import quantise

    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2}
    config = MixtralConfig(vocab_size=96, num_hidden_layers=2, num_local_experts=4, num_experts_per_tok=2, **sizes)
    model = MixtralForCausalLM(config).eval()
    loaded = Loaded("tiny", model, linearise(model))
    folder = tmp_path_factory.mktemp("traces") / "tiny"
    prompt = torch.randint(96, (60,)).tolist()
    manifest = record(loaded, TraceOptions(), [prompt], folder, quantise(loaded))
    tokens = [Counter(), Counter()]
    for one in manifest.records:
        if "experts.down_proj" in one.name:
            tokens[int(one.name.split(".")[2])][int(one.name.split(".")[-1])] += one.m
    assert [sum(of_layer.values()) for of_layer in tokens] == [120, 120]
    return folder, tokens


def test_a_trace_gives_each_layer_the_chances_of_its_experts(recorded):
    folder, tokens = recorded
    mixture = Mixture(2, 4, 2)
    routing = routing_of(str(folder), None, mixture)
    assert isinstance(routing, DrawnRouting)
    for of_layer, weights in zip(tokens, routing.weights, strict=True):
        found = chances(weights, 2)
        assert all(abs(found[expert] - of_layer[expert] * UNIT // 60) <= 1 for expert in range(4))
    loads = routing.loads(mixture, 10_000, range(2), range(1))
    expected = sorted(10_000 * count / 60 for of_layer in tokens for count in of_layer.values() if count)
    found_tokens = sorted(loads.elements())
    assert all(abs(one - other) < 250 for one, other in zip(found_tokens, expected, strict=True))


def test_a_trace_runs_with_the_routing_that_it_had(recorded):
    folder, tokens = recorded
    work = load_workload(str(folder))
    found = Counter()
    for gemm in work.gemms:
        if "experts.down_proj" in gemm.name:
            found[gemm.m] += gemm.count
    assert found == Counter(count for of_layer in tokens for count in of_layer.values())


def test_routing_by_trace_and_by_hand_is_the_same(tmp_path):
    pytest.importorskip("torch")
    from transformers import AutoConfig

    from sim.trace import described
    from sim.workload.options import Options

    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4}
    config = AutoConfig.for_model("mixtral", **sizes, num_key_value_heads=2, vocab_size=96, num_local_experts=8)
    config.save_pretrained(tmp_path)
    runs = (
        {"phase": "prefill", "tokens": 30},
        {"phase": "both", "tokens": 20, "steps": 5, "batch": 3},
        {"phase": "mixed", "tokens": 50, "chunk": 20, "context": 30, "batch": 2},
    )
    for run in runs:
        traced = described.read(tmp_path / "config.json", Options(**run, routing="zipf:1:6", scope="all"))
        read = load_workload(str(tmp_path), **run, routing="zipf:1:6", scope="all")
        for one, other in zip(traced.phases, read.phases, strict=True):
            found, expected = Counter(), Counter()
            for gemm in one.items:
                if ".experts." in gemm.name:
                    key = (gemm.m, gemm.n) if isinstance(gemm, Gemm) else (gemm.module, gemm.operations)
                    found[key] += gemm.count
            for gemm in other.items:  # gate and up are one GeMM in transformers
                if gemm.name.startswith("expert[") and not gemm.name.endswith(".gate"):
                    n = 192 if gemm.name.endswith("up") else 64
                    key = (gemm.m, n) if isinstance(gemm, Gemm) else (gemm.module, gemm.operations)
                    expected[key] += gemm.count
            assert found == expected
        assert traced.resolved["run"]["routing"] == "zipf:1:6"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zip:1", r"--routing: run\.routing: found 'zip:1'\n  allowed    even, zipf:EXPONENT"),
        ("zipf:-1", "found 'zipf:-1'"),
        ("zipf:nan", "found 'zipf:nan'"),
        ("zipf:17", "exponents to 16"),
        ("zipf:1:9999999999", "seeds to"),
        ("zipf:" + "9" * 5000, "run.routing"),
        ("no/such/trace", "not a recorded trace"),
    ],
)
def test_what_is_no_routing_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        load_workload("mixtral-8x7b", routing=text)


def test_a_model_without_experts_takes_no_skew():
    with pytest.raises(InputError, match=r"--routing: run\.routing: llama-7b has no experts"):
        load_workload("llama-7b", routing="zipf:1")


def test_more_than_can_be_drawn_is_refused():
    with pytest.raises(
        InputError, match=r"more than is drawn\n  found      4096 tokens x 8 experts x 32 layers x 200 steps"
    ):
        load_workload("mixtral-8x7b", phase="decode", batch=4096, steps=200, routing="zipf:1")


def test_a_trace_of_another_mixture_or_of_shapes_alone_is_refused(recorded, tmp_path):
    folder, _ = recorded
    with pytest.raises(InputError, match=r"a trace of another mixture of experts\n  found      2 layers, expert 3"):
        load_workload("mixtral-8x7b", routing=str(folder))
    import torch

    from sim.trace.extract import record_module

    record_module(torch.nn.Linear(64, 8), {"input": torch.zeros(2, 64)}, tmp_path / "shapes")
    with pytest.raises(InputError, match="a trace that tells no routing"):
        load_workload("mixtral-8x7b", routing=str(tmp_path / "shapes"))
