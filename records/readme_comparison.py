"""The README's table and picture: the comparison that `make run` shows, in README.md between the markers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import ClassVar

from records.dram_effect import COMMANDS, HBM2
from records.record import RESULTS, ROOT, Record, Sample, unversioned
from sim.arch.load import load_arch
from sim.report.comparison import Standing, standings
from sim.runs.code import made_by
from sim.simulation import simulate_all
from sim.workload.gemm import Workload
from sim.workload.load import load_workload

MACHINES = ("fp-fp", "fp-int", "ifpu", "figna", "figna-m11", "figna-m8", "anda-hpca25")
README, PICTURE = ROOT / "README.md", RESULTS / "llama-13b.svg"
MARKERS = ("<!-- comparison:begin -->", "<!-- comparison:end -->")
BANKS = (f"dram={HBM2}", COMMANDS)
BAR, GAP, LEFT, WIDTH = 16, 8, 110, 300


def table(ranking: Sequence[Standing]) -> str:
    """A Markdown table, a row a machine."""
    lines = [
        "| machine | cycles | speedup | energy efficiency | area, mm2 | area efficiency | limited by |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for one in ranking:
        totals, limit = one.result.totals, one.result.limit
        cells = [
            one.label,
            f"{totals.cycles:,}",
            f"{one.speedup:.2f}",
            f"{one.energy_efficiency:.2f}",
            f"{totals.area_square_millimetres:.2f}",
            f"{one.area_efficiency:.2f}",
            f"{limit.unit}: {limit.cause}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(ranking: Sequence[Standing]) -> str:
    """Speedup and energy efficiency as bars, an SVG."""
    row = BAR * 2 + GAP
    scale = WIDTH / max(max(one.speedup, one.energy_efficiency) for one in ranking)
    parts = []
    for index, one in enumerate(ranking):
        top = 30 + index * row
        parts.append(f'<text x="{LEFT - 8}" y="{top + BAR + 4}" text-anchor="end">{one.label}</text>')
        for offset, value, colour in ((0, one.speedup, "#0072b2"), (BAR - 2, one.energy_efficiency, "#e69f00")):
            length = value * scale
            parts.append(
                f'<rect x="{LEFT}" y="{top + offset}" width="{length:.1f}" height="{BAR - 4}" fill="{colour}"/>'
            )
            parts.append(
                f'<text x="{LEFT + length + 4:.1f}" y="{top + offset + 10}" font-size="11">{value:.2f}x</text>'
            )
    height = 40 + len(ranking) * row
    legend = (
        f'<rect x="{LEFT}" y="8" width="12" height="12" fill="#0072b2"/><text x="{LEFT + 18}" y="18">speedup</text>'
        f'<rect x="{LEFT + 100}" y="8" width="12" height="12" fill="#e69f00"/>'
        f'<text x="{LEFT + 118}" y="18">energy efficiency</text>'
    )
    size = f'width="{LEFT + WIDTH + 60}" height="{height}"'
    style = '<style>text{font:13px sans-serif;fill:#222}</style><rect width="100%" height="100%" fill="#fff"/>'
    told = f"<desc>made by {made_by()}</desc>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{told}{style}{legend}{"".join(parts)}</svg>\n'


def assumptions() -> str:
    """What the table's last row against its first hangs on: blocks of tokens, schedules, scope."""

    def anda(*overrides: str, scope: str = "fp-int") -> Standing:
        return ranked((MACHINES[0], MACHINES[-1]), overrides, scope)[1]

    equal = {block: anda(f"schedule.token_block={block}").energy_efficiency for block in (16, 32)}
    best = anda("schedule=best-energy").energy_efficiency
    lines = (
        "The table is of weight GeMMs alone, at blocks of 16 tokens for the baselines and of 32 for Anda, fitted to",
        "the paper's DRAM shares. The speedup does not depend on the blocks; Anda's energy efficiency is",
        f"{equal[16]:.2f} with blocks of 16 for both machines, {equal[32]:.2f} with 32 for both, and {best:.2f} with",
        "the schedule of least energy for each. The whole model (`--scope all`: attention, norms, head; keys and",
        "values of 8 bits on both machines):",
        *whole_models(),
        "",
        "With banks of HBM2 in place of the flat channel ([docs/dram.md](docs/dram.md)); energy at 3.9 pJ a bit, and",
        "with what commands, refresh and standby cost beside the pins:",
        *with_banks(),
        "",
        f"Made by {made_by()}.",
    )
    return "\n".join(lines)


