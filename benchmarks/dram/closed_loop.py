"""Whole GeMMs and decode steps on a machine, with the model and with both references for its DRAM.

    python -m benchmarks.dram.closed_loop --ramulator FOLDER --dramsim3 FOLDER

Builds what benchmarks.dram builds, into build/dram, and writes results/benchmarks/dram_closed_loop.json and a table of
docs/dram.md. Every channel of a reference is simulated. Without folders the references' cycles stay as recorded.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.dram.page import PAGE
from benchmarks.dram.references import Dramsim3, Ramulator, commit
from sim import plugins
from sim.arch.load import load_arch
from sim.machine.assembly import SimulationOptions
from sim.simulation import simulate
from sim.units.dram import model_of
from sim.workload.gemm import Gemm, Phase, Workload
from sim.workload.load import load_workload

RECORD = Path(__file__).resolve().parents[2] / "results" / "benchmarks" / "dram_closed_loop.json"
BEGIN, END = "<!-- made by python -m benchmarks.dram.closed_loop -->", "<!-- end of closed loops -->"
MACHINE, STANDARD, CHANNELS = "anda-hpca25", "HBM2", 16
KEYS = f"standard: {STANDARD}, count: 1, latency_nanoseconds: 70, transaction_bytes: 8192, arbitration: round_robin"
QUEUES = {
    "ramulator": "queue_bursts: 40, write_buffer: {bursts: 32, high: 26, low: 6}",
    "dramsim3": "queue_bursts: 64, write_buffer: {bursts: 64, high: 40, low: 8}",
}
"""The model's queues beside those of a reference. Ramulator: 32 writes, drained from 0.8 to 0.2 of them; these are the
model's own. DRAMsim3: 32 writes beside 32 commands, drained by 32 at a time; 8 are left where nothing else is to do."""
STRUCTURES = {"dramsim3": ("PER_RANK", 32), "dramsim3_by_bank": ("PER_BANK", 8)}
"""Command queues of DRAMsim3: the oldest that is ready goes first; or a queue a bank, served in turn."""


@dataclass(frozen=True)
class LoopCase:
    """Work for a machine with so many MXUs."""

    name: str
    mxus: int
    workload: Workload

    def cycles(self, dram: str) -> tuple[int, Mapping[str, int]]:
        """Of all of it with the section `dram`, nothing skipped, and the counters."""
        arch = load_arch(MACHINE, [f"dram={{{dram}, {KEYS}, outstanding_loads: 4}}", f"mxu.count={self.mxus}"])
        result = simulate(arch, self.workload, options=SimulationOptions(fast_forward=False))
        return result.totals.cycles, result.counters

    def model(self, queues: str) -> int:
        return self.cycles(f"kind: banks, {QUEUES[queues]}")[0]

    def traffic(self) -> tuple[float, int]:
        """Share of writes, and the cycles that the pins alone would take."""
        counters = self.cycles("kind: banks")[1]
        sides = [counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output")]
        arch = load_arch(MACHINE, [f"dram={{kind: banks, {KEYS}, outstanding_loads: 4}}"])
        return sides[2] / sum(sides), model_of(arch).least_cycles(sum(sides))


def loop_cases() -> Iterator[LoopCase]:
    """All cases."""
    for mxus in (1, 16):
        on = f"{mxus} MXU{'s' if mxus > 1 else ''}"
        o = Gemm("o", "o", m=128, k=5120, n=5120, mantissa_bits=6, output_mantissa_bits=None)
        yield LoopCase(f"o-projection of LLaMA-13B, 128 tokens, {on}", mxus, _one(o))
        for batch in (1, 8):
            step = load_workload("llama-7b", phase="decode", scope="all", precision="6", batch=batch, context=512)
            yield LoopCase(f"LLaMA-7B, decode at 512, batch {batch}, {on}", mxus, step)
    for k in (64, 128, 256):
        gemm = Gemm("scores", "scores", m=512, k=k, n=4096, mantissa_bits=6, output_mantissa_bits=None)
        yield LoopCase(f"512 x {k} x 4,096, FP16 outputs, 16 MXUs", 16, _one(gemm))


def _one(gemm: Gemm) -> Workload:
    return Workload(gemm.name, (Phase("prefill", (gemm,)),))


def main() -> None:
    """Make the record and the table of docs/dram.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ramulator", type=Path, metavar="FOLDER", help="checkout of Ramulator 2.1")
    parser.add_argument("--dramsim3", type=Path, metavar="FOLDER", help="checkout of DRAMsim3")
    parser.add_argument("--work", type=Path, default=Path("build/dram"), help="folder for what is built")
    asked = parser.parse_args()
    if asked.ramulator and asked.dramsim3:
        record = _with_references(asked.ramulator, asked.dramsim3, asked.work.resolve())
    else:
        record = json.loads(RECORD.read_text())
    cases = list(loop_cases())
    for case, row in zip(cases, record["cases"], strict=True):
        row["writes"], row["pins"] = case.traffic()
        row |= {f"model_as_{queues}": case.model(queues) for queues in QUEUES}
        print(row, flush=True)
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + drawn_loops(record) + rest.partition(END)[2])


def _with_references(ramulator: Path, dramsim3: Path, work: Path) -> dict[str, Any]:
    """The record of their cycles."""
    work.mkdir(parents=True, exist_ok=True)
    first, second = Ramulator(ramulator.resolve(), work), Dramsim3(dramsim3.resolve(), work)
    for reference in (first, second):
        if not reference.loop.exists():
            print(f"building {reference.loop.stem}", flush=True)
            reference.build()
    plugins.use([Path(__file__).with_name("behind.py")])
    files = {"ramulator": (first.loop, first.described(STANDARD, CHANNELS))}
    files |= {name: (second.loop, second.described(STANDARD, *kind)) for name, kind in STRUCTURES.items()}
    rows = []
    for case in loop_cases():
        row: dict[str, Any] = {"case": case.name}
        for name, (library, description) in files.items():
            row[name] = case.cycles(f"kind: reference, library: {library}, description: {description}")[0]
        rows.append(row)
    return {"references": {"Ramulator 2.1": commit(ramulator), "DRAMsim3": commit(dramsim3)}, "cases": rows}


def distance(row: Mapping[str, Any], reference: str) -> float:
    """Of the model with the queues of a reference from it, as a share of the reference's time."""
    return float(row[f"model_as_{reference}"] / row[reference] - 1)


def drawn_loops(record: Mapping[str, Any]) -> str:
    """What stands between the marks."""
    heads = (
        "work",
        "writes",
        "pins alone",
        "Ramulator",
        "model",
        "",
        "DRAMsim3",
        "model, its queues",
        "",
        "served by bank",
    )
    lines = [BEGIN, "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in record["cases"]:
        figures = [f"{row['writes']:.0%}", f"{row['pins']:,}"]
        for reference in QUEUES:
            apart = f"{distance(row, reference):+.1%}"
            figures += [f"{row[reference]:,}", f"{row[f'model_as_{reference}']:,}", apart]
        figures.append(f"{row['dramsim3_by_bank']:,}")
        lines.append(f"| {row['case']} | " + " | ".join(figures) + " |")
    return "\n".join([*lines, "", END])


if __name__ == "__main__":
    main()
