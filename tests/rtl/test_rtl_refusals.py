"""What `rtl check` and `rtl area` refuse, in one clear error each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sim.cli import main
from sim.errors import InputError
from sim.rtl.report import run_area, run_checks
from sim.shipped import ROOT

MODEL = ROOT / "workloads" / "tiny-llama"


@pytest.fixture
def trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A trace of the shipped model, made with these further options."""
    folder = tmp_path / "trace"
    options = ["--tokens", "8", "--layers", "0", "--out", str(folder), *request.param]
    monkeypatch.setattr(sys, "argv", ["sim.py", "trace", str(MODEL), *options])
    with pytest.raises(SystemExit) as done:
        main()
    assert not done.value.code
    return folder


def test_a_unit_that_no_check_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError) as refused:
        run_checks(["BPCC"], cases=1, mutations=False, out=None)
    assert "BPC" in refused.value.facts["allowed"]


@pytest.mark.parametrize("trace", [[]], indirect=True)
def test_a_trace_of_shapes_alone_has_no_operands(trace: Path) -> None:
    with pytest.raises(InputError, match="no tensors recorded"):
        run_area(trace, out=None)


@pytest.mark.parametrize("trace", [["--text", str(MODEL / "test.txt")]], indirect=True)
def test_weights_with_zero_points_are_refused_before_anything_is_synthesised(trace: Path) -> None:
    with pytest.raises(InputError, match="weights with zero points"):
        run_area(trace, out=None)
