"""The page and the files of a small reproduction made by hand."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from sim.errors import InputError
from sim.reproduce import files
from sim.reproduce.cells import PaperCell, PaperSection, Role, Table, alone
from sim.reproduce.page import page
from sim.reproduce.pictures import bars, lines, stacks
from sim.reproduce.reproduction import Reproduction, reproduce

CELLS = (
    PaperCell("a <b>", "one", 1.0, 1.0, Role.PREDICTED),
    PaperCell("a <b>", "two", 2.0, 1.0, Role.PREDICTED, reason="a reason & more"),
    PaperCell("c", "one", 3.0, 4.0, Role.PREDICTED, exempt=True, reason="it cannot"),
    PaperCell("c", "two", 7.0, 7.5, Role.INPUT),
    PaperCell("d", "one", 5.0, 5.0, Role.FITTED),
)
SECTION = PaperSection("part", "A part", (Table("numbers", "ratio", CELLS, unit="x", picture="bars"),), place="Fig. 1")
MADE = Reproduction((SECTION,), "0123")


def test_the_page_shows_each_cell_its_verdict_and_its_reason() -> None:
    text = page(MADE)
    fields = re.findall(r'<td class="number (\w+)" title="([^"]*)">([\d.]+)x', text)
    assert [(kind, value) for kind, _, value in fields] == [
        ("within", "1.00"),
        ("outside", "2.00"),
        ("exempt", "3.00"),
        ("input", "7.00"),
        ("fitted", "5.00"),
    ]
    assert "+100.0 %" in fields[1][1]
    assert text.count("a reason &amp; more") == 2  # under the pointer and in the list
    assert (
        "3 numbers of the paper are predicted: 1 within their limits, relative errors of 25.0 % in the median" in text
    )
    assert (
        "and 100 % at most: 1 outside, 1 where the paper contradicts itself. Not counted: 1 numbers that went" in text
    )
    assert "predicted, limit 2 %, within" in fields[0][1]
    assert [fields[3][1], fields[4][1]] == ["error -6.7 %; input", "error +0.0 %; fitted"]


def test_the_page_is_alone_and_escapes_what_it_shows() -> None:
    text = page(MADE)
    assert "a <b>" not in text
    assert "<script" not in text
    assert "http://" not in text
    assert "https://" not in text


RECTANGLE = re.compile(
    r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" '
    r'fill="#\w+" fill-opacity="([\d.]+)"><title>[^<]*,'
)
"""x, y, width, height and opacity of a mark that tells a cell; those of a legend have no comma."""


def rectangles(svg: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, found)) for found in RECTANGLE.findall(svg)]


def test_bars_are_as_high_as_their_numbers() -> None:
    drawn = [height for _, _, _, height, _ in rectangles(bars(SECTION.tables[0]))]
    assert [height / drawn[0] for height in drawn] == pytest.approx([1, 2, 3, 7, 5], rel=0.01)


def test_stacks_are_as_long_as_their_numbers_and_the_paper_lies_below() -> None:
    cells = (PaperCell("m", "x", 10.0, 5.0, Role.FITTED), PaperCell("m", "y", 20.0, 10.0, Role.FITTED))
    found = rectangles(stacks(Table("shares", "%", cells)))
    (x1, y1, w1, _, _), (x2, _, w2, _, _), (_, y3, w3, _, pale), _ = found
    assert (w2 / w1, w1 / w3) == pytest.approx((2, 2), rel=0.01)
    assert x2 == pytest.approx(x1 + w1, abs=0.2)
    assert y3 > y1
    assert pale < 1


def test_lines_on_a_logarithmic_axis_step_evenly_when_columns_double() -> None:
    table = Table("t", "q", tuple(alone("m", str(2**n), 1.0) for n in range(4)), picture="lines", log_x=True)
    xs = [float(x) for x in re.findall(r'cx="([\d.]+)"', lines(table))]
    steps = [right - left for left, right in pairwise(xs)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.2)


def test_files_are_written_again_over_earlier_ones_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    files.write(MADE, out)
    files.write(MADE, out)
    assert sorted(path.name for path in out.iterdir()) == sorted((files.JSON, files.CSV, files.HTML))
    told = json.loads((out / files.JSON).read_text(encoding="utf-8"))
    assert told["verdicts"] == {"exempt": 1, "fitted": 1, "input": 1, "outside": 1, "within": 1}
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds something else"):
        files.write(MADE, out)


def test_a_file_of_the_same_name_that_is_another_s_is_left_alone(tmp_path: Path) -> None:
    for name in (files.HTML, files.CSV):
        out = tmp_path / name
        out.mkdir()
        (out / name).write_text("mine")
        with pytest.raises(InputError, match="holds something else"):
            files.write(MADE, out)
        assert (out / name).read_text() == "mine"


def test_an_unknown_section_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean `speedup`"):
        reproduce(["spedup"], cache=tmp_path / "runs.sqlite")
