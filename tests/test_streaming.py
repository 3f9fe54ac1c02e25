"""`stream`: a model's layers as one program, from the command line and in the page that describes it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.machine.machine import Machine
from sim.runs.runs import Runs
from sim.runs.store import Store
from sim.streaming import StreamedPhase, stream
from sim.workload.load import load_workload
from tests.test_cli import Console, console

__all__ = ["console"]

PAGE = Path(__file__).parent.parent / "docs" / "programs.md"
ROW = re.compile(
    r"\| ([\w-]+) \| ([\w-]+) \| (\w+), (?:batch (\d+)|[\d,]+ tokens) "
    r"\| (fp-int|all)(?:, (\w+))? \| ([\d,]+) \| ([\d,]+) \| ([-+.\d]+) % \|"
)


def number(text: str) -> int:
    return int(text.replace(",", ""))


@cache
def streamed(machine: str, model: str, phase: str, batch: str, scope: str, kv: str) -> StreamedPhase:
    asked: dict[str, Any] = {"phase": phase, "scope": scope}
    asked |= ({"batch": int(batch)} if batch else {}) | ({"kv": kv} if kv else {})
    [found] = stream(load_arch(machine), load_workload(model, **asked))
    return found


def test_the_page_shows_what_the_command_gives() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert len(rows) == 9
    for *asked, alone, shown, change in rows:
        found = streamed(*asked)
        assert (found.alone_cycles, found.streamed_cycles) == (number(alone), number(shown))
        assert f"{100 * (found.streamed_cycles / found.alone_cycles - 1):+.2f}" == change


def test_modules_add_up_and_pieces_are_those_of_run() -> None:
    work = load_workload("llama3-8b", phase="decode", batch=4, steps=3)
    [phase] = stream(arch := load_arch("anda-datacenter"), work)
    assert phase.passes == 3
    assert sum(one.streamed_cycles for one in phase.modules) == phase.streamed_cycles
    assert sum(one.alone_cycles for one in phase.modules) == phase.alone_cycles
    machine = Machine(arch)
    assert phase.alone_cycles == sum(gemm.count * machine.run(gemm).cycles for gemm in work.gemms)


def test_the_command_prints_a_table_or_json(console: Console) -> None:
    asked = ["stream", "anda-datacenter", "llama-7b", "--phase", "decode"]
    _, shown, _ = console(*asked)
    _, data, _ = console(*asked, "--json")
    [phase] = json.loads(data)
    for cycles in (phase["alone_cycles"], phase["streamed_cycles"]):
        assert f"{cycles:,}" in shown


@pytest.mark.parametrize(
    ("arch", "model", "asked", "told"),
    [
        (["schedule=best"], "llama-7b", {}, "a program needs blocks"),
        ([], "examples/gemms.csv", {}, "nobody knows what follows what"),
        ([], "mixtral-8x7b", {"phase": "decode", "steps": 500, "overrides": ("run.routing=zipf:1",)}, "told apart"),
    ],
)
def test_what_does_not_stream_is_refused(
    arch: list[str], model: str, asked: dict[str, Any], told: str, tmp_path: Path
) -> None:
    if model.endswith(".csv"):
        path = tmp_path / "gemms.csv"
        path.write_text("name,m,k,n\none,16,64,64\n")
        model = str(path)
    with pytest.raises(InputError, match=told):
        stream(load_arch("anda-hpca25", arch), load_workload(model, **asked))


def test_integer_pes_are_refused_with_what_they_need() -> None:
    with pytest.raises(InputError, match="their inputs are quantised between"):
        stream(load_arch("int8"), load_workload("llama-7b", phase="decode"))


def whole(arch: str, model: str, *overrides: str, **asked: Any) -> StreamedPhase:
    [phase] = stream(load_arch(arch, overrides), load_workload(model, scope="all", **asked))
    return phase


def test_cycles_and_bytes_are_told_apart_by_module() -> None:
    phase = whole("anda-hpca25", "llama-7b", phase="decode", batch=2, steps=2)
    [work] = load_workload("llama-7b", phase="decode", batch=2, steps=2, scope="all").phases
    machine = Machine(load_arch("anda-hpca25"))
    assert sum(one.streamed_cycles for one in phase.modules) == phase.streamed_cycles
    assert sum(one.dram_bytes for one in phase.modules) == phase.dram_bytes
    for one in phase.modules:
        alone = 0
        for item in (item for item in work.items if item.module == one.module):
            counters = machine.run(item).counters
            alone += item.count * sum(counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))
        assert one.dram_bytes == alone, one.module
        # What is neither work nor a wait is the fill, at the start of the first GeMM, or the drain, of the last.
        spent = one.busy_cycles + sum(one.stall_cycles.values())
        assert one.streamed_cycles == spent or one.module == "head", one.module


@pytest.mark.parametrize(("arch", "kv", "wanted"), [
    # facts: analytic, all vector work under the MXU.
    ("anda-hpca25", "int8", 12.34e9), ("anda-hpca25", "int4", 11.85e9), ("fp-fp", "int8", 26.24e9),
])  # fmt: skip
def test_a_whole_prefill_is_within_a_percent_of_what_its_busiest_unit_takes(arch: str, kv: str, wanted: float) -> None:
    phase = streamed(arch, "llama-13b", "prefill", "", "all", kv)
    assert abs(phase.streamed_cycles / wanted - 1) < 0.01
    vector = [one for one in phase.modules if not one.streamed_cycles]
    assert {one.module for one in vector} >= {"norm", "rotary", "activation"}
    waits = sum(sum(one.stall_cycles.values()) for one in phase.modules)
    assert waits < 0.002 * phase.streamed_cycles < sum(one.vector_cycles for one in vector)


def test_a_grain_that_is_none_is_refused(console: Console) -> None:
    code, _, told = console("stream", "anda-hpca25", "llama-7b", "--grain", "tilee")
    assert code == 2
    assert "did you mean `tile`?" in told


def test_a_comparison_shows_both_figures_and_keeps_them(console: Console, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    asked = ["--workload", "llama-7b", "--phase", "decode", "--stream", "--out", str(folder)]
    _, shown, _ = console("compare", "fp-fp", "anda-hpca25", *asked)
    kept = json.loads((folder / "streamed.json").read_text())
    assert [one["machine"] for one in kept] == ["fp-fp", "anda-hpca25"]
    page = (folder / "report.html").read_text()
    for one in kept:
        for cycles in (one["alone_cycles"], one["streamed_cycles"]):
            assert f"{cycles:,}" in shown
            assert f"{cycles:,}" in page


def test_what_cannot_stream_is_refused_before_anything_is_written(console: Console, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    code, _, told = console("run", "int8", "llama-7b", "--phase", "decode", "--stream", "--out", str(folder))
    assert code == 2
    assert "their inputs are quantised between" in " ".join(told.split())
    assert not folder.exists()


def test_a_program_is_simulated_once_and_kept(tmp_path: Path) -> None:
    arch, work = load_arch("anda-datacenter"), load_workload("llama-7b", phase="decode")
    found = []
    for _ in range(2):
        with Store(tmp_path / "runs.sqlite", make=True) as store, Runs(store=store) as runs:
            found.append((stream(arch, work, runs=runs), runs.simulated))
    (first, simulated), (again, none) = found
    assert first == again
    assert simulated > none == 0
