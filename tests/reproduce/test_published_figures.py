"""The paper's numbers as data: what follows from a formula in the paper is held against it."""

from __future__ import annotations

import pytest

from sim.arch.load import load_arch
from sim.reproduce.published import published
from sim.workload.load import load_workload

PAPER = published()


def test_compression_is_sixteen_bits_over_sign_mantissa_and_a_share_of_the_exponent() -> None:
    for bits, printed in PAPER.storage.compression.items():
        # 64 values: 64 sign bits, 64 M mantissa bits, one exponent of 5 bits; printed to two decimals
        assert printed == pytest.approx(16 * 64 / (64 * (bits + 1) + 5), abs=0.005 + 1e-9)


def test_there_are_54_combinations_and_each_is_the_shipped_one() -> None:
    combinations = PAPER.precision_combinations.models
    assert list(combinations) == PAPER.systems.models
    pairs = [(model, name, one) for model, named in combinations.items() for name, one in named.items()]
    assert len(pairs) == 54
    for model, name, one in pairs:
        assert list(load_workload(model, precision=name).precision or ()) == one.mantissa_bits


def test_power_adds_up_to_its_printed_total_and_area_does_not() -> None:
    blocks, total = PAPER.chip.blocks.values(), PAPER.chip.printed_total
    assert sum(block.milliwatts for block in blocks) == pytest.approx(total.milliwatts)
    assert sum(block.square_millimetres for block in blocks) == pytest.approx(total.square_millimetres + 0.04)


def test_every_system_has_a_machine_a_speedup_and_an_energy_breakdown() -> None:
    assert list(PAPER.systems.machines) == list(PAPER.energy_breakdown.machines)
    for row in PAPER.systems.machines.values():
        load_arch(row.arch)
