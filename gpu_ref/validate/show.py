"""What the witnesses say: in a terminal of 80 columns, on a page, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gpu_ref.validate.validate import Checked, ValidationRequest
from sim.report.quantities import si

if TYPE_CHECKING:
    from rich.console import Console

    from sim.report.markup import Html

SCHEMA_VERSION = 1
"""Of validation.json."""


def verdict(checked: Sequence[Checked]) -> str:
    """One sentence about all."""
    asked = {witness.name for one in checked for witness in one.asked}
    missing = {witness.name for one in checked for witness in one.witnesses} - asked
    outputs = sum(one.part.shape[0] * one.part.shape[2] for one in checked)
    wrong = [one.part.record.name for one in checked if not one.agree]
    less = f"; not asked: {', '.join(sorted(missing))}" if missing else ""
    if wrong:
        return f"{len(wrong)} of {len(checked)} GeMMs differ: {', '.join(wrong[:3])}{less}"
    return f"{len(checked)} GeMMs, {outputs:,} outputs: {len(asked)} witnesses agree on every bit{less}"


def print_checked(checked: Sequence[Checked], request: ValidationRequest, note: str, console: Console) -> None:
    """A block a GeMM, the verdict last."""
    from rich.table import Table
    from rich.text import Text

    console.print(Text(f"{request.trace} through {request.machine}, M = {request.precision}", style="bold"))
    for one in checked:
        console.print()
        console.print(Text(heading(one), style="bold"))
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        for name in ("witness", "outputs", "verdict"):
            table.add_column(name, no_wrap=True)
        table.add_column("what ran", overflow="fold")
        for witness in one.witnesses:
            table.add_row(witness.name, witness.digest, word(one, witness), Text(witness.about))
            for difference in witness.differences:
                table.add_row("", "", "", Text(difference))
        console.print(table)
        for line in times(one):
            console.print(Text(line, style="dim"))
    console.print()
    console.print(Text(note, style="dim"))
    console.print(Text(verdict(checked), style="bold"))


def heading(one: Checked) -> str:
    part, gemm = one.part, one.part.gemm
    tokens, k, outputs = part.shape
    whole = "" if part.share == 1 else f", computed {tokens} x {k} x {outputs}"
    return f"{part.record.name}: {gemm.m} x {gemm.k} x {gemm.n}{whole}, M = {part.mantissa_bits}"


def word(one: Checked, witness: Any) -> str:
    """Of one witness: equal, or how much is not."""
    if witness.outputs is None:
        return "stopped" if witness.differences else ""
    wrong = one.wrong(witness)
    if wrong:
        return f"{wrong:,} differ"
    return "cycles differ" if witness.differences else "equal"


def times(one: Checked) -> list[str]:
    """Speed on the machine and on a GPU, with provenance."""
    machine = f"machine: {one.speed.cycles:,} cycles, {si(one.speed.machine_seconds, 's')}, simulated with its DRAM"
    gpu = [f"GPU: {si(time.seconds, 's')}, {time.provenance}" for time in one.speed.gpu]
    return [machine, *(gpu or ["GPU: no time; the tables lack the shape, and no forecast can be made of it"])]


def as_dict(checked: Sequence[Checked], request: ValidationRequest, note: str) -> dict[str, Any]:
    """Everything as plain data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "request": {**vars(request), "trace": str(request.trace)},
        "verdict": verdict(checked),
        "note": note,
        "agree": all(one.agree for one in checked),
        "gemms": [
            {
                "name": one.part.record.name,
                "m": one.part.gemm.m,
                "k": one.part.gemm.k,
                "n": one.part.gemm.n,
                "computed_tokens": one.part.shape[0],
                "computed_outputs": one.part.shape[2],
                "mantissa_bits": one.part.mantissa_bits,
                "agree": one.agree,
                "witnesses": [
                    {
                        "name": witness.name,
                        "about": witness.about,
                        "sha256_16": witness.digest,
                        "outputs_that_differ": None if witness.outputs is None else one.wrong(witness),
                        "differences": list(witness.differences),
                        "seconds": witness.seconds,
                    }
                    for witness in one.witnesses
                ],
                "machine_cycles": one.speed.cycles,
                "machine_seconds": one.speed.machine_seconds,
                "gpu": [vars(time) for time in one.speed.gpu],
            }
            for one in checked
        ],
    }


def page(checked: Sequence[Checked], request: ValidationRequest, note: str) -> str:
    """The page's text."""
    from sim.report.document import document
    from sim.report.markup import join, tag

    title = f"{request.trace.name} through every witness"
    about = f"{request.machine}, M = {request.precision}. " + verdict(checked) + "."
    return document(
        title, join([tag("h1", title), tag("p", tag("strong", about)), tag("p", note), *_sections(checked)])
    )


def _sections(checked: Sequence[Checked]) -> list[Html]:
    from sim.report.markup import table, tag

    found = []
    for one in checked:
        rows = [
            [
                witness.name,
                witness.digest,
                word(one, witness),
                "; ".join((witness.about, *witness.differences)),
                si(witness.seconds, "s"),
            ]
            for witness in one.witnesses
        ]
        found.append(tag("h2", heading(one)))
        found.append(table(("witness", "SHA-256 of the outputs", "verdict", "what ran", "took"), rows, (0, 1, 2, 3)))
        found += [tag("p", line, class_="note") for line in times(one)]
    return found
