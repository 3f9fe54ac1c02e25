"""Units speak for themselves: names, labels, and prices of what they count."""

from __future__ import annotations

import pytest

from sim.arch.load import load_arch
from sim.machine.costs import components
from sim.simulation import simulate
from sim.units.catalogue import unit_kinds, unit_label, unit_of
from sim.workload.attention import CACHES
from sim.workload.gemm import FusedAttention, Gemm, Phase, RowBlocks, VectorWork, Workload

WORK = Workload(
    "both",
    (
        Phase(
            "prefill",
            (
                Gemm("one", "up", m=16, k=128, n=64, mantissa_bits=5, output_mantissa_bits=5),
                VectorWork("norm", "norm", operations=300, read_bytes=200, write_bytes=90),
                FusedAttention("attention", (RowBlocks(16, 64, 1),), 1, 64, 64, CACHES["int8"], 6, 8, 5),
            ),
        ),
    ),
)
INTEGERS = Workload("no attention", (Phase("prefill", WORK.phases[0].items[:2]),))
"""Integer PEs refuse attention: its queries would have to be quantised on the chip."""
WORKS = {"int8": INTEGERS}
MACHINES = ("anda-hpca25", "fp-fp", "anda-datacenter", "int8")


def test_every_unit_of_a_run_is_in_the_catalogue() -> None:
    used = {unit for name in ("anda-hpca25", "int8") for unit in simulate(load_arch(name), WORKS.get(name, WORK)).units}
    assert used == set(unit_of())


def test_the_catalogue_is_in_the_order_of_the_data() -> None:
    names = list(unit_of())
    for earlier, later in (("dram", "weight_loader"), ("weight_loader", "weight_buffer"), ("mxu", "collector")):
        assert names.index(earlier) < names.index(later)


def test_a_unit_is_written_as_it_says_or_as_its_name() -> None:
    assert unit_label("mxu") == "MXU"
    assert unit_label("weight_buffer") == "weight buffer"
    assert unit_label("of_somebody_else") == "of somebody else"


@pytest.mark.parametrize("name", MACHINES)
def test_a_unit_prices_its_own_counters_only_and_names_components_that_there_are(name: str) -> None:
    arch = load_arch(name)
    counters = set(simulate(arch, WORKS.get(name, WORK)).counters)
    for unit in unit_kinds():
        for terms in unit.costs(arch):
            assert terms.component in components()
            assert {counter.partition(".")[0] for counter in terms.picojoules} <= set(unit.names)
            assert set(terms.picojoules) <= counters | {"bpc.groups", "vector.written_bits", "quantiser.written_bits"}


def test_a_component_has_one_unit_that_introduces_it() -> None:
    introduced = [component for unit in unit_kinds() for component in unit.components]
    assert sorted(introduced) == sorted(components())
