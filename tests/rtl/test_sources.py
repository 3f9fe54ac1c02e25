"""The SystemVerilog as sources: no warning, no latch, no register without a reset that would need one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from sim.errors import InputError
from sim.rtl.checks import bench, matrix
from sim.rtl.checks.build import SOURCES, Edit, lint
from sim.rtl.checks.planted import resets
from sim.rtl.checks.shape import Shape
from sim.rtl.checks.suite import Check, checks, find

FILES = sorted(path for path in SOURCES.iterdir() if path.suffix in (".sv", ".vlt", ".h"))
KINDS = [check for check in checks() if check.variant.startswith(("2 x 2, groups of 64", "6 x 4", "INT4, 16"))]
"""One array of every kind, one with a compressor, a quantiser."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_line_is_longer_than_120_columns(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if len(line) > 120] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_begins_with_its_licence(path: Path) -> None:
    assert path.read_text().startswith("// SPDX-License-Identifier: Apache-2.0\n")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_process_is_combinational_or_a_register(path: Path) -> None:
    assert re.findall(r"always(?!_ff|_comb)\b", re.sub("//.*", "", path.read_text())) == []


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("check", KINDS, ids=lambda check: check.name)
def test_verilator_warns_of_nothing(check: Check) -> None:
    lint(check.design)


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    zeros = 4'd0;\n", "", "LATCH"),
        ("always_comb begin\n    zeros", "logic forgotten;\n  always_comb begin\n    zeros", "UNUSEDSIGNAL|UNDRIVEN"),
        ("8'(field) + 8'd112, fraction", "9'(field) + 9'd112, fraction", "WIDTH"),
    ],
)
def test_a_latch_a_forgotten_signal_and_a_width_are_warned_of(old: str, new: str, said: str) -> None:
    design = find("arithmetic 4,000 operands a case").design
    with pytest.raises(InputError, match=said):
        lint(replace(design, edits=(Edit("fp16_to_scale.sv", old, new),)))


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("machine", ["anda-hpca25", "fp-fp", "int8"])
def test_what_registers_hold_before_reset_is_never_seen(machine: str) -> None:
    shape = Shape(machine, 2, 2, weight_port=256, activation_port=128, collector_port=64)
    work = matrix.random_work(shape, Random(5), tokens=2, outputs=3)
    case, design = matrix.prepare(shape.design(), work, matrix.no_stalls(work)).case, shape.design()
    first, *others = bench.run(design, [replace(case, power_up=seed) for seed in range(12)])
    for other in others:
        for port, handshakes in first.items():
            assert np.array_equal(handshakes.cycles, other[port].cycles)
            for signal, payload in handshakes.payload.items():
                assert np.array_equal(payload, other[port].payload[signal])


@pytest.mark.usefixtures("compiler")
def test_every_case_powers_up_otherwise() -> None:
    # Without its reset the full flag is what the seed makes of it: blocks come out before any went in, or not.
    check = find("weight dispatcher as published")
    edit = next(fault for fault in resets.FAULTS if fault.fault == "weight_dispatcher: full_q has no reset").edits
    differing = [bool(case.differences) for case in check.compare(30, edit)]
    assert 5 < sum(differing) < 25
