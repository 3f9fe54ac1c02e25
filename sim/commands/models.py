"""`trace`, `perplexity` and `search`: what starts from a real model, with torch and transformers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from sim.commands import options as shared
from sim.errors import InputError, nearest_name

if TYPE_CHECKING:
    from sim.accuracy.perplexity import Evaluator, Format
    from sim.formats.int4 import Scheme
    from sim.workload.gemm import GemmModule

Model = Annotated[Path, typer.Argument(help="Folder of a Hugging Face model, or its config.json.", metavar="MODEL")]
Text = Annotated[Path, typer.Option(help="Text file that is tokenised and scored.")]
Weights = Annotated[str, typer.Option(help="int4: quantised, or as packed in the checkpoint; fp16: as they are.")]
SchemeName = Annotated[str, typer.Option("--scheme", help="INT4 weights made here: zero-point or symmetric.")]
WindowSize = Annotated[
    int | None, typer.Option("--context", help="Tokens of a window; 2,048, or what the model has, unless told.")
]
USUAL_CONTEXT, USUAL_MACHINE = 2048, "anda-hpca25"
"""Tokens of a window, as perplexities of language models are usually quoted."""
Stride = Annotated[int | None, typer.Option(help="Tokens from window to window; the context unless told.")]
Machine = Annotated[
    str, typer.Option("--arch", help="The machine whose groups and conversion count; see `list`.", metavar="ARCH")
]
SetMachine = Annotated[list[str] | None, typer.Option("--set", help="Override a key of it: --set mxu.conversion=fp16.")]
TextTokens = Annotated[int | None, typer.Option("--tokens", help="Tokens of the text to use; all unless told.")]


def trace(
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder of the trace; must not exist.")],
    tokens: Annotated[int, typer.Option(help="Tokens of a prompt.", min=1)] = 2048,
    batch: Annotated[int, typer.Option(help="Prompts at a time.", min=1)] = 1,
    steps: Annotated[int, typer.Option(help="Tokens to decode after the prompt.", min=0)] = 0,
    text: Annotated[
        Path | None, typer.Option(help="Run on this text and record activations and INT4 weights; else shapes alone.")
    ] = None,
    scheme: SchemeName = "zero-point",
    layers: Annotated[str | None, typer.Option(help="Layers to keep: 0,3,5 or 0-3; all unless told.")] = None,
    modules: Annotated[str | None, typer.Option(help="Modules to keep: qkv,o,up,down,head,router,other.")] = None,
) -> None:
    """Record the GeMMs of a model's prefill and decode steps."""
    _require_extra()
    from sim.report.quantities import si
    from sim.trace.extract import TraceOptions, estimate, extract, load

    chosen = TraceOptions(tokens, batch, steps, text, _scheme(scheme), _layers(layers), _modules(modules))
    if out.exists():
        raise InputError("exists already", field="--out", facts={"found": str(out), "allowed": "a new folder"})
    loaded = load(model, chosen)
    expected = estimate(loaded, chosen)
    print(f"{expected.gemms} GeMMs, about {si(expected.tensor_bytes, 'B')} of tensors", file=sys.stderr)
    with _bar("recording", expected.gemms) as advance:
        manifest = extract(loaded, chosen, out, advance)
    padded = {record.k for record in manifest.records if record.weights and record.k % _group_size(manifest)}
    for k in sorted(padded):
        print(f"K = {k}: the last group is filled up with zeros, as the hardware pads it", file=sys.stderr)
    print(f"{len(manifest.records)} GeMMs of {manifest.model.name} in {out}")


def perplexity(
    model: Model,
    text: Text,
    precision: shared.Precision = None,
    compare: Annotated[bool, typer.Option("--compare", help="Also FIGNA and plain block floating point.")] = False,
    weights: Weights = "int4",
    scheme: SchemeName = "zero-point",
    context: WindowSize = None,
    stride: Stride = None,
    tokens: TextTokens = None,
    arch: Machine = USUAL_MACHINE,
    set_: SetMachine = None,
    json_: shared.Json = False,
) -> None:
    """Perplexity of a model with converted activations, against FP16 activations."""
    _require_extra()
    from sim.accuracy.report import measure, print_measured

    like = _format_of(arch, set_)
    evaluator = _evaluator(model, text, weights, scheme, context, stride, tokens)
    measured = measure(evaluator, _formats(precision, compare, like))
    if json_:
        json.dump([one.row() for one in measured], sys.stdout)
        sys.stdout.write("\n")
    else:
        print_measured(measured)


