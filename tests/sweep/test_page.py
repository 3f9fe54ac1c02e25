"""The report: one file without the network; drawn in a browser, every figure is there and a hover tells the config."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sim.sweep.page import page
from sim.sweep.stored import StoredSweeps
from sim.sweep.view import View
from tests.sweep.conftest import Write, run

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
EVIL = '</script><script>alert("1")</script><b>&amp;'
AXES = {
    "arch.mxu.rows": [4, 8, 16],
    "arch.buffers.weight.bytes": [65536, 262144],
    "workload.run.precision": [8, [7, 6, 6, 6]],
}
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Read(HTMLParser):
    """Tags with their attributes, the words outside of scripts, and the figures' data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.figures: list[dict[str, Any]] = []
        self.words = ""
        self._inside: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("type") or tag if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "application/json":
            self.figures.append(json.loads(data))
        elif self._inside is None:
            self.words += data


@pytest.fixture
def view(write: Write, tmp_path: Path) -> View:
    run(write(AXES, description=EVIL), tmp_path / "s.sqlite")
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        return View(store, "small")


def test_the_page_loads_nothing_and_escapes_everything(view: View) -> None:
    text = page(view, NOON)
    read = Read(text)
    for tag, attributes in read.tags:
        assert not {"src", "href", "action", "data", "srcset"} & attributes.keys(), tag
    assert "default-src 'none'" in text
    assert EVIL in read.words
    assert EVIL not in text


def test_the_front_figure_shows_every_point_once_in_each_pair(view: View) -> None:
    [fronts, parallel, sensitivity] = Read(page(view, NOON)).figures
    front = {point.stored.number for point in view.groups[()]}
    assert len(fronts["data"]) == 2 * 3  # dominated and front, three pairs of three objectives
    for dominated, best in zip(fronts["data"][::2], fronts["data"][1::2], strict=True):
        numbers = [
            {int(re.match(r"<b>point (\d+)", text)[1]) for text in one["hovertext"]} for one in (dominated, best)
        ]  # type: ignore[index]
        assert numbers[1] == front
        assert numbers[0] == set(range(12)) - front
    for one, (x, y) in zip(fronts["data"][1::2], ((0, 1), (0, 2), (1, 2)), strict=True):
        assert sorted(zip(one["x"], one["y"], strict=True)) == sorted(
            (point.objectives[x], point.objectives[y]) for point in view.groups[()]
        )
    assert len(parallel["data"]) == 1 + len(front)
    assert len(sensitivity["data"]) == 3 * 3 * 2  # axes, objectives, median and least


def test_a_hover_tells_the_configuration_and_a_click_the_command(view: View) -> None:
    best = Read(page(view, NOON)).figures[0]["data"][1]
    point = view.groups[()][0]
    index = next(i for i, text in enumerate(best["hovertext"]) if text.startswith(f"<b>point {point.stored.number}:"))
    rows, size = point.levels["arch.mxu.rows"], point.levels["arch.buffers.weight.bytes"]
    precision = json.dumps(point.levels["workload.run.precision"])
    assert f"<br>rows {rows}<br>bytes {size >> 10} KiB<br>precision {precision}<br>" in best["hovertext"][index]
    assert best["customdata"][index] == point.command()


def test_a_sweep_without_a_feasible_point_has_a_page(write: Write, tmp_path: Path) -> None:
    run(write({"arch.mxu.rows": [8, 16]}, constraints=["cycles < 0"]), tmp_path / "s.sqlite")
    with StoredSweeps(tmp_path / "s.sqlite") as store:
        read = Read(page(View(store, "small"), NOON))
    assert read.figures == []
    assert "2 break a constraint" in read.words


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_browser_draws_every_figure_and_shows_the_hover(view: View, tmp_path: Path) -> None:
    probe = """<script>addEventListener("load", () => {
      const plots = [...document.querySelectorAll("figure div[role=img]")];
      const told = [];
      for (const plot of plots) {
        const curve = plot.data.length > 1 ? 1 : 0;
        Plotly.Fx.hover(plot, [{curveNumber: curve, pointNumber: 0}], "xy");
        const labels = [...plot.querySelectorAll(".hoverlayer text")].map((one) => one.textContent);
        told.push({svg: plot.querySelectorAll(".main-svg").length, marks: plot.querySelectorAll(".points path").length,
                   hover: labels.join("|"), expected: plot.data[curve].hovertext[0]});
      }
      plots[0].emit("plotly_click", {points: [{customdata: "clicked"}]});
      told.push(document.querySelector("output").textContent);
      const found = document.createElement("template"); found.id = "found"; found.dataset.told = JSON.stringify(told);
      document.body.append(found);
    });</script></body>"""
    path = tmp_path / "report.html"
    path.write_text(page(view, NOON).replace("</body>", probe), encoding="utf-8")
    profile = tmp_path / "profile"
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", *quiet, f"--user-data-dir={profile}"]
    drawn = subprocess.run(
        [*command, "--window-size=1400,3000", "--virtual-time-budget=10000", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    [data] = [attributes for tag, attributes in Read(drawn).tags if attributes.get("id") == "found"]
    *figures, clicked = json.loads(data["data-told"] or "")
    assert len(figures) == 3
    for figure in figures:
        assert figure["svg"] > 0
        assert figure["marks"] > 0
        told = re.sub(r"<[^>]+>", "", figure["expected"].replace("<br>", ""))
        assert re.sub(r"\s", "", told) in re.sub(r"\s", "", figure["hover"])
    assert "rows" in figures[0]["hover"]
    assert clicked == "clicked"
