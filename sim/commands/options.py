"""Options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Arch = Annotated[str, typer.Argument(help="A shipped machine (see `list`) or a YAML file.", metavar="ARCH")]
Work = Annotated[
    str, typer.Argument(help="A shipped model, a YAML file, a config.json, or a CSV of name,M,N,K.", metavar="WORKLOAD")
]
Phase = Annotated[str | None, typer.Option(help="prefill, decode, both, or mixed (a prompt in chunks beside decodes).")]
Tokens = Annotated[int | None, typer.Option(help="Tokens of the prompt (prefill).")]
Batch = Annotated[int | None, typer.Option(help="Sequences at a time.")]
Chunk = Annotated[int | None, typer.Option(help="Tokens of the prompt that a step takes (mixed).")]
Context = Annotated[int | None, typer.Option(help="Tokens in the cache when decoding starts.")]
StepCount = Annotated[int | None, typer.Option("--steps", help="Tokens to decode.")]
Scope = Annotated[str | None, typer.Option(help="fp-int: GeMMs with INT4 weights; all: attention and vector work too.")]
Precision = Annotated[
    str | None,
    typer.Option(
        help="Mantissa lengths: a shipped name (wikitext2-1%), 7,6,6,6 for qkv,o,up,down, one number, a file."
    ),
]
BlockSchedule = Annotated[
    str,
    typer.Option("--schedule", help="given, best (best-cycles, best-dram-bytes, best-energy), or both side by side."),
]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override a key of the machine: --set mxu.rows=32.")]
SetWork = Annotated[list[str] | None, typer.Option("--set-workload", help="Override a key of the workload: layers=2.")]
Grain = Annotated[str, typer.Option(help="tile: one event an operation; beat: one event a port beat. Equal counters.")]
FastForward = Annotated[bool, typer.Option(help="Skip loop iterations that repeat. Changes no counter.")]
Verify = Annotated[bool, typer.Option("--verify", help="Skip only after two equal periods in a row.")]
Jobs = Annotated[int | None, typer.Option(help="Processes; as many as cores unless told.", min=1)]
Out = Annotated[Path | None, typer.Option(help="Folder of the results; one under runs/ unless told.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result in that folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Page = Annotated[bool, typer.Option("--report/--no-report", help="Write report.html too.")]
