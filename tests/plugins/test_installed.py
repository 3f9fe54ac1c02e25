"""A package of toys, each one file, found by its entry points and used through the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.plugins.conftest import TOY, Shell, install


def told(shell: Shell, *arguments: str, site: Path | None = None) -> str:
    done = shell(*arguments, site=site)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_toys_are_listed_where_they_are_installed_and_only_there(shell: Shell, site: Path) -> None:
    names = ("toy_fp8", "toy_line", "toy_largest", "toy-e4m3", "toy-joules", "toy-lines")
    with_toys, without = told(shell, "list", site=site), told(shell, "list")
    for name in names:
        assert name in with_toys
        assert name not in without


def test_a_command_group_joins_the_others(shell: Shell, site: Path) -> None:
    assert "Commands of a toy." in told(shell, "--help", site=site)
    assert told(shell, "toy", "hello", site=site) == "hello from a toy\n"
    assert shell("toy", "hello").returncode == 2
    assert "GPU kernels" in told(shell, "--help")  # ours plug in the same way


def test_a_toy_pe_runs_for_timing_in_worker_processes_too(shell: Shell, site: Path) -> None:
    """8 lanes of 8 bits: a group of 64 in 8 cycles; half of FP-INT's activation bits, in every memory."""
    results = {}
    for machine, lanes in (("toy.yaml", "8"), ("fp-int", "8")):
        out = told(
            *(shell, "run", machine, "small.csv", "--set", f"mxu.lanes={lanes}", "--json", "--no-report"),
            *("--jobs", "2", "--out", machine.split(".")[0]),
            site=site,
        )
        results[machine] = json.loads(out)["counters"]
    toy, usual = results["toy.yaml"], results["fp-int"]
    groups = 4 * 128 * 40 + 2 * 64 * 1  # groups of K x columns x rows of both GeMMs
    assert toy["mxu.pe_cycles"] == usual["mxu.pe_cycles"] == 8 * groups
    for counter in ("activation_dispatcher.read_bits", "dram.activation_bytes"):
        assert 2 * toy[counter] == usual[counter]


def test_a_toy_pe_without_values_refuses_them_before_it_runs(shell: Shell, site: Path) -> None:
    done = shell("run", "toy.yaml", "small.csv", "--values", "--out", "r", site=site)
    assert done.returncode == 2
    assert "mxu.pe: PEs of kind toy_fp8 run for timing only: no values" in done.stderr
    assert "multiply" in done.stderr


def test_an_unknown_kind_names_the_installed_ones(shell: Shell, site: Path) -> None:
    done = shell("run", "fp-int", "small.csv", "--set", "mxu.pe=toy_fp9", site=site)
    assert done.returncode == 2
    assert "did you mean `toy_fp8`?" in done.stderr


def test_figure_and_exporter_join_a_comparison(shell: Shell, site: Path, tmp_path: Path) -> None:
    compare = ("compare", "fp-fp", "toy.yaml", "--workload", "small.csv", "--out", "c", "--jobs", "1")
    out = told(shell, *compare, "--export", "toy-lines", "--export", "trace", site=site)
    assert "a toy figure was drawn" in out
    page = (tmp_path / "c" / "report.html").read_text()
    assert "<h2>Joules, a toy</h2>" in page
    assert "Toy energy of each machine." in page
    lines = (tmp_path / "c" / "toy.txt").read_text().splitlines()
    totals = [json.loads((tmp_path / "c" / name / "result.json").read_text())["totals"] for name in ("fp-fp", "toy")]
    assert lines[:2] == [f"fp-fp {totals[0]['cycles']}", f"toy {totals[1]['cycles']}"]
    spans = int(lines[2].removeprefix("spans "))
    events = json.loads((tmp_path / "c" / "trace.json").read_text())["traceEvents"]
    # The trace joins neighbouring spans of one state, so it has some, and no more than the toy was told of.
    assert 0 < sum(event["ph"] == "X" for event in events) <= spans
    # What a plug-in wrote may be replaced where the plug-in is there, and is a stranger's where it is not.
    assert shell(*compare, "--overwrite").returncode == 2
    told(shell, *compare, "--overwrite", site=site)
    assert not (tmp_path / "c" / "toy.txt").exists()


