"""A model that no reader knows by hand, from its config.json alone: its shapes by a run on torch's meta device.

prefill  one pass over the prompts
decode   one pass after them, which stands for every step: only attention grows, and that follows from the tokens
mixed    see sim/trace/mixed.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from sim import source
from sim.errors import InputError, Place
from sim.section import Section
from sim.source import Source
from sim.trace.extract import TraceOptions, load, record_into, record_module_into
from sim.trace.linears import mixture_of
from sim.trace.mixed import mixed_phases
from sim.trace.writer import Recording
from sim.workload.gemm import Phase, Workload
from sim.workload.model import ALL_ONLY, TAKES, InferenceRun
from sim.workload.model_source import refuse_untaken
from sim.workload.options import Options, flag
from sim.workload.precision import plan_of, resolve
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.readers.trace import phases_of, recorded_weights
from sim.workload.routing import Mixture, Routing, rerouted, routing_of
from sim.yaml_reader import Path_


class Described(Section):
    """What a caller may say of such a model: how it is run."""

    run: InferenceRun = InferenceRun()


def read(path: Path, options: Options) -> Workload:
    """The workload of a config.json.

    Raises
    ------
    InputError
        For a class that is not modelled, and for runs that it cannot do.
    """
    given = options.given()
    places: dict[Path_, Place] = {("run", name): Place(flag(name)) for name in given}
    asked = source.with_overrides(Source({"run": given}, places, str(path)), options.overrides, "--set-workload")
    run = source.validate(Described, asked).run
    refuse_untaken(run, asked, same_phase=True)
    places_asked = asked.place(("run", "precision")), asked.place(("run", "scope"))
    plan = plan_of(run.precision, {}, places_asked[0])
    run = run.with_attention_of(plan)
    decodes = run.phase != "prefill"
    tokens = {"decode": run.context, "mixed": max(run.tokens, run.context)}.get(run.phase, run.tokens)
    pass_ = TraceOptions(tokens=tokens, batch=run.batch, steps=1 if decodes else 0)
    loaded = load(path, pass_)
    mixture = mixture_of(loaded.model)
    routing = _routing(run, mixture, plan, asked.place(("run", "routing")))
    if run.phase == "mixed":
        manifest, phases = mixed_phases(loaded, run, plan, places_asked, routing)
    else:
        manifest = record_into(Recording(), loaded, pass_, [[0] * tokens] * run.batch)
        every = manifest.tokens.model_copy(update={"steps": run.steps if decodes else 0})
        manifest = manifest.model_copy(update={"tokens": every})
        names = ["prefill", "decode"] if run.phase == "both" else [run.phase]
        phases = phases_of(manifest, names, plan, run, places_asked)
        if routing:
            phases = tuple(rerouted(phase, *routing, *_rows_and_steps(phase, run)) for phase in phases)
    taken = TAKES[run.phase] - (set() if mixture else {"routing"}) - (set() if run.scope == "all" else ALL_ONLY)
    resolved = {
        "config": manifest.model.model_dump(),
        "run": {
            **{key: value for key, value in run.model_dump().items() if key in taken},
            "precision": plan.written()["mantissa_bits"] if plan.plain else plan.written(),
        },
    }
    return Workload(manifest.model.name, phases, plan.lengths, resolved, plan, recorded_weights(manifest, run.scope))


def _routing(
    run: InferenceRun, mixture: Mixture | None, plan: PrecisionPlan, place: Place
) -> tuple[Routing, Mixture] | None:
    """How tokens go to experts; None: evenly, as a run on the meta device has them."""
    if run.routing == "even":
        return None
    if mixture is None or not plan.plain:
        problem = "a model without experts" if mixture is None else "rules of precision beside it are not modelled here"
        raise InputError(problem, place=place, field="run.routing", facts={"allowed": "even"})
    return routing_of(run.routing, place, mixture), mixture


def _rows_and_steps(phase: Phase, run: InferenceRun) -> tuple[int, range]:
    if phase.name == "prefill":
        return run.batch * run.tokens, range(1)
    return run.batch, range(1, run.steps + 1)


def from_module(module: nn.Module, inputs: dict[str, Any], precision: str = InferenceRun().precision) -> Workload:
    """The weight GeMMs of one call `module(**inputs)` of any torch module, on any device, meta included.

    Layers that are linear under another name (Conv1D, fused experts) are replaced in `module` by Linears of the same
    function.

    Raises
    ------
    InputError
        For a module in which no linear layer runs, or a precision that is none.
    """
    manifest = record_module_into(Recording(), module, inputs)
    lengths = resolve(precision)
    places = Place("precision"), Place("scope")
    phases = phases_of(manifest, ["prefill"], PrecisionPlan(lengths), InferenceRun(), places)
    resolved = {"module": manifest.model.model_dump(), "precision": "fp16" if lengths is None else list(lengths)}
    return Workload(manifest.model.name, phases, lengths, resolved, stored=recorded_weights(manifest, "fp-int"))
