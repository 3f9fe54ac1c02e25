"""The benchmarks' own arithmetic and robustness; what they measure is not tested here."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from benchmarks.jobs import Bar, BenchmarkJob, met, run_job
from benchmarks.measure import CommandError, measure
from benchmarks.peers import compare
from benchmarks.plot import svg
from benchmarks.table import PAGE, README, exponent, page, render, with_summary
from sim.arch.load import load_arch
from sim.units.dram import model_of
from sim.units.processing_element import make


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_process_is_charged_for_its_time_and_memory() -> None:
    idle = measure(python("import time; time.sleep(0.5); print('{\"answer\": 42}')"))
    assert idle.answer == {"answer": 42}
    assert idle.wall_seconds >= 0.5
    assert idle.cpu_seconds < idle.wall_seconds
    greedy = measure(python("held = bytearray(300_000_000); held[::4096] = b'1' * len(held[::4096])"))
    assert greedy.peak_megabytes >= 300  # and no less than the process that starts it


def test_a_child_of_the_process_counts_too() -> None:
    busy = "import time\nwhile time.process_time() < 0.4: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], check=True)"
    assert measure(python(nested)).cpu_seconds >= 0.4


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (python("raise SystemExit('no such luck')"), "no such luck"),
        (python("import time; time.sleep(60)"), "exit code 124"),
        (["/no/such/program"], "No such file"),
    ],
)
def test_a_command_that_fails_says_why(command: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        measure(command, limit_seconds=1)


def test_a_failed_peer_is_a_row_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: compare.PeerPackage, gemms: list[list[int]]) -> dict[str, Any]:
        raise CommandError("exit code 1: no wheel for this Python")

    monkeypatch.setattr(compare.PeerPackage, "run", broken)
    row = compare._against(compare.ZIGZAG, [[128, 1024, 1024]], [], 20)
    assert row == {"tool": "ZigZag 3.9.1", "limit_times": 20, "failed": "exit code 1: no wheel for this Python"}


@pytest.mark.parametrize("title", compare.MACHINES)
def test_our_machines_match_the_peers_array(title: str) -> None:
    base, overrides = compare.MACHINES[title]
    arch = load_arch(base, overrides)
    cycles = make(arch).cycles(7)
    assert arch.mxu.rows * arch.mxu.columns * arch.mxu.dot_length == compare.MACS_PER_CYCLE * cycles
    kibibytes = 1024 * compare.ARRAY["buffer_kibibytes"]
    assert (arch.buffers.activation.bytes, arch.buffers.weight.bytes) == (kibibytes, kibibytes)
    assert int(model_of(arch).bytes_per_cycle) == compare.ARRAY["dram_bytes_per_cycle"]


def test_peaks_that_differ_are_refused() -> None:
    with pytest.raises(CommandError, match="512"):
        compare._require_equal_peaks([{"tool": "ours", "peak_macs_per_cycle": [512.0]}])


def test_ratios_are_theirs_over_ours() -> None:
    clocks = ("wall_seconds", "cpu_seconds", "peak_megabytes")
    ours = {part: dict(zip(clocks, (2.0, 1.0, 50.0), strict=True)) for part in ("simulation", "shell")}
    theirs = {part: dict(zip(clocks, (20.0, 30.0, 100.0), strict=True)) for part in ("simulation", "shell")}
    assert compare.times(theirs, ours) == {
        "simulation_cpu": 30,
        "simulation_wall": 10,
        "shell_cpu": 30,
        "shell_wall": 10,
        "peak": 2,
    }


def test_a_limit_holds_or_not_by_each_clock() -> None:
    limit = Bar("simulation", 0.1, 150)
    assert met({"wall_seconds": 0.2, "cpu_seconds": 0.09, "peak_megabytes": 60}, limit) == {"wall": False, "cpu": True}
    assert met({"wall_seconds": 0.05, "cpu_seconds": 0.05, "peak_megabytes": 150}, limit) == {
        "wall": False,
        "cpu": False,
    }


def test_a_job_runs_alone_and_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.jobs.TIMES", 1)
    row = run_job(BenchmarkJob("tiny", "fp-fp", str(compare.HERE / "gemm-128x1024x1024.csv"), ("mxu.lanes=1",)))
    assert row["gemms"] == [[128, 1024, 1024]]
    assert row["macs"] == 128 * 1024 * 1024
    assert row["cycles"] * compare.MACS_PER_CYCLE >= row["macs"]
    assert 0 < row["simulation"]["cpu_seconds"] < row["shell"]["cpu_seconds"]


def square(grain: str, size: int, seconds: float) -> dict[str, Any]:
    return {"grain": grain, "size": size, "ragged": False, "macs": size**3, "cpu_seconds": seconds}


def test_the_exponent_of_a_power_law_is_found() -> None:
    rows = [square("tile", 2**power, 3 * (2.0 ** (3 * power)) ** 0.25) for power in range(6, 12)]
    assert exponent(rows, "tile") == pytest.approx(0.25)


def test_the_plot_has_a_mark_for_each_gemm() -> None:
    rows = [square(grain, size, 1e-9 * size**2) for grain in ("beat", "tile", "fast-forward") for size in (64, 512)]
    root = ElementTree.fromstring(svg([*rows, {"search": "attention.q"}]))
    assert len(root.findall("{http://www.w3.org/2000/svg}circle")) == len(rows)


def test_what_is_recorded_can_be_shown() -> None:
    table = render()
    assert table.count("SCALE-Sim 3.0.0") == 1
    assert all(len(set(map(_cells, block))) == 1 for block in _tables(table))


def test_the_page_and_the_readme_show_what_is_recorded() -> None:
    assert PAGE.read_text() == page()
    assert README.read_text() == with_summary(README.read_text())
    assert with_summary(README.read_text()).count("SCALE-Sim 3.0.0") == 1


def _cells(line: str) -> int:
    return line.count("|")


def _tables(text: str) -> list[list[str]]:
    blocks = [block.splitlines() for block in text.split("\n\n")]
    return [rows for block in blocks if (rows := [line for line in block if line.startswith("|")])]
