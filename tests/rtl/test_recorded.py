"""What is recorded is what the code makes of it: costs of PEs, the page's diagrams and tables; and machines take it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from records.microarchitecture.page import PAGE, RECORDS
from records.rtl_costs import MEASURED
from sim.arch.load import load_arch
from sim.errors import InputError
from sim.rtl.area.elements import ELEMENTS
from sim.rtl.area.ratios import ratios
from sim.rtl.checks.mutations import MUTATIONS
from sim.rtl.checks.recording import WITHOUT_RTL
from sim.rtl.checks.suite import checks

MACHINES = sorted(element.machine for element in ELEMENTS.values())


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return json.loads(MEASURED.read_text())


@pytest.mark.parametrize("machine", MACHINES)
def test_only_the_cost_of_the_pe_differs_from_the_published_machine(machine: str) -> None:
    published, ours = load_arch(machine), load_arch(machine, ["cost.pe=rtl"])
    assert ours.cost.pe.source.startswith("results/rtl/area.json: ")
    same = ours.cost.model_copy(update={"pe": published.cost.pe})
    assert ours.model_copy(update={"cost": same}).model_dump() == published.model_dump()


def test_fp_fp_keeps_its_published_figures_and_the_others_are_in_proportion_to_their_gates(
    measured: dict[str, Any],
) -> None:
    gates = {element["machine"]: element["gate_equivalents"] for element in measured["processing_elements"].values()}
    base = load_arch("fp-fp").cost.pe
    for machine in MACHINES:
        found = load_arch(machine, ["cost.pe=rtl"]).cost.pe
        wanted = base.area_square_millimetres * gates[machine] / gates["fp-fp"]
        assert round(wanted, 9) == found.area_square_millimetres
    assert load_arch("fp-fp", ["cost.pe=rtl"]).cost.pe.energy_picojoules_per_cycle == base.energy_picojoules_per_cycle


def test_a_file_that_extends_a_machine_may_ask_for_the_recorded_costs(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: figna\nname: mine\ncost: {pe: rtl}\n")
    assert load_arch(str(path)).cost == load_arch("figna", ["cost.pe=rtl"]).cost


def test_a_pe_that_was_not_synthesised_is_refused_at_the_line_that_asks(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: figna\nname: mine\nmxu: {lanes: 5}\ncost:\n  pe: rtl\n")
    with pytest.raises(InputError) as refused:
        load_arch(str(path))
    assert refused.value.place is not None
    assert refused.value.place.line == 5
    assert "lanes 4" in refused.value.facts["recorded"]


def test_energies_stand_in_the_order_that_the_page_tells(measured: dict[str, Any]) -> None:
    energies = {row.name: row.energy for row in ratios(measured)}
    order = ["FP-FP", "FP-INT", "FIGNA", "FIGNA-M11", "FIGNA-M8"]
    assert sorted(order, key=lambda name: -energies[name]) == order
    assert energies["FIGNA"] < energies["iFPU"] < energies["FP-FP"]
    assert energies["Anda, M = 7"] < energies["FIGNA-M8"] < energies["Anda, M = 8"]
    assert energies["Anda, M = 13"] < energies["FIGNA"]


def test_what_is_recorded_of_checks_and_faults_is_whole_and_without_a_difference() -> None:
    record = json.loads((RECORDS / "checks.json").read_text())
    found = [(row["unit"], row["variant"], row["cases"], row["differing"]) for row in record["checks"]]
    assert found == [row for check in checks() if (row := (check.unit, check.variant, check.cases, 0)) in found]
    recorded = [fault["fault"] for fault in record["mutations"]]
    assert recorded == [mutation.fault for mutation in MUTATIONS if mutation.fault in recorded]
    assert all(bool(fault["seen"]) != bool(fault["equivalent"]) for fault in record["mutations"])
    assert record["without_rtl"] == WITHOUT_RTL


def test_every_path_that_the_page_names_is_there() -> None:
    links = [part.split(")")[0] for part in PAGE.read_text().split("](")[1:]]
    assert links
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