def test_a_page_made_later_has_the_figure_too(shell: Shell, site: Path, tmp_path: Path) -> None:
    told(shell, "run", "fp-fp", "small.csv", "--out", "r", "--jobs", "1", "--no-report")
    told(shell, "report", "r", site=site)
    assert "Joules, a toy" in (tmp_path / "report.html").read_text()


def test_an_unknown_exporter_is_refused_before_it_runs(shell: Shell) -> None:
    done = shell("run", "fp-fp", "small.csv", "--export", "tracee", "--out", "r")
    assert done.returncode == 2
    assert "--export: no exporter 'tracee'; did you mean `trace`?" in done.stderr
    assert "csv, page, trace" in done.stderr


def toys_with(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """The toy package with changes to its files: file, old text, new text."""
    import shutil

    shutil.copytree(TOY, folder / "changed")
    for file, old, new in changes:
        path = folder / "changed" / file
        assert path.read_text().count(old) == 1
        path.write_text(path.read_text().replace(old, new))
    return install(folder / "other", folder / "changed")


def test_a_broken_package_is_one_message_where_its_part_is_asked_for_and_nowhere_else(
    shell: Shell, tmp_path: Path
) -> None:
    site = toys_with(tmp_path, ("toy_package/pe.py", "class ToyFp8", "1 / 0\n\n\nclass ToyFp8"))
    told(shell, "run", "fp-int", "small.csv", "--out", "r", "--jobs", "1", "--no-report", site=site)
    done = shell("run", "toy.yaml", "small.csv", site=site)
    assert done.returncode == 2
    assert "PE kind 'toy_fp8' cannot be imported: ZeroDivisionError: division by zero" in done.stderr
    assert "toy-package: toy_fp8 = toy_package.pe:ToyFp8" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_entry_point_that_names_no_part_or_another_is_refused(shell: Shell, tmp_path: Path) -> None:
    renamed = toys_with(tmp_path, ("toy_package/pe.py", 'kind = "toy_fp8"', 'kind = "toy_fp9"'))
    done = shell("run", "toy.yaml", "small.csv", site=renamed)
    assert done.returncode == 2
    assert "PE kind 'toy_fp8' goes by another name" in done.stderr
    other = tmp_path / "second"
    other.mkdir()
    wrong = toys_with(other, ("pyproject.toml", "toy_package.pe:ToyFp8", "toy_package.pe:Bytes"))
    done = shell("run", "toy.yaml", "small.csv", site=wrong)
    assert done.returncode == 2
    assert "'toy_fp8' is no PE kind" in done.stderr


def test_a_name_taken_by_a_built_in_part_is_refused_with_both_places(shell: Shell, tmp_path: Path) -> None:
    site = toys_with(tmp_path, ("pyproject.toml", "toy_fp8 =", "anda ="))
    done = shell("run", "fp-int", "small.csv", site=site)
    assert done.returncode == 2
    for word in (
        "PE kind 'anda' is defined twice",
        "sim/units/pe/anda.py",
        "toy-package: anda = toy_package.pe:ToyFp8",
    ):
        assert word in done.stderr


LINE = "dram={kind: toy_line, outstanding_loads: 3, bytes_per_cycle: 48, cycles: 11}"


def test_a_toy_dram_and_a_toy_policy_run(shell: Shell, site: Path) -> None:
    run = ("run", "anda-hpca25", "small.csv", "--precision", "6", "--json", "--no-report", "--jobs", "2")
    results = {}
    for name, override in (("line", LINE), ("largest", "dram.arbitration=toy_largest")):
        done = shell(*run, "--out", name, "--set", override, site=site)
        assert done.returncode == 0, done.stderr
        results[name] = json.loads(done.stdout)
    assert results["line"]["arch"]["dram"] == {
        "source": "",
        "kind": "toy_line",
        "outstanding_loads": 3,
        "bytes_per_cycle": 48,
        "cycles": 11,
    }
    assert results["line"]["peak"]["dram_bytes_per_cycle"] == 48
    assert "dram.busy_cycles" in results["line"]["counters"]
    assert shell(*run, "--out", "none", "--set", LINE).returncode == 2
