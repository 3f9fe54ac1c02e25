"""`list` and `schema`: what there is to simulate, and what a file of the tool's may hold."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel


class Kind(StrEnum):
    ARCH = "arch"
    WORKLOAD = "workload"
    SWEEP = "sweep"
    RESULT = "result"


def list_() -> None:
    """Show the shipped machines, models and sweeps, and what plugs in: PEs, DRAM, formats, exporters, figures."""
    from rich.console import Console
    from rich.table import Table

    from sim import shipped
    from sim.arch.dram import ARBITRATION, DRAM
    from sim.formats.registry import FORMATS
    from sim.formats.weight import WEIGHTS
    from sim.report.exporter import EXPORTERS
    from sim.report.sections import FIGURES
    from sim.units.processing_element import KINDS

    console = Console()
    for title, folder in (("machines", "arch_configs"), ("models", "workloads"), ("sweeps", "arch_configs/sweeps")):
        console.print(f"[bold]{title}[/bold]\n  " + ", ".join(shipped.names(folder)), soft_wrap=False)
    for title, rows in (
        ("PE kinds (mxu.pe)", [(kind, pe.summary) for kind, pe in KINDS.parts().items()]),
        ("DRAM kinds (dram.kind)", [(kind, model.summary) for kind, model in DRAM.parts().items()]),
        ("arbitration policies (dram.arbitration)", [(name, one.summary) for name, one in ARBITRATION.parts().items()]),
        ("number formats", [(card.name, card.summary) for card in FORMATS.parts().values()]),
        ("weight formats (weights.format)", [(kind, stored.summary) for kind, stored in WEIGHTS.parts().items()]),
        ("exporters (--export)", [(name, exporter.summary) for name, exporter in EXPORTERS.parts().items()]),
        ("figures that plug in", [(name, figure.title) for name, figure in FIGURES.parts().items()]),
    ):
        table = Table(
            title=title, title_justify="left", title_style="bold", box=None, show_header=False, padding=(0, 2)
        )
        for row in rows:
            table.add_row(*row)
        console.print(table)


def schema(kind: Annotated[Kind, typer.Argument(help="arch, workload, sweep or result")]) -> None:
    """Print the JSON Schema of a YAML file, for editors, or of result.json, for those who read it."""
    print(json.dumps(schema_of(kind), indent=2))


def schema_of(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of a kind of file. A YAML that extends another may leave out any key, so only the sections of one
    that extends none are required."""
    if kind is Kind.RESULT:
        from sim.result.json import schema as result_schema

        return result_schema()
    from sim.arch.schema import Arch
    from sim.sweep.schema import Sweep
    from sim.workload.model import Model

    models: dict[Kind, type[BaseModel]] = {Kind.ARCH: Arch, Kind.WORKLOAD: Model, Kind.SWEEP: Sweep}
    described = models[kind].model_json_schema()
    required = described.pop("required", [])
    for section in described["$defs"].values():
        section.pop("required", None)
    described["properties"]["extends"] = {
        "type": "string",
        "description": "A shipped file, or one beside this, that this one is laid over.",
    }
    described["anyOf"] = [{"required": ["extends"]}, {"required": required}]
    return described
