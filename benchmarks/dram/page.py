"""The recorded comparison in figures, and as the table of docs/dram.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "dram.md"
AGREE = 0.03
"""References that differ by less agree."""
BEGIN, END = "<!-- made by python -m benchmarks.dram -->", "<!-- end -->"


@dataclass(frozen=True)
class Errors:
    """Distances of the model from the references' mean, where they agree, as shares of the time."""

    cases: int
    mean: float
    ninetieth: float
    worst: float
    worst_case: str


def agree(row: Mapping[str, Any]) -> bool:
    """Whether the references agree on a case."""
    return bool(abs(row["ramulator"] / row["dramsim3"] - 1) <= AGREE)


def error(row: Mapping[str, Any]) -> float:
    """Of the model to the references' mean; positive where it is slower."""
    return float(2 * row["model"] / (row["ramulator"] + row["dramsim3"]) - 1)


def errors(rows: Iterable[Mapping[str, Any]]) -> Errors:
    """Over the cases on which the references agree."""
    found = sorted((abs(error(row)), f"{row['standard']}, {row['case']}") for row in rows if agree(row))
    sizes = [size for size, _ in found]
    return Errors(len(sizes), sum(sizes) / len(sizes), sizes[int(0.9 * len(sizes))], *found[-1])


def outside(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, float]]:
    """Cases on which the references disagree and the model is not between them: how far from the nearer."""
    found = []
    for row in rows:
        both = sorted((row["ramulator"], row["dramsim3"]))
        if not agree(row) and not both[0] <= row["model"] <= both[1]:
            nearer = both[0] if row["model"] < both[0] else both[1]
            found.append((f"{row['standard']}, {row['case']}", row["model"] / nearer - 1))
    return sorted(found, key=lambda one: -abs(one[1]))


def write_page(record: Mapping[str, Any]) -> None:
    """Put the tables of a record into the page."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + drawn(record) + after)


def drawn(record: Mapping[str, Any]) -> str:
    """What stands between the marks."""
    rows = record["cases"]
    parts = [
        "all", "streams", "mixes of reads and writes", "paced loops, with windows", "scattered reads",
        "all but scattered reads",
    ]  # fmt: skip
    kinds: Sequence[Callable[[str], bool]] = (
        lambda _: True,
        lambda kind: kind == "stream",
        lambda kind: kind == "mix",
        lambda kind: kind == "loop",
        lambda kind: kind == "scattered",
        lambda kind: kind != "scattered",
    )
    lines = [BEGIN, "", "| traffic | cases | references agree | mean | 90th percentile | worst | which |"]
    lines.append("|---|---|---|---|---|---|---|")
    for part, chosen in zip(parts, kinds, strict=True):
        own = [row for row in rows if chosen(row["kind"])]
        e = errors(own)
        figures = f"{e.mean:.1%} | {e.ninetieth:.1%} | {e.worst:.1%} | {e.worst_case}"
        lines.append(f"| {part} | {len(own)} | {e.cases} | {figures} |")
    found = outside(rows)
    apart = f"Where the references differ by more than {AGREE:.0%} ({len(rows) - errors(rows).cases} cases)"
    lines += ["", f"{apart}, {len(found)} are outside of their span:", ""]
    lines += [f"- {name}: {distance:+.1%} of the nearer" for name, distance in found]
    energies = [row for row in rows if "model_picojoules" in row]
    ratios = [row["model_picojoules"] / row["dramsim3_picojoules"] - 1 for row in energies]
    span = f"{min(ratios):+.1%} to {max(ratios):+.1%}"
    lines += ["", f"Energy beside DRAMsim3's own total, {len(ratios)} cases of HBM2: {span}."]
    lines += ["", "<details><summary>All cases: clocks</summary>", ""]
    lines += ["| standard | case | Ramulator | DRAMsim3 | model | to their mean |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = f"{row['ramulator']:,.0f} | {row['dramsim3']:,} | {row['model']:,} | {error(row):+.1%}"
        lines.append(f"| {row['standard']} | {row['case']} | {figures} |")
    return "\n".join([*lines, "", "</details>", "", END])
