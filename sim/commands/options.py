"""Options that several commands share, each described once, and those that go together as one argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

Arch = Annotated[str, typer.Argument(help="A shipped machine (see `list`) or a YAML file.", metavar="ARCH")]
Work = Annotated[
    str,
    typer.Argument(
        help="A shipped model, a YAML file, a config.json, a GGUF file, or a CSV of name,M,N,K.", metavar="WORKLOAD"
    ),
]
Phase = Annotated[str | None, typer.Option(help="prefill, decode, both, or mixed (a prompt in chunks beside decodes).")]
Tokens = Annotated[int | None, typer.Option(help="Tokens of the prompt (prefill).")]
Batch = Annotated[int | None, typer.Option(help="Sequences at a time.")]
Chunk = Annotated[int | None, typer.Option(help="Tokens of the prompt that a step takes (mixed).")]
Context = Annotated[int | None, typer.Option(help="Tokens in the cache when decoding starts.")]
StepCount = Annotated[int | None, typer.Option("--steps", help="Tokens to decode.")]
ExpertRouting = Annotated[
    str | None, typer.Option("--routing", help="Tokens of each expert: even, zipf:1.2, zipf:1.2:SEED, or a trace.")
]
Scope = Annotated[str | None, typer.Option(help="fp-int: GeMMs with INT4 weights; all: attention and the rest too.")]
KeyValues = Annotated[str | None, typer.Option("--kv", help="Keys and values in scope all: int8, int4, int3 or fp16.")]
AttentionLengths = Annotated[
    str | None,
    typer.Option(
        "--attention-precision", help="Mantissa lengths in attention: one, or 6,8 for queries and the softmax."
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="Mantissa lengths: a shipped name (wikitext2-1%), 7,6,6,6 for qkv,o,up,down, one number, a file; the file "
        "may have rules by phase, layer and position, for bits of weights too."
    ),
]
BlockSchedule = Annotated[
    str,
    typer.Option(
        "--schedule",
        help="given, best (or best-: cycles, dram-bytes, energy, energy-delay), or both side by side.",
    ),
]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override a key of the machine: --set mxu.rows=32.")]
SetWork = Annotated[list[str] | None, typer.Option("--set-workload", help="Override a key of the workload: layers=2.")]
Grain = Annotated[str, typer.Option(help="tile: one event an operation; beat: one event a port beat. Equal counters.")]
FastForward = Annotated[bool, typer.Option(help="Skip loop iterations that repeat. Changes no counter.")]
Verify = Annotated[bool, typer.Option("--verify", help="Skip only after two equal periods in a row.")]
Streamed = Annotated[
    bool, typer.Option("--stream", help="Also as programs, whose units do not drain: docs/programs.md.")
]
Jobs = Annotated[int | None, typer.Option(help="Processes (default: one per core).", min=1)]
Out = Annotated[Path | None, typer.Option(help="Folder of the results (default: a new folder under runs/).")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result in that folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Page = Annotated[bool, typer.Option("--report/--no-report", help="Write report.html too.")]
Export = Annotated[
    list[str] | None, typer.Option("--export", help="Write this format too: trace, or one of a plug-in; see `list`.")
]


@dataclass(frozen=True)
class Asked:
    """Options about a workload, named as `load_workload` takes them."""

    phase: Phase = None
    tokens: Tokens = None
    batch: Batch = None
    chunk: Chunk = None
    context: Context = None
    steps: StepCount = None
    routing: ExpertRouting = None
    scope: Scope = None
    kv: KeyValues = None
    attention_precision: AttentionLengths = None
    precision: Precision = None
    overrides: SetWork = None


@dataclass(frozen=True)
class How:
    """Options about a simulation."""

    schedule: BlockSchedule = "given"
    set_: Set = None
    grain: Grain = "tile"
    fast_forward: FastForward = True
    verify: Verify = False
    jobs: Jobs = None
    stream: Streamed = False


@dataclass(frozen=True)
class Kept:
    """Options about what is left of the results."""

    out: Out = None
    overwrite: Overwrite = False
    report: Page = True
    export: Export = None
    json_: Json = False


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose arguments of a dataclass are given as options, one a field."""
    hints, parameters = get_type_hints(command, include_extras=True), []
    groups: dict[str, type[Any]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if not isinstance(kind, type) or not is_dataclass(kind):
            parameters.append(parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        groups[name], inner = kind, get_type_hints(kind, include_extras=True)
        for field in fields(kind):
            option = {"default": field.default, "annotation": inner[field.name]}
            parameters.append(inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, **option))

    def flat(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    flat.__doc__, flat.__name__ = command.__doc__, command.__name__
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return flat
