"""The recorded results as Markdown: docs/benchmarks.md, and what the README shows between its `benchmarks` marks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT

RESULTS = ROOT / "results" / "benchmarks"
PARTS = ("peers", "jobs", "speed")
Row = dict[str, Any]
NOTE = (
    "All machines do 256 MACs a cycle on paper. Times are CPU seconds, wall seconds in brackets; ours are medians of "
    "five processes with cold caches, each peer ran once. SCALE-Sim steps every cycle; ZigZag is analytic and searches "
    "a mapping. Equal GeMMs of the layer are simulated once here; ZigZag evaluates all seven."
)


def render(folder: Path = RESULTS) -> str:
    """All parts that have been recorded in `folder`, peers first."""
    sections = {"peers": _peers, "jobs": _jobs, "speed": _speed}
    blocks = []
    for part in PARTS:
        file = folder / f"{part}.json"
        if file.exists():
            recorded = json.loads(file.read_text())
            blocks.append("\n".join([*sections[part](recorded["rows"]), "", _host(recorded["host"])]))
    return "\n\n".join(blocks) + "\n"


PAGE, README = ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"
HEADING = """# How fast

`make bench` runs all of it again, each peer in its own virtual environment, and writes this page.

"""


def page(folder: Path = RESULTS) -> str:
    """docs/benchmarks.md."""
    return HEADING + render(folder)


def with_summary(readme: str, folder: Path = RESULTS) -> str:
    """The README with what is recorded in five lines."""
    before, _, rest = readme.partition(BEGIN)
    return before + BEGIN + "\n" + "\n".join(_summary(folder)) + "\n" + END + rest.partition(END)[2]


def _summary(folder: Path) -> Iterator[str]:
    jobs, peers = (json.loads((folder / f"{part}.json").read_text())["rows"] for part in ("jobs", "peers"))
    for row in jobs:
        if row["limit"] and row["limit"]["clock"] == "simulation":
            yield f"- {row['title']}: {_clocks(row['simulation'])} s to simulate"
    for row in jobs:
        if row["title"].startswith("LLaMA-2-70B"):
            yield f"- {row['title']}: {_clocks(row['shell'])} s from the shell, {row['shell']['peak_megabytes']:.0f} MB"
    for contest in peers:
        for row in contest["peers"]:
            if row.get("limit_times"):
                faster = next(iter(row["times"].values()))["simulation_cpu"]
                yield f"- {contest['title']}: {faster:,.0f} times faster than {row['tool']} on the same array"


def _host(host: Row) -> str:
    return (
        f"{host['processor']}, {host['cores']} cores, Python {host['python']}, {host['date']}, "
        f"load {host['load']} before and {host['load_after']} after."
    )


def _peers(contests: Sequence[Row]) -> Iterator[str]:
    yield "| GeMMs | tool | cycles | simulated | from the shell | peak MB | times the same array |"
    yield "|---|---|--:|--:|--:|--:|---|"
    for contest in contests:
        for row in (*contest["ours"], *contest["peers"]):
            if "failed" in row:
                yield f"| {contest['title']} | {row['tool']} | not run: {_cell(row['failed'])} | | | | |"
                continue
            shell, simulation = row["shell"], row["simulation"]
            yield (
                f"| {contest['title']} | {row['tool']} | {row['cycles']:,} | {_clocks(simulation)} | "
                f"{_clocks(shell)} | "
                f"{shell['peak_megabytes']:.0f} | {_times(row)} |"
            )
    yield ""
    yield NOTE


def _times(row: Row) -> str:
    """Against the first of our machines: simulation against simulation, and shell against shell."""
    if "times" not in row:
        return ""
    times, limit = next(iter(row["times"].values())), row["limit_times"]
    met = {clock: "yes" if limit and times[f"simulation_{clock}"] >= limit else "no" for clock in ("cpu", "wall")}
    verdict = f"; limit {limit:,}, met: {met['cpu']} ({met['wall']})" if limit else ""
    simulation, shell = (
        f"{times[f'{part}_cpu']:,.0f} ({times[f'{part}_wall']:,.0f})" for part in ("simulation", "shell")
    )
    return f"{simulation}, shell {shell}{verdict}"


def _jobs(rows: Sequence[Row]) -> Iterator[str]:
    yield "| work | simulated | from the shell | peak MB | memory busy | limit | met, CPU (wall) |"
    yield "|---|--:|--:|--:|--:|---|---|"
    for row in rows:
        if "failed" in row:
            yield f"| {row['title']} | failed: {_cell(row['failed'])} | | | | | |"
            continue
        simulation = _clocks(row["simulation"]) if "simulation" in row else ""
        busy = f"{row['dram_busy']:.0%}" if "dram_busy" in row else ""
        shell = row["shell"]
        yield (
            f"| {row['title']} | {simulation} | {_clocks(shell)} | "
            f"{shell['peak_megabytes']:.0f} | {busy} | {_limit(row['limit'])} | {_met(row)} |"
        )


def _limit(limit: Row | None) -> str:
    if limit is None:
        return ""
    memory = f", {limit['megabytes']:g} MB" if limit["megabytes"] else ""
    return f"{limit['clock']} {limit['seconds']:g} s{memory}"


def _met(row: Row) -> str:
    words = {True: "yes", False: "no"}
    return f"{words[row['met']['cpu']]} ({words[row['met']['wall']]})" if "met" in row else ""


def _speed(rows: Sequence[Row]) -> Iterator[str]:
    squares = [row for row in rows if "grain" in row and not row["ragged"]]
    by_size = {size: {row["grain"]: row for row in squares if row["size"] == size} for size in _sizes(squares)}
    grains = list(dict.fromkeys(row["grain"] for row in squares))
    yield "| square GeMM | cycles | " + " | ".join(f"{grain}: CPU s (events)" for grain in grains) + " |"
    yield "|--:|--:|" + "--:|" * len(grains)
    for size, row in by_size.items():
        cells = [f"{_seconds(row[g]['cpu_seconds'])} ({row[g]['events']:,})" if g in row else "" for g in grains]
        yield f"| {size:,} | {row['fast-forward']['cycles']:,} | " + " | ".join(cells) + " |"
    yield ""
    yield "![simulation time against size](../results/benchmarks/speed.svg)"
    yield ""
    yield "anda-hpca25, M = 7. Time grows with MACs to the power of " + ", ".join(
        f"{exponent(squares, grain):.2f} ({grain})" for grain in grains
    )
    yield "(least squares over the upper half of the sizes). Search of the best schedule: " + ", ".join(
        f"{_seconds(row['cpu_seconds'])} s ({row['search']})" for row in rows if "search" in row
    )


def exponent(squares: Sequence[Row], grain: str) -> float:
    """Slope of log(time) over log(MACs) by least squares, over the larger half of a grain's sizes."""
    rows = sorted((row for row in squares if row["grain"] == grain), key=lambda row: row["macs"])
    points = [(log(row["macs"]), log(row["cpu_seconds"])) for row in rows[len(rows) // 2 :]]
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return float(sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points))


def _sizes(rows: Sequence[Row]) -> list[int]:
    return sorted({row["size"] for row in rows})


def _clocks(figures: Row) -> str:
    return f"{_seconds(figures['cpu_seconds'])} ({_seconds(figures['wall_seconds'])})"


def _seconds(value: float) -> str:
    """Two significant digits between a millisecond and ten seconds."""
    digits = 4 if value < 0.01 else 3 if value < 0.1 else 2 if value < 10 else 1
    return f"{value:.{digits}f}"


def _cell(text: str) -> str:
    return text.replace("|", "/")[:200]
