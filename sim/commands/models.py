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
from sim.errors import InputError, Place, nearest_name

if TYPE_CHECKING:
    from sim.accuracy.attention_format import AttentionFormat
    from sim.accuracy.perplexity import Evaluator, Format
    from sim.formats.int4 import Scheme
    from sim.machine.machine import Machine
    from sim.trace.load import Loaded
    from sim.units.processing_element import ProcessingElement
    from sim.workload.attention_precision import AttentionLengths
    from sim.workload.gemm import GemmModule
    from sim.workload.precision_rules import PrecisionPlan

STORED, INT4, FP16 = "stored", "int4", "fp16"
Model = Annotated[
    Path, typer.Argument(help="Folder of a Hugging Face model, its config.json, or a GGUF file.", metavar="MODEL")
]
Text = Annotated[Path, typer.Option(help="Text file that is tokenised and scored.")]
Weights = Annotated[
    str | None,
    typer.Option(
        help="stored: the integers of the checkpoint, as usual where it has any; int4: made here, else as usual; or a "
        "format as a model YAML has it: q8_0, '{bits: 3, group_size: 64}'."
    ),
]
AnyWeights = Annotated[
    str | None, typer.Option("--weights", help="stored, int4, a format (see `trace --help`), or fp16: not quantised.")
]
SchemeName = Annotated[str, typer.Option("--scheme", help="INT4 weights made here: zero-point or symmetric.")]
WindowSize = Annotated[
    int | None, typer.Option("--context", help="Tokens of a window (default: 2,048, or as many as the model has).")
]
USUAL_CONTEXT, USUAL_MACHINE = 2048, "anda-hpca25"
"""Tokens of a window, as perplexities of language models are usually quoted."""
Stride = Annotated[int | None, typer.Option(help="Tokens from window to window (default: the context).")]
CacheName = Annotated[
    str | None,
    typer.Option("--kv", help="Attention as the machine does it, with keys and values so: int8, int4, int3 or fp16."),
]
Architecture = Annotated[
    str, typer.Option("--arch", help="The machine whose groups and conversion count; see `list`.", metavar="ARCH")
]
SetMachine = Annotated[list[str] | None, typer.Option("--set", help="Override a key of it: --set mxu.conversion=fp16.")]
TextTokens = Annotated[int | None, typer.Option("--tokens", help="Tokens of the text to use (default: all).")]


def trace(
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder of the trace; must not exist.")],
    tokens: Annotated[int, typer.Option(help="Tokens of a prompt.", min=1)] = 2048,
    batch: Annotated[int, typer.Option(help="Prompts at a time.", min=1)] = 1,
    steps: Annotated[int, typer.Option(help="Tokens to decode after the prompt.", min=0)] = 0,
    text: Annotated[
        Path | None, typer.Option(help="Run on this text and record activations and INT4 weights; else shapes alone.")
    ] = None,
    weights: Weights = None,
    scheme: SchemeName = "zero-point",
    layers: Annotated[str | None, typer.Option(help="Layers to keep: 0,3,5 or 0-3 (default: all).")] = None,
    modules: Annotated[str | None, typer.Option(help="Modules to keep: qkv,o,up,down,head,router,other.")] = None,
) -> None:
    """Record the GeMMs of a model's prefill and decode steps."""
    _require_extra()
    from sim.report.quantities import si
    from sim.trace.extract import TraceOptions, estimate, extract, load

    chosen = TraceOptions(tokens, batch, steps, text, _scheme(scheme), _layers(layers), _modules(modules))
    if out.exists():
        raise InputError("exists already", field="--out", facts={"found": str(out), "allowed": "a new folder"})
    loaded = _with_weights(load(model, chosen), weights, (STORED, INT4))
    expected = estimate(loaded, chosen)
    print(f"{expected.gemms} GeMMs, about {si(expected.tensor_bytes, 'B')} of tensors", file=sys.stderr)
    with _bar("recording", expected.gemms) as advance:
        manifest = extract(loaded, chosen, out, advance)
    integers = [(one.k, manifest.weights_of(one).span) for one in manifest.records if one.weights]
    padded = {k for k, span in integers if span and k % span}
    for k in sorted(padded):
        print(f"K = {k}: the last group is filled up with zeros, as the hardware pads it", file=sys.stderr)
    print(f"{len(manifest.records)} GeMMs of {manifest.model.name} in {out}")


