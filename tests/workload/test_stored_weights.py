"""Bytes of weights: as claimed and in truth, each matrix once, whatever runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sim.arch.load import load_arch
from sim.simulation import simulate
from sim.workload.load import load_workload

LAYER = 4 * 4096 * 4096 + 3 * 4096 * 11008


@pytest.mark.parametrize("asked", [{}, {"phase": "decode", "steps": 9}, {"phase": "both", "tokens": 64, "steps": 3}])
def test_a_matrix_counts_once_whatever_runs(asked):
    stored = load_workload("llama2-7b", **asked).stored
    assert stored.weights == 32 * LAYER
    assert stored.claimed_bytes == stored.weights // 2
    assert stored.stored_bytes == stored.weights * (4 + 20 / 128) / 8  # every K is a multiple of 128
    assert (stored.claimed_bits, stored.stored_bits) == (4, 4.15625)


def test_head_and_router_count_where_they_run():
    alone, everything = (load_workload("mixtral-8x7b", scope=scope).stored for scope in ("fp-int", "all"))
    head, router = 32000 * 4096, 32 * 8 * 4096
    assert alone.weights == 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 8 * 3 * 4096 * 14336)
    assert everything.weights - alone.weights == head + router
    # The head has 8 bits, in groups of 128 under a scale of 16 and a zero point of 8; the router is FP16.
    assert everything.claimed_bytes - alone.claimed_bytes == head + 2 * router
    assert everything.stored_bytes - alone.stored_bytes == head * (8 + 24 / 128) / 8 + 2 * router


@pytest.mark.parametrize(
    ("weights", "claimed", "stored"),
    [
        ("{bits: 3, group_size: 16}", 3, 3 + 19 / 16),
        ("{bits: 8, group_size: tensor}", 8, 8),
        ("{format: planes, bits: 8, read_bits: 2, zero_point_bits: 0}", 8, 8 + 16 / 128),
        ("{format: q4_1}", 4, 5),
        ("{format: q8_0}", 8, 8.5),
        ("{format: fp16}", 16, 16),
    ],
)
def test_what_stands_beside_the_codes_is_counted(weights, claimed, stored):
    found = load_workload("llama2-7b", overrides=[f"weights={weights}"], precision="fp16").stored
    assert (found.claimed_bits, found.stored_bits) == (claimed, pytest.approx(stored, rel=1e-9))


def test_groups_that_do_not_divide_k_are_counted_whole(tmp_path: Path):
    (tmp_path / "ragged.csv").write_text("name,m,n,k,count\ng,4,10,200,3\n")
    stored = load_workload(str(tmp_path / "ragged.csv")).stored
    assert stored.weights == 3 * 2000
    assert stored.stored_bytes == 3 * 10 * (200 * 4 + 2 * 20) // 8  # two groups of 128 begun


def test_results_tell_both():
    work = load_workload("llama2-7b", tokens=16, overrides=["layers=2"])
    result = simulate(load_arch("anda-hpca25"), work)
    told = result.weights
    assert (told.weights, told.stored_bytes) == (2 * LAYER, work.stored.stored_bytes)
    assert {(layer.weight_bits, layer.stored_bits_a_weight) for layer in result.layers} == {(4, 4.15625)}
    assert {module.weight_bits for module in result.modules.values()} == {4}


def test_terminal_and_page_tell_both():
    from rich.console import Console

    from sim.report.html import page
    from sim.report.quantities import si
    from sim.report.terminal import print_run

    result = simulate(load_arch("anda-hpca25"), load_workload("llama2-7b", tokens=16, overrides=["layers=2"]))
    console = Console(width=100, record=True)
    print_run(result, console)
    codes = f"codes alone {si(LAYER, 'B')}, 4 bits"  # two layers at half a byte
    assert f"{si(LAYER * 4.15625 / 4, 'B')}, 4.156 bits a weight; {codes}" in console.export_text()
    assert f"4.156 bits each; {codes}" in page([result], datetime.now(UTC))
