"""The paper's evaluation run again: results/reproduction, and its table in the README."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from records.record import RESULTS, ROOT, Record, Sample, as_read, read
from sim.errors import InputError, Place
from sim.reproduce import files
from sim.reproduce.page import section_html
from sim.reproduce.reproduction import reproduce
from sim.runs.jobs import default_jobs

BEGIN, END = "<!-- reproduction:begin -->", "<!-- reproduction:end -->"
FOLDER, README = RESULTS / "reproduction", ROOT / "README.md"
RECORD = FOLDER / files.JSON
SECTIONS_SAMPLED = 2
LONG = {"schedule", "contexts", "models", "limits"}
"""Sections that simulate for minutes."""
COLUMNS = {
    "speedup": ("speedup", "mean of modules"),
    "area efficiency": ("area", "printed total, mean of modules"),
    "energy efficiency": ("energy", "total times"),
}
"""Heading to the section and the column of its table of means that the paper's number is compared with."""


def table(recorded: dict[str, Any]) -> str:
    """Markdown: one row a machine; simulated, the paper's in brackets with what it was, and notes for what differs.

    Parameters
    ----------
    recorded
        The content of reproduction.json.
    """
    means = {section["name"]: section["tables"][0]["cells"] for section in recorded["sections"]}
    columns = [
        {cell["row"]: cell for cell in means[section] if cell["column"] == column}
        for section, column in COLUMNS.values()
    ]
    reasons = list(dict.fromkeys(cell["reason"] for column in columns for cell in column.values() if cell["reason"]))
    lines = [f"| over FP-FP (paper) | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(columns)]
    lines += [
        f"| {machine} | {' | '.join(_number(column[machine], reasons) for column in columns)} |"
        for machine in columns[0]
    ]
    notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, start=1)]
    return "\n".join([*lines, "", *notes, "", f"{_score(recorded)} Made by code {recorded['code']}."])


def _number(cell: dict[str, Any], reasons: list[str]) -> str:
    role = "" if cell["role"] == "predicted" else f", {cell['role']}"
    told = f"{cell['simulated']:.2f} ({cell['paper']:.2f}{role})"
    error = f" {100 * cell['difference']:+.1f} %" if cell["reason"] or not role else ""
    note = f" [{reasons.index(cell['reason']) + 1}]" if cell["reason"] else ""
    return f"{told}{error}{note}"


def _score(recorded: dict[str, Any]) -> str:
    """How the predictions of all sections came out."""
    found, verdicts = recorded["score"], recorded["verdicts"]
    return (
        f"Of {found['predictions']} printed numbers that the simulator predicts, {found['within']} are within 2 % (5 % "
        f"of energies and powers); relative errors are {100 * found['median_error']:.1f} % in the median and "
        f"{100 * found['largest_error']:.0f} % at most. {verdicts['input']} more went in or follow by arithmetic, and "
        f"{verdicts['fitted']} were fitted: shown, not counted."
    )


def with_table(readme: str, recorded: dict[str, Any]) -> str:
    """The README with its table renewed.

    Raises
    ------
    InputError
        Where the two markers are not there.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError("the markers of the main table are missing", place=Place("README.md"))
    return f"{before}{BEGIN}\n{table(recorded)}\n{END}{after}"


class ReproductionRecord(Record):
    name = "reproduction"
    files: ClassVar[tuple[Path, ...]] = (FOLDER, README)

    def make(self) -> None:
        with tempfile.TemporaryDirectory() as cache:
            files.write(reproduce(jobs=default_jobs(), cache=Path(cache) / "runs.sqlite"), FOLDER)
        README.write_text(with_table(README.read_text(encoding="utf-8"), read(RECORD)), encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        recorded, page = read(RECORD), (FOLDER / files.HTML).read_text(encoding="utf-8")
        readme = README.read_text(encoding="utf-8")
        yield Sample("the README's table", readme, with_table(readme, recorded))
        yield Sample("reproduction.csv", (FOLDER / files.CSV).read_text(encoding="utf-8"), files.as_csv(recorded))
        yield Sample("the version that the page names", recorded["code"] in page, True)
        by_name = {section["name"]: section for section in recorded["sections"]}
        chosen = random.sample(sorted(by_name.keys() - LONG), SECTIONS_SAMPLED)
        with tempfile.TemporaryDirectory() as cache:
            made = reproduce(chosen, cache=Path(cache) / "runs.sqlite")
        for section, data in zip(made.sections, as_read(files.as_data(made))["sections"], strict=True):
            yield Sample(f"section {section.name}", by_name[section.name], data)
            text = "".join(section_html(section))
            yield Sample(f"section {section.name} of the page", text if text in page else "another text", text)