def whole_works(scope: str) -> dict[str, Workload]:
    """What both scopes are told of."""
    decode = partial(load_workload, "llama2-70b", scope=scope, precision="8", phase="decode", context=8192)
    return {
        "LLaMA-13B, prompt of 2,048": workload(scope),
        "LLaMA-2-70B, M = 8, decode at 8,192, batch 1": decode(batch=1),
        "LLaMA-2-70B, M = 8, decode at 8,192, batch 16": decode(batch=16),
    }


def whole_models() -> tuple[str, ...]:
    """Anda over FP-FP in both scopes, line by line of a table."""
    titles = ("Anda over FP-FP", "weight GeMMs: speedup", "energy", "whole model: speedup", "energy")
    lines = ["", f"| {' | '.join(titles)} |", "|---|--:|--:|--:|--:|"]
    both = [whole_works(scope) for scope in ("fp-int", "all")]
    for title in both[0]:
        cells = [title]
        for works in both:
            machines = [load_arch(name) for name in (MACHINES[0], MACHINES[-1])]
            [_, anda] = standings(simulate_all(machines, works[title]))
            cells += [f"{anda.speedup:.2f}", f"{anda.energy_efficiency:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return tuple(lines)


def with_banks() -> tuple[str, ...]:
    """The table's machines with banks for DRAM, line by line of a table."""
    titles = (
        "machine",
        "cycles, channel",
        "cycles, banks",
        "speedup",
        "energy efficiency, bits",
        "commands and standby",
    )
    lines = ["", f"| {' | '.join(titles)} |", "|---|--:|--:|--:|--:|--:|"]
    found = [{one.label: one for one in ranked(MACHINES, more)} for more in ((), BANKS[:1], BANKS)]
    for label in found[0]:
        flat, bits, commands = (ranking[label] for ranking in found)
        cycles = f"{flat.result.totals.cycles:,} | {bits.result.totals.cycles:,} | {bits.speedup:.2f}"
        lines.append(f"| {label} | {cycles} | {bits.energy_efficiency:.2f} | {commands.energy_efficiency:.2f} |")
    return tuple(lines)


def with_table(readme: str, ranking: Sequence[Standing], told: str) -> str:
    """The README with this table and what it assumes between its markers."""
    begin, end = MARKERS
    block = f"{begin}\n{table(ranking)}\n\n{told}\n{end}"
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, readme, flags=re.DOTALL)


def ranked(machines: Sequence[str] = MACHINES, overrides: Sequence[str] = (), scope: str = "fp-int") -> list[Standing]:
    """Machines on the work of `make run`; the first is the baseline."""
    return standings(simulate_all([load_arch(name, overrides) for name in machines], workload(scope)))


def workload(scope: str) -> Workload:
    """The work of `make run`."""
    return load_workload("llama-13b", tokens=2048, precision="wikitext2-1%", scope=scope)


class ReadmeComparison(Record):
    name = "readme-comparison"
    files: ClassVar[tuple[Path, ...]] = (README, PICTURE)

    def make(self) -> None:
        ranking = ranked()
        README.write_text(with_table(README.read_text(encoding="utf-8"), ranking, assumptions()), encoding="utf-8")
        PICTURE.write_text(picture(ranking), encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        ranking, readme = ranked(), README.read_text(encoding="utf-8")
        made = with_table(readme, ranking, assumptions())
        yield Sample("the README's table", unversioned(readme), unversioned(made))
        drawn = PICTURE.read_text(encoding="utf-8")
        yield Sample("the picture", unversioned(drawn), unversioned(picture(ranking)))
