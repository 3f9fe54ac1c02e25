"""The measured tables: their rule against other code, their error bars against held-out rows, what they refuse."""

from __future__ import annotations

import csv
import lzma
import math
from collections import defaultdict
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest
from typer.testing import CliRunner

from gpu_ref import cli
from gpu_ref.reference import held_out
from gpu_ref.reference.attention import attention_estimate
from gpu_ref.reference.cards import card_names, shipped
from gpu_ref.reference.estimate import OutsideTableError, error_bars
from gpu_ref.reference.gemm import gemm_estimate, interpolated
from gpu_ref.reference.tables import FRAMEWORKS, GemmTable, attention_tables, gemm_tables, types_of
from sim.errors import InputError

MEASURED = files("gpu_ref.reference") / "measured"


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(lzma.decompress((MEASURED / name).read_bytes()).decode().splitlines()))


# LLaMA-7B, one layer, microseconds, from another interpolation of the same tables: q, k and v in one product or in
# three, gate and up in one or in two, whichever is faster in all.
ELSEWHERE = [
    ("A100", "BF16", 1, 277.18), ("A100", "W4A16", 8, 142.03), ("A100", "BF16", 2048, 3210.5),
    ("H100", "BF16", 64, 163.95), ("H100", "W4A16", 1, 65.197), ("H100", "FP8", 2048, 769.37),
    ("H200", "BF16", 1, 119.87), ("H200", "W4A16", 64, 120.31), ("H200", "FP8", 8, 104.92),
    ("H200", "W4A16", 2048, 1002.8), ("B200", "BF16", 2048, 520.89), ("B200", "NVFP4", 1, 77.042),
]  # fmt: skip


@pytest.mark.parametrize(("card", "kind", "tokens", "microseconds"), ELSEWHERE)
def test_a_layer_takes_what_another_interpolation_found(card: str, kind: str, tokens: int, microseconds: float) -> None:
    def of(n: int, k: int) -> float:
        return gemm_estimate(card, kind, tokens, n, k).seconds * 1e6

    rest = of(4096, 4096) + of(4096, 11008)
    fused, apart = of(12288, 4096) + of(22016, 4096), 3 * of(4096, 4096) + 2 * of(11008, 4096)
    assert rest + min(fused, apart) == pytest.approx(microseconds, rel=1e-2)


def test_every_gap_is_filled_as_numpy_fills_it() -> None:
    lines: dict[tuple[str, str, int, int], list[tuple[int, float]]] = defaultdict(list)
    for row in rows("gemm.csv.xz"):
        if int(row["m"]) in (1, 64, 2048):
            key = (row["card"], row["type"], int(row["m"]), int(row["k"]))
            lines[key].append((int(row["n"]), float(row["microseconds"]) * 1e-6))
    checked = 0
    for (card, kind, m, k), line in lines.items():
        ns, seconds = np.log(np.array(sorted(line))).T
        for low, high in pairwise(ns):
            n = round(math.exp((low + high) / 2))
            if high - low <= math.log(4):
                expected = math.exp(np.interp(math.log(n), ns, seconds))
                assert gemm_estimate(card, kind, m, n, k).seconds == pytest.approx(expected, rel=1e-9)
                checked += 1
    assert checked > 4000


def test_inside_a_cell_the_weights_of_n_and_k_multiply() -> None:
    corners = {(n, k): gemm_estimate("H200", "BF16", 16, n, k) for n in (4096, 5120) for k in (10240, 12288)}
    n, k = round(math.sqrt(4096 * 5120)), round(math.sqrt(10240 * 12288))
    middle = math.exp(sum(math.log(one.seconds) for one in corners.values()) / 4)
    estimate = gemm_estimate("H200", "BF16", 16, n, k)
    assert estimate.seconds == pytest.approx(middle, rel=1e-3)
    assert not estimate.is_measured
    assert all(one.is_measured for one in corners.values())


