"""The SRAM table: exact at its points, between its neighbours elsewhere, an error outside."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.arch.load import load_arch
from sim.cost.sram import Macro, OutsideSramTableError, macro
from sim.machine.costs import area_square_millimetres, energy_picojoules
from sim.units.buffer import activation_memory, exponent_memory, weight_memory
from tests.cost.cacti import FIGURES, TABLE

ROUNDING = 1e-12
"""Of logarithms and exponentials, thousands of times the error of one operation."""


NODES, SIZES, WIDTHS = (sorted({key[i] for key in TABLE}) for i in range(3))


def figures(found: Macro) -> dict[str, float]:
    return {name: getattr(found, name) for name in FIGURES}


def test_the_table_has_every_node_size_and_width() -> None:
    assert set(TABLE) == {(n, s, w) for n in NODES for s in SIZES for w in WIDTHS}
    assert all(value > 0 for row in TABLE.values() for value in row.values())


@pytest.mark.parametrize("node", NODES)
def test_at_its_points_the_table_is_the_answer(node: int) -> None:
    for key, row in TABLE.items():
        if key[0] == node:
            assert figures(macro(*key)) == pytest.approx(row, rel=ROUNDING, abs=0)


@given(st.sampled_from(NODES), st.integers(SIZES[0], SIZES[-1]), st.integers(WIDTHS[0], WIDTHS[-1]))
def test_between_its_points_the_answer_lies_between_the_neighbours(node: int, size: int, width: int) -> None:
    near_sizes = {max(s for s in SIZES if s <= size), min(s for s in SIZES if s >= size)}
    near_widths = {max(w for w in WIDTHS if w <= width), min(w for w in WIDTHS if w >= width)}
    corners = [TABLE[node, s, w] for s in near_sizes for w in near_widths]
    for name, value in figures(macro(node, size, width)).items():
        low, high = min(row[name] for row in corners), max(row[name] for row in corners)
        assert low * (1 - ROUNDING) <= value <= high * (1 + ROUNDING)


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize(("low", "high"), list(itertools.pairwise(SIZES)))
def test_a_size_between_two_is_a_power_law_between_their_figures(node: int, low: int, high: int) -> None:
    size, width = 3 * low // 2, WIDTHS[1]
    share = math.log(size / low) / math.log(high / low)
    for name, value in figures(macro(node, size, width)).items():
        below, above = TABLE[node, low, width][name], TABLE[node, high, width][name]
        assert value == pytest.approx(below * (above / below) ** share, rel=ROUNDING, abs=0)


@pytest.mark.parametrize(
    ("size", "width", "quantity", "limits"),
    [
        (SIZES[0] - 1, 128, "bytes", (SIZES[0], SIZES[-1])),
        (SIZES[-1] + 1, 128, "bytes", (SIZES[0], SIZES[-1])),
        (SIZES[0], WIDTHS[0] - 1, "width in bits", (WIDTHS[0], WIDTHS[-1])),
        (SIZES[0], WIDTHS[-1] + 1, "width in bits", (WIDTHS[0], WIDTHS[-1])),
    ],
)
def test_outside_is_an_error_that_says_what_there_is(
    size: int, width: int, quantity: str, limits: tuple[int, int]
) -> None:
    with pytest.raises(OutsideSramTableError) as caught:
        macro(16, size, width)
    assert caught.value.quantity == quantity
    assert (caught.value.smallest, caught.value.largest) == limits


TABLE_AREAS = [f"cost.sram.{side}_square_millimetres_per_mebibyte=null" for side in ("activation", "weight")]


def test_a_buffer_is_its_banks_and_energy_that_of_one() -> None:
    arch = load_arch("anda-hpca25", [*TABLE_AREAS, "buffers.weight.banks=8"])
    weight, exponent = weight_memory(arch), exponent_memory(arch)
    bank = TABLE[16, 2**20 // 8, 1024]
    assert weight.area_square_millimetres == pytest.approx(8 * bank["area_square_millimetres"], rel=ROUNDING)
    assert weight.leakage_milliwatts == pytest.approx(8 * bank["leakage_milliwatts"], rel=ROUNDING)
    assert weight.read_picojoules_per_bit == pytest.approx(bank["read_picojoules"] / 1024, rel=ROUNDING)
    assert weight.write_picojoules_per_bit == pytest.approx(bank["write_picojoules"] / 1024, rel=ROUNDING)
    small = TABLE[16, 2**17, 80]
    assert exponent is not None
    assert exponent.area_square_millimetres == pytest.approx(small["area_square_millimetres"], rel=ROUNDING)


def test_a_printed_area_stands_for_data_exponents_and_fill_port_and_changes_no_access() -> None:
    printed, tabled = load_arch("anda-hpca25"), load_arch("anda-hpca25", TABLE_AREAS)
    assert area_square_millimetres(printed)["activation_buffer"] == pytest.approx(0.773333 * 1.125, rel=ROUNDING)
    data, exponents = TABLE[16, 2**20, 1024], TABLE[16, 2**17, 80]
    macros = data["area_square_millimetres"] + exponents["area_square_millimetres"]
    fill_port = 8192 * tabled.cost.logic.flip_flop_square_micrometres / 1e6
    assert area_square_millimetres(tabled)["activation_buffer"] == pytest.approx(macros + fill_port, rel=ROUNDING)
    assert activation_memory(printed) == activation_memory(tabled)
    counters = {"activation_buffer.filled_bytes": 5, "activation_dispatcher.read_bits": 7}
    assert energy_picojoules(printed, counters, 0) == energy_picojoules(tabled, counters, 0)
