"""Tables of cells: what is written as Liberty is what stands in them, and says where it comes from."""

from __future__ import annotations

import re

import pytest

from sim.errors import InputError
from sim.rtl.library.extract import Reader
from sim.rtl.library.liberty import parse, write
from sim.rtl.library.table import load, names

POINTS = range(4), range(3)


@pytest.mark.parametrize("node", names())
def test_figures_survive_being_written_as_liberty_and_read_as_a_foundry_s_file(node: str) -> None:
    library = load(node)
    reader = Reader(parse(write(library)), *POINTS)
    for cell in library.cells.values():
        if cell.clock_gate:
            continue  # it has no function that a Liberty file could say
        read = reader.cell(cell.name, {}, dict(cell.roles))
        assert (read["area"], read["leakage"], read["inputs"]) == (cell.area, cell.leakage, cell.inputs)
        assert (tuple(read["loads"]), read["outputs"]) == (cell.loads, cell.outputs)
        for found, arc in zip(
            sorted(read["arcs"], key=lambda arc: arc[:2]), sorted(cell.arcs, key=lambda arc: arc[:2]), strict=True
        ):
            flat = [[value for row in table for value in row] for table in arc[4:]]
            assert found[:3] == [arc.input, arc.output, arc.sense]
            assert found[4:] == flat
    assert reader.slews(library.parts["nand"]) == list(library.slews)


def test_wires_are_capacitance_of_pins_for_a_tool_that_has_none() -> None:
    library = load("asap7")
    bare, wired = (Reader(parse(write(library, wire)), *POINTS) for wire in (0.0, 0.5))
    for name in ("NAND2xp5", "DFFHQNx1"):
        roles = dict(library.cells[name].roles)
        before, after = (reader.cell(name, {}, roles)["inputs"] for reader in (bare, wired))
        assert after == {pin: pytest.approx(capacitance + 0.5, abs=1e-3) for pin, capacitance in before.items()}


@pytest.mark.parametrize("node", names())
def test_a_table_names_its_source_its_commit_and_its_licence(node: str) -> None:
    source = load(node).source
    assert re.search(r"commit [0-9a-f]{40}", source["cells"])
    assert re.search("Licen[cs]e", source["licence"])
    assert all(source[key].startswith("chosen: ") for key in ("wire", "wire_margin"))


def test_files_with_lines_that_lack_a_semicolon_are_read() -> None:
    group = parse("library (l) { cell (X) {\n area : 0.5\n pin (A) { capacitance : 1.5; } } }  /* end */")
    cell = group.of("cell")[0]
    assert (cell.value("area"), cell.of("pin")[0].value("capacitance")) == ("0.5", "1.5")


def test_a_node_without_a_table_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="did you mean `asap7`") as refused:
        load("asap")
    assert refused.value.facts["allowed"] == "asap7, sky130"
