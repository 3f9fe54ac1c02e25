"""Whole GeMMs and decode steps beside two references: the record, and the unit that has a reference behind it."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dram import behind
from benchmarks.dram.closed_loop import KEYS, QUEUES, RECORD, distance, drawn_loops, loop_cases
from benchmarks.dram.page import PAGE
from sim import plugins
from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.machine.machine import Machine
from sim.units.dram import Port, model_of
from sim.units.unit import Bench
from sim.workload.gemm import Gemm
from tests.units.rig import Rig

HERE = Path(__file__).parent
ROW = 128 * 512
"""Bytes of a row of all bank groups and channels."""


@cache
def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RECORD.read_text())
    return found


def test_the_model_takes_the_recorded_cycles() -> None:
    cases = list(loop_cases())
    rows = record()["cases"]
    assert [case.name for case in cases] == [row["case"] for row in rows]
    for case, row in zip(cases, rows, strict=True):
        if row["ramulator"] < 100_000:
            assert {name: row[f"model_as_{name}"] for name in QUEUES} == {name: case.model(name) for name in QUEUES}
            assert case.traffic() == (row["writes"], row["pins"])


def test_the_page_is_drawn_from_the_record() -> None:
    assert drawn_loops(record()) in PAGE.read_text()


def test_closed_loops_are_as_near_to_the_references_as_the_page_promises() -> None:
    rows = record()["cases"]
    assert sum("o-projection" in row["case"] for row in rows) == 2
    names = " ".join(row["case"] for row in rows)
    assert all(f"batch {batch}, {mxus}" in names for batch in (1, 8) for mxus in (1, 16))
    for row in rows:
        allowed = 0.03 if row["writes"] < 0.3 else 0.05 if row["writes"] < 0.5 else 0.06
        assert all(abs(distance(row, reference)) <= allowed for reference in QUEUES), row
    assert any(0.45 < row["writes"] < 0.5 for row in rows)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reference whose clocks can be told on paper."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    library = tmp_path_factory.mktemp("toy") / "libtoy.so"
    headers = Path(behind.__file__).parent
    flags = ["-std=c++17", "-fPIC", "-shared", f"-I{headers}"]
    subprocess.run(["g++", *flags, str(HERE / "toy_loop.cc"), "-o", str(library)], check=True)
    return library


@pytest.fixture
def arch(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Arch:
    monkeypatch.setenv(plugins.FILES, "")
    plugins.use([Path(behind.__file__)])
    kind = f"kind: reference, library: {toy}, description: {toy}"
    return load_arch("anda-hpca25", [f"dram={{{kind}, {KEYS}, outstanding_loads: 4}}"])


def test_clocks_of_a_reference_come_out_as_cycles(arch: Arch) -> None:
    rig, model = Rig("tile"), model_of(arch)
    unit = model.unit(Bench(rig.environment, "tile"))
    told: list[tuple[str, int]] = []
    # At the end of cycle 0 the clock of cycle 0 has passed: 16 bursts a channel go from clock 1 on. The weights' first
    # bank is bank 0, whose last burst has its data 100 clocks after clock 16; a write is done with its last burst.
    unit.read(Port.WEIGHTS, 16 * 512, lambda: told.append(("read", rig.now)))
    unit.write(16 * 512, lambda: told.append(("write", rig.now)))
    rig.environment.run()
    ratio = model.clocks_per_cycle  # type: ignore[attr-defined]
    latency = model.latency_cycles  # type: ignore[attr-defined]
    assert told == [("write", ceil(16 / ratio)), ("read", ceil((16 + 100) / ratio) + latency)]


def test_requests_of_a_port_are_done_in_order(arch: Arch) -> None:
    rig = Rig("tile")
    unit = model_of(arch).unit(Bench(rig.environment, "tile"))
    told: list[tuple[int, int]] = []
    unit.read(Port.WEIGHTS, ROW, lambda: told.append((0, rig.now)))
    unit.read(Port.WEIGHTS, 512, lambda: told.append((1, rig.now)))  # of bank 1, whose data come sooner
    rig.environment.run()
    assert [number for number, _ in told] == [0, 1]
    assert told[0][1] == told[1][1]


def test_a_machine_runs_on_a_reference(arch: Arch) -> None:
    gemm = Gemm("o", "o", m=40, k=512, n=640, mantissa_bits=6, output_mantissa_bits=None)
    run = Machine(arch).run(gemm)
    assert not run.skips
    banked = Machine(load_arch("anda-hpca25", [f"dram={{kind: banks, {KEYS}, outstanding_loads: 4}}"])).run(gemm)
    for side in ("weight", "activation", "output"):
        assert run.counters[f"dram.{side}_bytes"] == banked.counters[f"dram.{side}_bytes"]
