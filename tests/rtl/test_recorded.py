"""What is recorded is what the code makes of it: machines with synthesised costs, the page's diagrams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.rtl.area.costs import FOLDER, RECORDED, machines
from sim.rtl.area.elements import ELEMENTS
from sim.rtl.area.ratios import ratios
from sim.rtl.build import missing_tool
from sim.rtl.diagrams import PAGE, diagrams, drawn_into


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return json.loads(RECORDED.read_text())


def test_the_machines_with_synthesised_costs_follow_from_the_record(measured: dict[str, Any]) -> None:
    files = {path.stem: path.read_text() for path in FOLDER.glob("*.yaml")}
    assert files == machines(measured)
    assert set(files) == {element.machine for element in ELEMENTS.values()}


@pytest.mark.parametrize("machine", sorted(element.machine for element in ELEMENTS.values()))
def test_only_the_cost_of_the_pe_differs_from_the_shipped_machine(machine: str) -> None:
    shipped, ours = load_arch(machine), load_arch(str(FOLDER / f"{machine}.yaml"))
    same = ours.cost.model_copy(update={"pe": shipped.cost.pe})
    assert ours.model_copy(update={"name": shipped.name, "cost": same}) == shipped


def test_energies_stand_in_the_expected_order_but_for_fp_int_and_ifpu(measured: dict[str, Any]) -> None:
    energies = {row.name: row.energy for row in ratios(measured)}
    order = ["FP-FP", "FP-INT", "FIGNA", "FIGNA-M11", "FIGNA-M8"]
    assert sorted(order, key=lambda name: -energies[name]) == order
    # At equal mantissa length the serial PE switches about as much as the parallel one, and less at 8 bits or below.
    assert energies["Anda, M = 13"] < energies["FIGNA"]
    assert energies["Anda, M = 6"] < energies["FIGNA-M8"]


def test_the_page_s_diagrams_are_those_of_the_rtl() -> None:
    missing = missing_tool()
    if missing is not None:
        pytest.skip(missing)
    page = PAGE.read_text()
    assert drawn_into(page, diagrams()) == page
