"""The shelf: papers by name, and PMPD's page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sim.arch.load import load_arch
from sim.cli import app
from sim.errors import InputError
from sim.reproduce.cells import Role, Verdict
from sim.reproduce.page import page
from sim.reproduce.reproduction import SHELF, Reproduction, paper_of, reproduce
from sim.workload.load import load_workload


def test_a_paper_that_is_not_on_the_shelf_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no paper `pmdp` on the shelf; did you mean `pmpd`") as refused:
        paper_of("pmdp")
    assert refused.value.facts["allowed"] == "anda, pmpd"
    found = CliRunner().invoke(app, ["reproduce", "pmdp", "--out", str(tmp_path / "out")])
    assert isinstance(found.exception, InputError)  # which the front door ends with code 2
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="no section `speedup`"):
        reproduce(["speedup"], paper="pmpd", cache=tmp_path / "runs.sqlite")


@pytest.fixture(scope="module")
def pmpd(tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    return reproduce(paper="pmpd", cache=tmp_path_factory.mktemp("pmpd") / "runs.sqlite")


def test_pmpd_s_ends_are_ratios_of_bytes_and_no_grouping_gives_both(pmpd: Reproduction) -> None:
    tables = {table.name: table for table in pmpd.sections[0].tables}
    judged = {(cell.row, cell.column): cell for cell in pmpd.cells if cell.role is Role.PREDICTED}
    assert {name: cell.verdict for name, cell in judged.items()} == {
        ("4", "a scale every 128"): Verdict.WITHIN,
        ("2", "a scale every 128"): Verdict.OUTSIDE,
        ("4", "one scale for all"): Verdict.OUTSIDE,
        ("2", "one scale for all"): Verdict.WITHIN,
    }
    assert pmpd.score is not None
    assert (pmpd.score.predictions, pmpd.score.within) == (4, 2)
    side = 20 / 128  # scale and zero point
    for read in (4, 3, 2):
        bits = {"a scale every 128": read + side, "one scale for all": read}
        for name, stored in bits.items():
            ratio, speed = (tables[table].at(str(read), name) for table in ("bytes", "cycles"))
            assert ratio is not None
            assert speed is not None
            assert ratio.simulated == pytest.approx(16 / stored, rel=1e-9)
            assert speed.simulated == pytest.approx(16 / stored, rel=0.01)
    assert all(cell.simulated > 99 for cell in tables["DRAM"].cells)


def test_pmpd_s_gain_ends_where_the_pes_bind(pmpd: Reproduction) -> None:
    """DRAM or the PEs, whichever is slower: 16 MXUs of 16 columns x 4 lanes at 285 MHz."""
    table = next(table for table in pmpd.sections[0].tables if table.name == "bandwidth")

    def gain(machine: str, planes: int, rate: float) -> float:
        cell = table.at(f"{machine}, {planes} planes", str(rate))
        assert cell is not None
        return cell.simulated

    multiplied = 16 * 16 * 4 * 0.285  # G weights a second
    for rate in map(float, table.columns):
        for planes in (4, 2):
            bound = [max(bits / 8 / rate, 1 / multiplied) for bits in (16, planes + 20 / 128)]
            assert gain("decode-npu", planes, rate) == pytest.approx(bound[0] / bound[1], rel=0.02)
            narrow = multiplied / 16  # one row of 16, in one MXU of 16 rows
            assert gain("FP-FP", planes, rate) == pytest.approx(max(2 / rate * narrow, 1), rel=0.02)
    assert gain("decode-npu", 2, 1638.4) < 1.01


def test_the_schedule_s_steps_are_those_of_the_shipped_workload(pmpd: Reproduction) -> None:
    """256 steps of 4, 3 and 2 planes against as many of 4."""
    cell = next(table for table in pmpd.sections[0].tables if table.name == "schedule").cells[0]
    steps = {gemm.weights.read_bits: gemm.count // 32 for gemm in load_workload("pmpd-7b").gemms if gemm.module == "o"}
    assert sum(steps.values()) == 256
    mean = sum(count * (read + 20 / 128) for read, count in steps.items()) / 256
    assert cell.simulated == pytest.approx((4 + 20 / 128) / mean, rel=0.01)
    assert load_arch("decode-npu").weight_dispatcher.fills_planes


def test_pages_have_their_titles(pmpd: Reproduction) -> None:
    assert re.findall("<title>(.*?)</title>", page(pmpd))[0] == SHELF["pmpd"].title
    assert "python sim.py reproduce pmpd" in page(pmpd)
