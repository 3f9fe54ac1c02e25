"""`explain`: the right key first where it is known, losses that add up, and what cannot be explained."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sim import load_arch, load_workload, simulate
from sim.cli import app
from sim.errors import InputError
from sim.explain.again import machine_of, work_of
from sim.explain.difference import difference
from sim.explain.fits import overflows
from sim.explain.gains import gains
from sim.report.files import write_run
from sim.result import Result
from sim.result.json import load_result

LAYER = ("layers=1",)


def result_of(arch: str, *overrides: str, **asked: object) -> Result:
    return simulate(load_arch(arch, overrides), load_workload("llama-7b", overrides=LAYER, **asked))  # type: ignore[arg-type]


BATCH_1 = ("anda-hpca25", (), {"phase": "decode", "context": 128}, "batch")
PORT = ("anda-hpca25", ("weight_dispatcher.port_bits=128",), {"tokens": 256}, "weight_dispatcher.port_bits")
BUFFER = (
    "anda-hpca25",
    ("buffers.activation.bytes=262144", "dram.bandwidth_gigabytes_per_second=10"),
    {"tokens": 256},
    "buffers.activation.bytes",
)
BANDWIDTH = (
    "anda-datacenter",
    ("dram.bandwidth_gigabytes_per_second=25.6",),
    {"tokens": 512},
    "dram.bandwidth_gigabytes_per_second",
)
FPUS = ("anda-hpca25", ("vector.fpus=1",), {"tokens": 512, "scope": "all"}, "vector.fpus")


@pytest.mark.parametrize(("arch", "overrides", "asked", "key"), [BATCH_1, PORT, BUFFER, BANDWIDTH, FPUS])
def test_the_right_key_stands_first(arch: str, overrides: tuple[str, ...], asked: dict[str, object], key: str) -> None:
    best = gains(result_of(arch, *overrides, **asked))[0]
    assert best.knob.key == key
    assert best.helps


def test_where_the_limit_names_the_channel_a_buffer_is_worth_more() -> None:
    arch, overrides, asked, key = BUFFER
    result = result_of(arch, *overrides, **asked)
    assert result.limit.key == "dram.bandwidth_gigabytes_per_second"
    found = {gain.knob.key: gain for gain in gains(result)}
    assert found[key].speedup > found[result.limit.key].speedup
    assert {one.key for one in overflows(result)} == {key}


def test_where_the_limit_names_the_rows_no_row_helps() -> None:
    arch, overrides, asked, key = BATCH_1
    result = result_of(arch, *overrides, **asked)
    assert "mxu.rows" in result.limit.text
    found = {gain.knob.key: gain for gain in gains(result)}
    assert not found["mxu.rows"].helps
    assert found[key].speedup == pytest.approx(2, rel=0.01)


def test_the_machine_and_the_work_of_a_result_give_it_again() -> None:
    result = result_of("anda-edge", tokens=64)
    again = simulate(machine_of(result), work_of(result))
    assert replace(again, provenance=result.provenance) == result


def test_the_gain_of_a_key_is_that_of_a_run_with_it() -> None:
    result = result_of("anda-hpca25", tokens=64)
    by_key = {gain.knob.key: gain for gain in gains(result)}
    words = [f"{key}={value}" for key, value in by_key["mxu.columns"].changes.items()]
    doubled = result_of("anda-hpca25", *words, tokens=64)
    assert by_key["mxu.columns"].speedup == result.totals.cycles / doubled.totals.cycles
    areas = [one.totals.area_square_millimetres for one in (result, doubled)]
    assert by_key["mxu.columns"].area == pytest.approx(areas[1] / areas[0])


def test_more_that_makes_it_slower_is_named_a_defect_of_the_schedule(tmp_path: Path) -> None:
    """Twice the rows, and the token block with them: it outgrows a buffer that held one of half the size."""
    overrides = ("buffers.activation.bytes=131072", "dram.bandwidth_gigabytes_per_second=10")
    result = result_of("anda-hpca25", *overrides, tokens=256)
    [rows] = [gain for gain in gains(result) if gain.knob.key == "mxu.rows"]
    assert rows.is_defect
    write_run(result, tmp_path / "r")
    shown = CliRunner().invoke(app, ["explain", str(tmp_path / "r")])
    assert shown.exit_code == 0
    assert "Slower with more: a defect of the schedule" in shown.output


def test_a_difference_adds_up_by_cause_and_by_module() -> None:
    first, second = result_of("fp-fp", tokens=64), result_of("anda-hpca25", tokens=64)
    gap = difference(first, second)
    assert sum(gap.causes.values()) == sum(gap.modules.values()) == second.totals.cycles - first.totals.cycles
    useful = [Fraction(one.waterfall.useful, one.waterfall.multipliers) for one in (first, second)]
    assert gap.causes["useful"] == useful[1] - useful[0]


def test_results_of_different_work_have_no_difference() -> None:
    with pytest.raises(InputError, match="different work"):
        difference(result_of("fp-fp", tokens=64), result_of("fp-fp", tokens=128))


def test_terminal_and_page(tmp_path: Path) -> None:
    for name, arch in (("a", "fp-fp"), ("b", "anda-hpca25")):
        write_run(result_of(arch, tokens=64), tmp_path / name)
    runner, page = CliRunner(), tmp_path / "page.html"
    one = runner.invoke(app, ["explain", str(tmp_path / "b"), "--out", str(page)])
    assert one.exit_code == 0
    for words in ("is limited by MXU: compute", "Twice of it, simulated", "mxu.columns"):
        assert words in one.output
    assert "Twice of it, simulated" in page.read_text()
    two = runner.invoke(app, ["explain", str(tmp_path / "a"), str(tmp_path / "b")])
    assert two.exit_code == 0
    assert "useful work" in two.output


def test_what_cannot_be_explained_is_one_message(tmp_path: Path) -> None:
    result = result_of("anda-hpca25", tokens=64)
    other = replace(result, totals=replace(result.totals, cycles=result.totals.cycles + 1))
    with pytest.raises(InputError, match="another version's"):
        gains(other)
    (tmp_path / "rows.csv").write_text("name,M,N,K\na,64,64,64\n")
    listed = simulate(load_arch("anda-hpca25"), load_workload(str(tmp_path / "rows.csv"), precision="7"))
    with pytest.raises(InputError, match="list of GeMMs"):
        gains(listed)
    write_run(result, tmp_path / "r")
    file = tmp_path / "r" / "result.json"
    damaged = json.loads(file.read_text()) | {"schema_version": 1}
    file.write_text(json.dumps(damaged))
    with pytest.raises(InputError, match="schema"):
        load_result(file)
    with pytest.raises(InputError, match="found 3"):
        CliRunner().invoke(app, ["explain", "a", "b", "c"], catch_exceptions=False)
