"""Builds both references, runs every case through them and the model, and records the clocks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.dram import __doc__ as described
from benchmarks.dram.cases import SEED, DramCase, cases
from benchmarks.dram.energy import picojoules
from benchmarks.dram.model import clocks
from benchmarks.dram.page import write_page
from benchmarks.dram.references import Dramsim3, Ramulator, commit
from sim.units.dram.banks.standards import standards

RECORD = Path(__file__).resolve().parents[2] / "results" / "benchmarks" / "dram.json"


def main() -> None:
    """Make the record and the table of docs/dram.md."""
    parser = argparse.ArgumentParser(description=described, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ramulator", type=Path, required=True, metavar="FOLDER", help="checkout of Ramulator 2.1")
    parser.add_argument("--dramsim3", type=Path, required=True, metavar="FOLDER", help="checkout of DRAMsim3")
    parser.add_argument("--work", type=Path, default=Path("build/dram"), help="folder for what is built")
    asked = parser.parse_args()
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    first, second = Ramulator(asked.ramulator.resolve(), work), Dramsim3(asked.dramsim3.resolve(), work)
    for reference in (first, second):
        if not reference.driver.exists():
            print(f"building {reference.driver.stem}", flush=True)
            reference.build()
    found = []
    for case in cases():
        found.append(compared(case, first, second))
        print(" ".join(f"{key} {value}" for key, value in found[-1].items()), flush=True)
    checkouts = {"Ramulator 2.1": asked.ramulator, "DRAMsim3": asked.dramsim3}
    record = {"seed": SEED, "references": {name: commit(folder) for name, folder in checkouts.items()}, "cases": found}
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    write_page(record)


def compared(case: DramCase, first: Ramulator, second: Dramsim3) -> dict[str, Any]:
    """Clocks of a case in all three; picojoules where DRAMsim3 has currents."""
    row = {"standard": case.standard, "case": case.name, "kind": case.kind, "bursts": case.bursts}
    row |= {"ramulator": first.clocks(case), "dramsim3": second.clocks(case), "model": clocks(case)}
    if standards()[case.standard].currents and case.windows == (0,):
        row |= {"dramsim3_picojoules": second.energy(case)["total_energy"], "model_picojoules": picojoules(case)}
    return row


if __name__ == "__main__":
    main()