def perplexity(
    model: Model,
    text: Text,
    precision: shared.Precision = None,
    compare: Annotated[bool, typer.Option("--compare", help="Also FIGNA and plain block floating point.")] = False,
    weights: AnyWeights = None,
    scheme: SchemeName = "zero-point",
    context: WindowSize = None,
    stride: Stride = None,
    tokens: TextTokens = None,
    kv: CacheName = None,
    attention_precision: shared.AttentionLengths = None,
    arch: Architecture = USUAL_MACHINE,
    set_: SetMachine = None,
    json_: shared.Json = False,
) -> None:
    """Perplexity of a model with converted activations, against FP16 activations."""
    _require_extra()
    from sim.accuracy.attention_format import attention_format
    from sim.accuracy.report import measure, print_measured
    from sim.workload.model import InferenceRun
    from sim.workload.precision import plan_of

    machine = _encoding(arch, set_)
    plan = plan_of(precision or "fp16", {}, Place("--precision"))
    lengths = _attention_lengths(attention_precision, plan)
    evaluator = _evaluator(model, text, weights, (STORED, INT4, FP16), scheme, context, stride, tokens)
    attention = None
    if kv or attention_precision:
        attention = attention_format(machine, evaluator.model, evaluator.context, kv or InferenceRun().kv, lengths)
    formats = _formats(precision, plan, compare, _format_of(machine.pe), attention)
    if len(formats) > 1 and weights != FP16:
        _refuse_unmultiplied(evaluator, machine.pe)
    measured = measure(evaluator, formats)
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
            help="Accept only what stays within the tolerance at this confidence, such as 0.95 (default: as measured)."
        ),
    ] = None,
    weights: Weights = None,
    planes: Annotated[
        bool, typer.Option("--planes", help="Search how many planes of the weights are read in each module, too.")
    ] = False,
    scheme: SchemeName = "zero-point",
    context: WindowSize = None,
    stride: Stride = None,
    tokens: TextTokens = None,
    kv: CacheName = None,
    arch: Architecture = USUAL_MACHINE,
    set_: SetMachine = None,
    json_: shared.Json = False,
) -> None:
    """Find the mantissa lengths with the fewest bit operations that keep a model's perplexity."""
    _require_extra()
    from sim.accuracy.attention_format import attention_format
    from sim.precision_search.run import run
    from sim.report.search import print_outcome, search_page
    from sim.scratch import whole_file
    from sim.workload.precision import LONGEST

    if confidence is not None and not 0.5 < confidence < 1:
        raise InputError(f"found {confidence}", field="--confidence", facts={"allowed": "above 0.5, below 1"})
    machine = _encoding(arch, set_)
    evaluator = _evaluator(model, text, weights, (STORED, INT4), scheme, context, stride, tokens)
    _refuse_unmultiplied(evaluator, machine.pe)
    like = _format_of(machine.pe)
    if kv:
        attention = attention_format(machine, evaluator.model, evaluator.context, kv, (LONGEST, LONGEST))
        like = replace(like, attention=attention)
    with _bar("evaluating", iterations) as advance:
        outcome = run(evaluator, out, tolerance, iterations, confidence, like, advance, planes=planes)
    with whole_file(out / "report.html") as partial:
        partial.write_text(search_page(outcome), encoding="utf-8")
    if json_:
        json.dump(outcome.report(), sys.stdout)
        sys.stdout.write("\n")
    else:
        print_outcome(outcome, out)


def _evaluator(
    model: Path,
    text: Path,
    weights: str | None,
    allowed: tuple[str, ...],
    scheme: str,
    context: int | None,
    stride: int | None,
    tokens: int | None,
) -> Evaluator:
    from sim.accuracy.perplexity import Evaluator
    from sim.trace.load import load_weights, to_device
    from sim.trace.text import tokens_of
    from sim.trace.weights import quantise

    kind = _scheme(scheme)
    loaded = _with_weights(load_weights(model), weights, allowed)
    identifiers = tokens_of(model, text)[:tokens]
    made = None if weights == FP16 else quantise(loaded, kind)
    longest = getattr(getattr(loaded.model, "config", None), "max_position_embeddings", USUAL_CONTEXT)
    window = context or min(USUAL_CONTEXT, longest)
    method = made.method if made else f"fp16 of {loaded.method}" if loaded.method else "fp16"
    return Evaluator(to_device(loaded), identifiers, window, stride or window, method, made)


