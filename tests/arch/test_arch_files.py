"""How machine files are put together: YAML, `extends` and `--set`, and the message for each way to get it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.arch.load import load_arch
from tests.arch.building import Write, build, refusal


def test_a_key_written_twice_is_refused_at_the_second(write: Write) -> None:
    file = write("extends: anda-hpca25", "mxu:", "  rows: 8", "  rows: 16")
    assert str(refusal(file)) == f"{file}:4: mxu.rows: written twice"


@pytest.mark.parametrize(
    ("lines", "line"),
    [(["name: x", "mxu: ]"], 2), (["name: x", "\tmxu: 3"], 2), (["- a", "- b"], 1), (["name: 'x"], 2)],
)
def test_what_is_not_yaml_or_no_keys_is_refused_at_its_line(write: Write, lines: list[str], line: int) -> None:
    file = write(*lines)
    error = refusal(file)
    assert str(error.place) == f"{file}:{line}"
    assert error.problem.startswith(("not YAML", "expected keys and values"))


def test_an_empty_file_a_folder_and_bytes_that_are_no_text_are_refused(tmp_path: Path, write: Write) -> None:
    assert refusal(write("")).problem == "missing"
    (tmp_path / "folder.yaml").mkdir()
    assert "no such file" in str(refusal(str(tmp_path / "folder.yaml")))
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"name: \xff\xfe")
    assert refusal(str(binary)).problem == "not a text file in UTF-8"


def test_a_missing_file_and_an_unknown_name_propose_the_nearest_shipped_one(tmp_path: Path) -> None:
    assert refusal(str(tmp_path / "anda-hpca52.yaml")).nearest == "anda-hpca25"
    error = refusal("figna-m12")
    assert error.nearest == "figna-m11"
    assert "anda-edge" in str(error.facts["shipped"])


def test_extending_goes_through_a_chain_and_the_nearest_file_wins(write: Write) -> None:
    write("extends: figna", "name: parent", "mxu: {rows: 8}", name="parent.yaml")
    arch = build(write("extends: parent.yaml", "name: child", "mxu: {columns: 32}", "schedule: {output_block: 128}"))
    figna = load_arch("figna")
    assert (arch.name, arch.mxu.rows, arch.mxu.columns) == ("child", 8, 32)
    assert (arch.mxu.lanes, arch.dram) == (figna.mxu.lanes, figna.dram)


def test_a_mistake_in_a_parent_is_told_at_the_parents_line(write: Write) -> None:
    parent = write("extends: figna", "mxu: {rows: 0}", name="parent.yaml")
    assert str(refusal(write("extends: parent.yaml")).place) == f"{parent}:2"


def test_files_that_extend_one_another_are_refused_with_the_chain(write: Write) -> None:
    write("extends: b.yaml", name="a.yaml")
    write("extends: c.yaml", name="b.yaml")
    error = refusal(write("extends: a.yaml", name="c.yaml"))
    assert "extends itself: c.yaml -> a.yaml -> b.yaml -> c.yaml" in str(error)
    assert "extends itself: me.yaml -> me.yaml" in str(refusal(write("extends: me.yaml", name="me.yaml")))


def test_an_unknown_or_unreadable_parent_is_told_at_the_line_that_names_it(write: Write) -> None:
    file = write("name: x", "extends: anda-hpca52")
    error = refusal(file)
    assert (str(error.place), error.nearest) == (f"{file}:2", "anda-hpca25")
    file = write("extends: [a, b]")
    assert str(refusal(file)) == f"{file}:1: extends: expected the name of a file, found ['a', 'b']"


def test_set_lays_values_over_the_file_later_ones_last() -> None:
    arch = build(
        "anda-hpca25",
        "mxu.rows=8",
        "mxu.rows=4",
        "dram.time_quantum=null",
        "schedule={order: outputs_outer, token_block: 4, output_block: 64, k_block: 64}",
    )
    assert (arch.mxu.rows, arch.dram.time_quantum) == (4, None)
    assert arch.schedule.order == "outputs_outer"  # type: ignore[union-attr]


@pytest.mark.parametrize("assignment", ["mxu.rows", "=3", "mxu..rows=3", ".rows=3", "mxu.=3", ""])
def test_set_without_a_key_and_a_value_is_refused(assignment: str) -> None:
    error = refusal("anda-hpca25", assignment)
    assert error.problem == "expected KEY=VALUE, such as mxu.rows=32"
    assert str(error.place) == f"--set {assignment}"


@pytest.mark.parametrize(
    ("assignment", "field", "problem"),
    [
        ("mxu.row=3", "mxu.row", "unknown key"),
        ("mxu.rows=", "mxu.rows", "expected integer, found None"),
        ("mxu.rows=x", "mxu.rows", "`x` is neither a number nor a key"),
        ("mxu.rows=[", None, "not YAML: did not find expected node content"),
        ("mxu.rows.tall=3", "mxu.rows.tall", "`rows` is a single value, not a section"),
    ],
)
def test_a_mistake_in_set_is_told_as_one_of_set(assignment: str, field: str | None, problem: str) -> None:
    error = refusal("anda-hpca25", assignment)
    assert str(error.place) == f"--set {assignment}"
    assert (error.field, error.problem) == (field, problem)
