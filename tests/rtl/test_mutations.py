"""A fault in the RTL, or another pipeline depth in the machine's description, is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim.arch.load import load_arch
from sim.rtl.checks import matrix
from sim.rtl.checks.mutations import MUTATIONS, Mutation
from sim.rtl.checks.shape import Shape
from sim.rtl.report import MUTATION_CASES

pytestmark = pytest.mark.usefixtures("compiler")

MACHINES = ["anda-hpca25", "fp-fp", "fp-int", "ifpu", "figna", "figna-m11", "figna-m8", "int8-int4"]
SMALL = {"weight_port": 256, "activation_port": 128, "collector_port": 64}
PORTS = {"figna-m11": {"activation_port": 192, "weight_port": 512}, "figna-m8": {"activation_port": 256}}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.fault)
def test_a_fault_is_caught(mutation: Mutation) -> None:
    assert mutation.caught(MUTATION_CASES) is not None


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
