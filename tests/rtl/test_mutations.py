"""A fault in the RTL, or another pipeline depth in the machine's description, is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim.arch.load import load_arch
from sim.rtl.checks import matrix
from sim.rtl.checks.build import SOURCES
from sim.rtl.checks.mutations import MUTATIONS, caught
from sim.rtl.checks.planted import resets
from sim.rtl.checks.planted.edited import edited
from sim.rtl.checks.planted.fault import Mutation, fault
from sim.rtl.checks.shape import Shape
from sim.runs.code import PACKAGE
from sim.units.collector import Collector

pytestmark = pytest.mark.usefixtures("compiler")

MACHINES = ["anda-hpca25", "fp-fp", "fp-int", "ifpu", "figna", "figna-m11", "figna-m8", "int8-int4"]
SMALL = {"weight_port": 256, "activation_port": 128, "collector_port": 64}
PORTS = {"figna-m11": {"activation_port": 192, "weight_port": 512}, "figna-m8": {"activation_port": 256}}


SAMPLE = [mutation for mutation in MUTATIONS if not mutation.equivalent][::10]
"""One in ten; all of them are tried by `make soak`, and recorded."""


@pytest.mark.parametrize("mutation", SAMPLE, ids=lambda mutation: mutation.fault)
def test_a_fault_is_caught(mutation: Mutation) -> None:
    assert caught(mutation) is not None


def test_there_are_faults_of_every_module_with_registers_and_of_timing_each_once() -> None:
    assert len({mutation.fault for mutation in MUTATIONS}) == len(MUTATIONS) >= 60
    files = {edit.file for mutation in MUTATIONS for edit in mutation.edits}
    with_registers = {path.name for path in SOURCES.glob("*.sv") if "always_ff" in path.read_text()}
    assert with_registers <= files
    assert {file for file in files if file.endswith(".py")}


def test_every_register_with_a_reset_is_among_the_faults() -> None:
    resets_there_are = sum(path.read_text().count("if (!rst_ni)") for path in SOURCES.glob("*.sv"))
    branches = {(module, with_reset) for module, _, with_reset, _ in resets.registers()}
    assert len(branches) == resets_there_are


def test_every_fault_changes_text_that_stands_once() -> None:
    for mutation in MUTATIONS:
        for edit in mutation.edits:
            folder = SOURCES if edit.file.endswith(".sv") else PACKAGE
            assert (folder / edit.file).read_text().count(edit.old) == 1, mutation.fault


def test_an_equivalent_fault_says_why() -> None:
    for mutation in MUTATIONS:
        assert not mutation.equivalent or len(mutation.equivalent.split()) > 5


def test_a_fault_of_timing_is_undone_when_it_has_been_tried() -> None:
    change = fault("", "", "units/collector.py", "return ceil_div(self._bits", "return 1 + ceil_div(self._bits").edits
    before = Collector.drain_cycles.__code__
    with edited(change):
        assert Collector.drain_cycles.__code__ != before
    assert Collector.drain_cycles.__code__ == before


def test_a_change_to_text_that_is_not_there_is_refused() -> None:
    change = fault("", "", "units/collector.py", "no such text", "").edits
    with pytest.raises(ValueError, match="0 places"), edited(change):
        pass


@pytest.mark.parametrize("machine", MACHINES)
def test_the_machine_s_pipeline_depth_is_that_of_the_rtl_and_no_other(machine: str) -> None:
    depth = load_arch(machine).mxu.pipeline_cycles
    shape = Shape(machine, 2, 2, **{**SMALL, **PORTS.get(machine, {})})
    differ = {
        cycles: any(
            case.differences
            for case in matrix.check(replace(shape, pipeline_cycles=cycles), shape.design(), range(5), 2, 3)
        )
        for cycles in (depth - 1, depth, depth + 1)
    }
    assert differ == {depth - 1: True, depth: False, depth + 1: True}