def search(
    model: Model,
    text: Text,
    out: Annotated[Path, typer.Option(help="Folder of the search; an interrupted one goes on where it stopped.")],
    tolerance: Annotated[float, typer.Option(help="Relative loss of perplexity that is accepted.", min=0)] = 0.01,
    iterations: Annotated[int, typer.Option(help="Evaluations at most.", min=1)] = 32,
    confidence: Annotated[
        float | None,
        typer.Option(
            help="Accept only what stays within the tolerance at this confidence: 0.95; as measured unless told."
        ),
    ] = None,
    scheme: SchemeName = "zero-point",
    context: WindowSize = None,
    stride: Stride = None,
    tokens: TextTokens = None,
    arch: Machine = USUAL_MACHINE,
    set_: SetMachine = None,
    json_: shared.Json = False,
) -> None:
    """Find the mantissa lengths with the fewest bit operations that keep a model's perplexity."""
    _require_extra()
    from sim.precision_search.run import run
    from sim.report.search import print_outcome, search_page

    if confidence is not None and not 0.5 < confidence < 1:
        raise InputError(f"found {confidence}", field="--confidence", facts={"allowed": "above 0.5, below 1"})
    like = _format_of(arch, set_)
    evaluator = _evaluator(model, text, "int4", scheme, context, stride, tokens)
    with _bar("evaluating", iterations) as advance:
        outcome = run(evaluator, out, tolerance, iterations, confidence, like, advance)
    (out / "report.html").write_text(search_page(outcome), encoding="utf-8")
    if json_:
        json.dump(outcome.report(), sys.stdout)
        sys.stdout.write("\n")
    else:
        print_outcome(outcome, out)


def _evaluator(
    model: Path, text: Path, weights: str, scheme: str, context: int | None, stride: int | None, tokens: int | None
) -> Evaluator:
    from sim.accuracy.perplexity import Evaluator
    from sim.trace.load import load_weights, to_device
    from sim.trace.text import tokens_of
    from sim.trace.weights import quantise

    if weights not in ("int4", "fp16"):
        raise InputError(f"found {weights!r}", field="--weights", facts={"allowed": "int4, fp16"})
    kind = _scheme(scheme)
    loaded = load_weights(model)
    identifiers = tokens_of(model, text)[:tokens]
    made = quantise(loaded, kind) if weights == "int4" else None
    longest = getattr(getattr(loaded.model, "config", None), "max_position_embeddings", USUAL_CONTEXT)
    window = context or min(USUAL_CONTEXT, longest)
    method = made.method if made else "fp16"
    return Evaluator(to_device(loaded), identifiers, window, stride or window, method, made)


def _format_of(arch: str, overrides: list[str] | None) -> Format:
    """How a machine converts activations, mantissa lengths aside."""
    from sim.accuracy.perplexity import Format
    from sim.arch.load import load_arch
    from sim.units import processing_element

    machine = load_arch(arch, overrides or ())
    pe = processing_element.make(machine)
    if not pe.encoded:
        facts = {"found": f"{machine.name}, PEs of kind {pe.kind}", "allowed": "machines with the Anda format"}
        raise InputError("its activations have no mantissa lengths to choose", field="--arch", facts=facts)
    return Format(None, group_size=machine.mxu.dot_length, conversion=machine.mxu.conversion)


def _formats(precision: str | None, compare: bool, like: Format) -> dict[str, Format]:
    from sim.precision_search.search import lengths as written
    from sim.workload.precision import resolve

    formats = {"fp16": like}
    lengths = resolve(precision or "fp16", {})
    if lengths is not None:
        formats["anda " + written(lengths)] = replace(like, lengths=lengths)
    if compare:
        formats["figna 13"] = replace(like, lengths=(13, 13, 13, 13))
        if lengths is not None:
            formats["block float " + written(lengths)] = replace(like, lengths=lengths, rounding="nearest")
    return formats


def _group_size(manifest: object) -> int:
    weights = getattr(manifest, "weights", None)
    return weights.group_size if weights and isinstance(weights.group_size, int) else 1


def _scheme(name: str) -> Scheme:
    from sim.formats.int4 import Scheme

    allowed = get_args(Scheme)
    if name not in allowed:
        raise InputError(f"found {name!r}", field="--scheme", nearest=nearest_name(name, allowed))
    return cast("Scheme", name)


def _layers(text: str | None) -> frozenset[int]:
    layers: set[int] = set()
    for part in (text or "").replace(" ", "").split(",") if text else []:
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise InputError(f"found {part!r}", field="--layers", facts={"allowed": "numbers and ranges: 0,3,5-7"})
        layers.update(range(int(first), int(last or first) + 1))
    return frozenset(layers)


def _modules(text: str | None) -> frozenset[GemmModule]:
    from sim.workload.gemm import GemmModule

    allowed = get_args(GemmModule)
    names = text.replace(" ", "").split(",") if text else []
    for name in names:
        if name not in allowed:
            raise InputError(f"found {name!r}", field="--modules", nearest=nearest_name(name, allowed))
    return cast("frozenset[GemmModule]", frozenset(names))


def _require_extra() -> None:
    missing = [name for name in ("torch", "transformers", "safetensors") if find_spec(name) is None]
    if missing:
        raise InputError(f"{', '.join(missing)} not installed", facts={"mend": "pip install 'anda-sim[trace]'"})


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
