"""The passes of a phase are its items in another order: nothing is lost, and everything reads what stands before it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from sim.errors import InputError
from sim.workload.gemm import FusedAttention, Item, LayerList, Workload
from sim.workload.load import load_workload

CASES = [
    ("llama-13b", {"phase": "prefill", "scope": "all"}),
    ("llama-13b", {"phase": "both", "scope": "all", "steps": 200}),
    ("llama2-70b", {"phase": "decode", "scope": "all", "batch": 3, "steps": 70}),
    ("opt-1.3b", {"phase": "prefill", "scope": "all"}),
    ("mixtral-8x7b", {"phase": "decode", "scope": "all", "batch": 5, "steps": 3}),
    ("mixtral-8x7b", {"phase": "prefill", "scope": "all", "overrides": ("run.routing=zipf:1",), "tokens": 300}),
    ("llama-7b", {"phase": "mixed", "scope": "all", "tokens": 1000, "overrides": ("run.chunk=256",)}),
    ("pmpd-7b", {"phase": "decode"}),
]


def bare(item: Item) -> Item:
    """Without what only people read, and without how often."""
    return replace(item, name="", count=1)


def counted(work: Workload) -> Counter[Item]:
    found: Counter[Item] = Counter()
    for phase in work.phases:
        for item in phase.items:
            found[bare(item)] += item.count
    return found


def streamed(work: Workload) -> Counter[Item]:
    found: Counter[Item] = Counter()
    for phase in work.phases:
        assert phase.course is not None
        for passage in phase.course():
            for one in passage.lists:
                for task in one.tasks:
                    found[bare(task.item)] += passage.times * one.layers
    return found


@pytest.mark.parametrize(("model", "asked"), CASES)
def test_passes_hold_the_work_of_their_phase(model: str, asked: dict[str, object]) -> None:
    work = load_workload(model, **asked)
    assert streamed(work) == counted(work)


def layer(model: str, **asked: object) -> LayerList:
    [phase] = load_workload(model, **asked).phases
    assert phase.course is not None
    return next(phase.course()).lists[0]


def reads(one: LayerList) -> dict[str, tuple[str, bool]]:
    """What each piece of work reads, and whether row by row."""
    names = [task.item.name for task in one.tasks]
    return {
        task.item.name: (names[(index - task.back) % len(names)], task.by_rows) for index, task in enumerate(one.tasks)
    }


def test_every_piece_of_a_layer_reads_what_a_transformer_says() -> None:
    found = reads(layer("llama-13b", phase="prefill", scope="all"))
    assert found == {
        "attention.norm": ("mlp.down", True),
        "attention.q": ("attention.norm", True),
        "attention.k": ("attention.norm", True),
        "attention.v": ("attention.norm", True),
        "attention.rotary": ("attention.k", True),
        "attention.quantise": ("attention.v", True),
        "attention[2048x2048]": ("attention.quantise", False),
        "attention.o": ("attention[2048x2048]", False),
        "mlp.norm": ("attention.o", True),
        "mlp.gate": ("mlp.norm", True),
        "mlp.up": ("mlp.norm", True),
        "mlp.activation": ("mlp.up", True),
        "mlp.down": ("mlp.activation", True),
    }


def test_without_attention_its_output_reads_all_of_q_k_and_v() -> None:
    found = reads(layer("llama-13b", phase="prefill"))
    assert found["attention.o"] == ("attention.v", False)
    assert found["attention.q"] == ("mlp.down", True)


def test_experts_follow_one_another_and_read_the_router() -> None:
    one = layer("mixtral-8x7b", phase="decode", scope="all", batch=4)
    names = [task.item.name.rpartition(".")[2] for task in one.tasks if task.item.name.startswith("expert[")]
    assert names == ["gate", "up", "activation", "down"] * (len(names) // 4)
    assert reads(one)["expert[1].gate"] == ("mlp.router", False)
    assert reads(one)["mlp.combine"] == ("expert[1].down", False)


def test_attention_has_no_rows_to_wait_for() -> None:
    one = layer("llama2-70b", phase="decode", scope="all", batch=2)
    [attention] = [task for task in one.tasks if isinstance(task.item, FusedAttention)]
    assert (attention.rows, attention.by_rows) == (0, False)


def test_more_layers_with_experts_of_their_own_than_are_told_apart_are_refused() -> None:
    [phase] = load_workload("mixtral-8x7b", phase="decode", steps=500, overrides=("run.routing=zipf:1",)).phases
    assert phase.course is not None
    with pytest.raises(InputError, match="more layers with loads of their own"):
        next(phase.course())
