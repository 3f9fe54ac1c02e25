"""What banks in place of a flat channel do to the answers: the tables of docs/dram.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from records.dram_paper import means
from records.dram_streams import MIXES, cards, reached, shares
from records.record import ROOT, Record, Sample
from sim.arch.load import load_arch
from sim.result import Result
from sim.runs.code import made_by
from sim.simulation import simulate
from sim.units.dram import model_of
from sim.units.dram.banks import Banks
from sim.workload.load import load_workload

PAGE = ROOT / "docs" / "dram.md"
BEGIN, END = "<!-- made by python -m records dram -->", "<!-- end of it -->"


def banks(standard: str, keys: str, outstanding_loads: int = 4) -> str:
    """A `dram` section, as the shipped channels, with their latency less an ACT, a RD and a burst."""
    shared = f"arbitration: round_robin, outstanding_loads: {outstanding_loads}"
    return f"{{kind: banks, standard: {standard}, {keys}, {shared}}}"


HBM2 = banks("HBM2", "count: 1, latency_nanoseconds: 70, transaction_bytes: 8192")
LPDDR5 = banks("LPDDR5", "count: 4, latency_nanoseconds: 78, transaction_bytes: 4096")
STACKS = "count: 6, pin_gigabits_per_second: 6.25, latency_nanoseconds: 117, transaction_bytes: 98304"
HBM3E = banks("HBM3E", STACKS, outstanding_loads=8)


@dataclass(frozen=True)
class EffectRow:
    """A machine, its DRAM as banks, and work."""

    text: str
    arch: str
    dram: str
    model: str
    phase: str
    precision: str | None = "6"
    batch: int = 1
    context: int | None = None

    def result(self, *overrides: str) -> Result:
        """Of the shipped machine with these keys changed."""
        return _result(self, overrides)

    @property
    def efficiency(self) -> str:
        """What streams reach on the banks, for the channel."""
        model = model_of(load_arch(self.arch, [f"dram={self.dram}"]))
        assert isinstance(model, Banks)
        found = (f"{mix}: {reached(model.keys.standard, model.pin_rate, mix):.3f}" for mix in MIXES)
        return f"dram.efficiency={{{', '.join(found)}}}"


@cache
def _result(row: EffectRow, overrides: tuple[str, ...]) -> Result:
    where: dict[str, Any] = {"context": row.context, "scope": "all"} if row.phase == "decode" else {}
    work = load_workload(row.model, phase=row.phase, precision=row.precision, batch=row.batch, **where)
    return simulate(load_arch(row.arch, overrides), work)


TIMES = (
    EffectRow("LLaMA-13B, prefill, Anda", "anda-hpca25", HBM2, "llama-13b", "prefill"),
    EffectRow("LLaMA-13B, prefill, FP-FP", "fp-fp", HBM2, "llama-13b", "prefill", None),
    EffectRow("LLaMA-7B, decode at 2,048, Anda", "anda-hpca25", HBM2, "llama-7b", "decode", context=2048),
    EffectRow("LLaMA-7B, decode at 512, batch 8", "anda-hpca25", HBM2, "llama-7b", "decode", batch=8, context=512),
    EffectRow("LLaMA-7B, decode at 512, edge", "anda-edge", LPDDR5, "llama-7b", "decode", context=512),
    EffectRow(
        "LLaMA-2-70B, decode at 4,096, datacenter", "anda-datacenter", HBM3E, "llama2-70b", "decode", context=4096
    ),
    EffectRow("the same, batch 64", "anda-datacenter", HBM3E, "llama2-70b", "decode", batch=64, context=4096),
)
HEADLINE = TIMES[:2]
COMMANDS, DOWN = "dram.energy=commands", "dram.idle=power_down"


def times() -> list[str]:
    """Cycles with a channel and with banks."""
    lines = [
        "| work | channel | at its efficiency | banks | over the channel | rows found open | refreshes in the way |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in TIMES:
        flat, banked = row.result(), row.result(f"dram={row.dram}")
        slower = row.result(row.efficiency, "dram.time_quantum=64")
        hits, misses, conflicts = (banked.counters[f"dram.row_{name}"] for name in ("hits", "misses", "conflicts"))
        change = banked.totals.cycles / flat.totals.cycles - 1
        found, stops = hits / (hits + misses + conflicts), banked.counters["dram.refresh_stops"]
        cycles = " | ".join(f"{one.totals.cycles:,}" for one in (flat, slower, banked)) + f" | {change:+.2%}"
        lines.append(f"| {row.text} | {cycles} | {found:.1%} | {stops:,} |")
    return lines


def headline() -> list[str]:
    """Anda over FP-FP on LLaMA-13B by what DRAM is paid for."""
    heads = "DRAM", "speedup", "energy efficiency", "DRAM's share of Anda's energy", "standby and refresh"
    lines = ["| " + " | ".join(heads) + " |", "|---|---|---|---|---|"]
    kinds = (
        ("channel, 3.9 pJ a bit", None),
        ("banks, 3.9 pJ a bit", ()),
        ("banks, commands and standby", (COMMANDS,)),
        ("banks, power-down when idle", (COMMANDS, DOWN)),
    )
    for text, more in kinds:
        anda, base = (row.result(*(() if more is None else (f"dram={row.dram}", *more))) for row in HEADLINE)
        energy = anda.totals.energy_picojoules
        dram = sum(value for part, value in anda.energy.items() if part.startswith("dram")) / energy
        standing = (anda.energy.get("dram_standby", 0) + anda.energy.get("dram_refresh", 0)) / energy
        faster, less = base.totals.cycles / anda.totals.cycles, base.totals.energy_picojoules / energy
        lines.append(f"| {text} | {faster:.2f} | {less:.2f} | {dram:.0%} | {standing:.0%} |")
    return lines


PARTS: dict[str, Callable[[], list[str]]] = {
    "times": times,
    "paper": partial(means, HBM2),
    "headline": headline,
    "cards": cards,
    "shares": shares,
}
LONG = {"paper"}
"""Parts that simulate for half a minute."""
TEXTS = {
    "times": "Cycles, the shipped machines:",
    "headline": "Anda over FP-FP, LLaMA-13B, prefill of 2,048 tokens, M = 6:",
    "paper": "The paper's means over its models, over FP-FP, as `sim.py reproduce` compares them:",
    "shares": "The shares of the pins' rate to put into `dram.efficiency`, and into tools that want one number:",
    "cards": "A stream of reads, beside the largest that cards were measured to reach:",
}


def drawn() -> str:
    """What stands between the marks."""
    parts = [f"{TEXTS[name]}\n\n" + "\n".join(make()) for name, make in PARTS.items()]
    return f"{BEGIN}\n\n" + "\n\n".join([*parts, f"Made by {made_by()}."]) + f"\n\n{END}"


class DramEffect(Record):
    name = "dram"
    files: ClassVar[tuple[Path, ...]] = (PAGE,)

    def make(self) -> None:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(before + drawn() + after, encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        text = PAGE.read_text(encoding="utf-8")
        name = random.choice(sorted(PARTS.keys() - LONG))
        made = "\n".join(PARTS[name]())
        yield Sample(name, made if made in text else text, made)
