"""From a model's source and the caller's options to a workload: the way every reader of models takes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sim import source
from sim.errors import InputError, Place
from sim.formats.weight import WeightFormat
from sim.section import Section
from sim.source import Source
from sim.workload.gemm import Workload
from sim.workload.model import ALL_ONLY, TAKES, InferenceRun, Model, Weights
from sim.workload.options import Options, flag
from sim.workload.passes import with_courses
from sim.workload.phases import build_phases, check
from sim.workload.precision import plan_of
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.routing import EvenRouting, Mixture, Routing, routing_of
from sim.workload.stored import of_model
from sim.yaml_reader import Path_


def workload_of(described: Source, options: Options) -> Workload:
    """The workload of a model.

    Raises
    ------
    InputError
        For whatever does not fit the schema, and for an option that the phase does not take.
    """
    written = described.values.get("run")
    written_phase = written.get("phase", InferenceRun().phase) if isinstance(written, dict) else InferenceRun().phase
    described = _with_options(source.with_overrides(described, options.overrides, "--set-workload"), options)
    model = source.validate(Model, described)
    refuse_untaken(model.run, described, same_phase=model.run.phase == written_phase)
    named = {name: entry.plan(entry.mantissa_bits) for name, entry in model.precision.items()}
    place = described.place(("run", "precision"))
    plan, routing = plan_of(model.run.precision, named, place), _routing(model, described.place(("run", "routing")))
    model = model.model_copy(update={"run": model.run.with_attention_of(plan)})
    try:
        check(model, plan)
    except InputError as error:
        raise error.at(place) from None
    try:
        phases = with_courses(build_phases(model, plan, routing), model, plan, routing)
    except InputError as error:
        raise error.at(Place(described.file)) from None
    return Workload(model.name, phases, plan.lengths, _resolved(model, plan), plan, of_model(model, plan))


class AskedWeights(Section):
    weights: Weights


def weights_of(text: str, option: str) -> WeightFormat:
    """A format of weights out of an option: a kind, or keys as a model YAML has them.

    Raises
    ------
    InputError
        At the option, for what is no format.
    """
    written = text if "{" in text else f"{{format: {text}}}"
    asked = source.with_overrides(Source({}, {}, option), [f"weights={written}"], option)
    return source.validate(AskedWeights, asked).weights.stored


def _routing(model: Model, place: Place) -> Routing:
    """How tokens go to the model's experts."""
    if model.experts is not None:
        return routing_of(model.run.routing, place, Mixture(model.layers, **dict(model.experts)))
    if model.run.routing != "even":
        raise InputError(f"{model.name} has no experts", place=place, field="run.routing", facts={"allowed": "even"})
    return EvenRouting()


def _with_options(described: Source, options: Options) -> Source:
    given, run = options.given(), described.values.get("run", {})
    if not given or not isinstance(run, dict):
        return described
    places: dict[Path_, Place] = {("run", name): Place(flag(name)) for name in given}
    return Source({**described.values, "run": {**run, **given}}, {**described.places, **places}, described.file)


def refuse_untaken(run: InferenceRun, described: Source, *, same_phase: bool) -> None:
    """Refuse keys of another phase, unless a file holds them for the phase that the caller replaced."""
    for key in run.model_fields_set - TAKES[run.phase]:
        place = described.place(("run", key))
        if same_phase or place.file.startswith("--"):
            raise InputError(
                f"phase `{run.phase}` does not take it",
                place=place,
                field=f"run.{key}",
                facts={"allowed": ", ".join(sorted(TAKES[run.phase]))},
            )


def _resolved(model: Model, plan: PrecisionPlan) -> dict[str, Any]:
    """The model as a YAML that gives the same workload again, wherever it is read."""
    resolved = model.model_dump(mode="json", exclude_none=True)
    taken = TAKES[model.run.phase] - (set() if model.experts else {"routing"})
    taken -= set() if model.run.scope == "all" else ALL_ONLY
    run = {key: value for key, value in resolved["run"].items() if key in taken}
    if model.run.precision not in model.precision:
        if plan.plain:
            run["precision"] = plan.written()["mantissa_bits"]
        else:
            resolved["precision"][model.run.precision] = {**plan.written(), "source": model.run.precision}
    stored = model.weights.stored
    weights = {"format": stored.kind, "bits": stored.bits, **asdict(stored)}  # type: ignore[call-overload]
    return {**resolved, "weights": weights, "run": run}