def test_error_bars_are_those_of_rows_held_out_today() -> None:
    assert held_out.measure() == error_bars()
    assert held_out.text(error_bars()) == (MEASURED / "error_bars.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("card", "kind"), sorted(gemm_tables()))
def test_rows_held_out_at_random_are_predicted_within_the_bar(card: str, kind: str) -> None:
    """Other rows than the bars were made of: any point left out of the whole table, by the product's own rule."""
    table = gemm_tables()[card, kind]
    random = np.random.default_rng(7)
    shapes = sorted(table.shapes())
    errors = []
    for m in random.choice(sorted(table.seconds), 12, replace=False):
        for index in random.choice(len(shapes), 20, replace=False):
            left = {shape: one for shape, one in table.seconds[m].items() if shape != shapes[index]}
            try:
                guess, _ = interpolated(GemmTable(card, table.type, {m: left}), int(m), *shapes[index])
            except OutsideTableError:
                continue
            errors.append(abs(guess / table.seconds[m][shapes[index]] - 1))
    within = np.mean(np.array(errors) <= error_bars()[card][kind].most)
    assert len(errors) > 60
    assert within >= 0.9


def test_attention_between_two_lengths_lies_between_their_times() -> None:
    low, high = (attention_estimate("H100", "decode", 32, 32, 1, tokens) for tokens in (2048, 4096))
    middle = attention_estimate("H100", "decode", 32, 32, 1, round(2048 * math.sqrt(2)))
    assert middle.seconds == pytest.approx(math.sqrt(low.seconds * high.seconds), rel=1e-3)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (("H200", "BF16", 1000, 4096, 4096), "1,000 tokens were not measured with BF16; nearest: 768 and 1,024"),
        (("H200", "BF16", 10**6, 4096, 4096), "nearest: 32,768"),
        (("H200", "BF16", 16, 1000, 4096), "n = 1,000 is outside 1,024 to 65,536"),
        (("H200", "BF16", 16, 4096, 128256), "k = 128,256 is outside"),
        (("H200", "BF16", 16, 65536, 65536), "no measured neighbours"),
        (("B200", "W4A16", 16, 4096, 4096), "W4A16 was not measured on B200, only BF16, FP8, NVFP4"),
    ],
)
def test_what_was_not_measured_is_refused_with_the_reason(asked: tuple[str, str, int, int, int], reason: str) -> None:
    with pytest.raises(OutsideTableError, match=reason.replace("(", r"\(")):
        gemm_estimate(*asked)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (("prefill", 12, 12, 1, 2048), "attention of 12/12 heads was not measured, only 8/1, "),
        (("prefill", 32, 32, 3, 2048), "batch 3 was not measured; nearest: 2 and 4"),
        (("decode", 32, 8, 1, 10**6), "nearest: 65,536"),
    ],
)
def test_attention_that_was_not_measured_is_refused(asked: tuple[str, int, int, int, int], reason: str) -> None:
    with pytest.raises(OutsideTableError, match=reason):
        attention_estimate("H100", *asked)


def test_every_table_has_a_card_a_framework_and_an_error_bar() -> None:
    assert {card for card, _ in gemm_tables()} == set(card_names()) == set(FRAMEWORKS) == set(error_bars())
    for card in card_names():
        assert {*types_of(card), "attention"} == set(FRAMEWORKS[card])
        assert {*types_of(card), "prefill", "decode"} == set(error_bars()[card])
        assert {phase for name, phase in attention_tables() if name == card} == {"prefill", "decode"}
        for kind in types_of(card):
            assert shipped().cards[card].peak(gemm_tables()[card, kind].type.operand) > 0


def test_no_measured_row_beats_the_memory_or_the_peak() -> None:
    faster = 0
    for (card, _), table in gemm_tables().items():
        one = shipped().cards[card]
        peak, kind = one.peak(table.type.operand), table.type
        for m, times in table.seconds.items():
            for (n, k), seconds in times.items():
                bound = max(2 * m * n * k / peak, n * k * kind.weight_bits / 8 / one.bytes_per_second.value)
                faster += seconds < bound
    assert faster == 0


def test_the_tables_are_shown_with_notice_and_error_bars() -> None:
    shown = CliRunner().invoke(cli.app, ["show", "--reference"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0, shown.output
    assert "Apache-2.0" in shown.output
    assert all(card in shown.output for card in card_names())
    assert str(error_bars()["H200"]["W4A16"]) in shown.output
    assert max(map(len, shown.output.splitlines())) <= 80


def test_a_card_is_shown_with_its_times_and_sources() -> None:
    shown = CliRunner().invoke(cli.app, ["show", "h200", "--reference"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0, shown.output
    assert "H200 SXM5 141 GB" in shown.output
    assert "13.27 us" in shown.output  # BF16, 1 x 4,096 x 4,096
    assert max(map(len, shown.output.splitlines())) <= 80


def test_an_unknown_card_is_told_with_those_that_are_there() -> None:
    told = CliRunner().invoke(cli.app, ["show", "H300", "--reference"]).exception
    assert isinstance(told, InputError)
    assert told.nearest == "H200"
    assert told.facts["cards"] == "A100, H100, H200, B200"


def test_notice_and_licence_stand_beside_the_tables() -> None:
    notice = (MEASURED / "README.md").read_text(encoding="utf-8")
    assert "Apache-2.0, Copyright NVIDIA CORPORATION" in notice
    assert "Version 2.0, January 2004" in (MEASURED / "LICENSE-aiconfigurator.txt").read_text(encoding="utf-8")
    for name in ("gemm.csv.xz", "attention.csv.xz"):
        assert f"| {name} |" in notice
        assert f"{len(rows(name)):,} |" in notice