def _with_weights(loaded: Loaded, weights: str | None, allowed: tuple[str, ...]) -> Loaded:
    """The model with the integers of its checkpoint, or without them where others are to be made."""
    from sim.formats.weight import WEIGHTS
    from sim.trace.weights import as_format
    from sim.workload.gemm import INT4 as USUAL
    from sim.workload.model_source import weights_of

    if weights is not None and weights not in allowed:
        known = [*allowed, *WEIGHTS.names()]
        if weights not in known and "{" not in weights:
            facts = {"allowed": f"{', '.join(allowed)}, a format of `list`, or its keys: {{bits: 3, group_size: 64}}"}
            raise InputError(f"found {weights!r}", field="--weights", nearest=nearest_name(weights, known), facts=facts)
        return as_format(loaded, weights_of(weights, "--weights"))
    if weights == STORED and loaded.method is None:
        facts = {"allowed": ", ".join(name for name in allowed if name != STORED)}
        raise InputError(f"{loaded.name} holds no integers", field="--weights", facts=facts)
    return as_format(loaded, USUAL) if weights == INT4 and loaded.method else loaded


def _encoding(arch: str, overrides: list[str] | None) -> Machine:
    """A machine whose PEs take activations in the Anda format."""
    from sim.arch.load import load_arch
    from sim.machine.machine import Machine

    machine = Machine(load_arch(arch, overrides or ()))
    if not machine.pe.encoded:
        found = f"{machine.arch.name}, PEs of kind {machine.pe.kind}"
        facts = {"found": found, "allowed": "machines with the Anda format"}
        raise InputError("its activations have no mantissa lengths to choose", field="--arch", facts=facts)
    return machine


def _attention_lengths(asked: str | None, plan: PrecisionPlan) -> AttentionLengths:
    """Of queries and of the softmax's weights: as asked, as the precision file has them, or as usual."""
    from sim.workload.attention_precision import attention_lengths
    from sim.workload.model import InferenceRun

    if asked is None:
        return plan.attention or InferenceRun().attention_lengths
    try:
        return attention_lengths(asked)
    except ValueError as error:
        raise InputError(str(error), field="--attention-precision") from None


def _format_of(pe: ProcessingElement) -> Format:
    """How PEs take activations, mantissa lengths aside."""
    from sim.accuracy.perplexity import Format

    return Format(None, group_size=pe.mxu.dot_length, conversion=pe.mxu.conversion)


def _refuse_unmultiplied(evaluator: Evaluator, pe: ProcessingElement) -> None:
    """Refuse weights that PEs do not multiply: a loss on them would be one of no machine."""
    from sim.workload.gemm import Gemm

    for site in evaluator.sites:
        stored = evaluator.formats[site.name]
        try:
            pe.passes(Gemm(site.name, site.kind, 1, site.k, site.n, mantissa_bits=1, weights=stored))
        except InputError as error:
            mend = {"mend": "--weights int4, or a machine that takes them"}
            raise InputError(
                error.problem, place=error.place, field=error.field, facts={**error.facts, **mend}
            ) from None


def _formats(
    precision: str | None, plan: PrecisionPlan, compare: bool, like: Format, attention: AttentionFormat | None
) -> dict[str, Format]:
    from sim.precision_search.search import lengths as written

    formats = {"fp16": like}
    lengths = plan.lengths
    if not plan.plain:
        own = replace(like, lengths=lengths, weight_bits=plan.weight_bits, rules=plan.rules)
        formats[Path(str(precision)).stem] = own
    elif lengths is not None:
        formats["anda " + written(lengths)] = replace(like, lengths=lengths)
    if attention is not None:
        told = f"kv {attention.cache}, attention " + ",".join(map(str, attention.lengths))
        both = {f"{name}, {told}": replace(own, attention=attention) for name, own in formats.items() if name != "fp16"}
        formats |= {told: replace(like, attention=attention)} | both
    if compare:
        formats["figna 13"] = replace(like, lengths=(13, 13, 13, 13))
        if lengths is not None:
            formats["block float " + written(lengths)] = replace(like, lengths=lengths, rounding="nearest")
    return formats


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
