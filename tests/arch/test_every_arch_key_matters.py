"""Changing any key of a machine changes what is counted, or is refused; only `name` and `source` may change nothing."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from functools import cache
from operator import attrgetter
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from sim.arch.dram import ARBITRATION, DRAM
from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.errors import InputError
from sim.formats.weights.planes import PlaneWeights
from sim.simulation import simulate
from sim.units.processing_element import KINDS
from sim.workload.gemm import FP16, Gemm, Phase, VectorWork, Workload

COUNTED = ("totals", "units", "counters", "energy", "area")
"""What a machine does and costs; the rest of a result echoes the description."""

WORK = Workload(
    "mixed",
    (
        Phase(
            "prefill",
            (
                Gemm("long", "up", m=40, k=1000, n=200, mantissa_bits=5, output_mantissa_bits=7),
                Gemm("short", "down", m=7, k=100, n=300, mantissa_bits=9),
                VectorWork("softmax", "softmax", operations=30_000, read_bytes=20_000, write_bytes=9_000),
            ),
        ),
    ),
)
PLANES = Workload(
    "planes",
    (Phase("decode", (Gemm("g", "up", m=3, k=320, n=200, mantissa_bits=5, weights=PlaneWeights(8, read_bits=3)),)),),
)
ATTENTION = Workload("attention", (Phase("prefill", (Gemm("scores", "scores", m=40, k=128, n=200, weights=FP16),)),))
SCARCE = [
    "dram.bandwidth_gigabytes_per_second=3",
    "dram.transaction_bytes=512",
    "writer.blocks=1",
    "schedule.k_block=256",
]
SMALL = [
    *("buffers.activation.bytes=16384", "buffers.weight.bytes=16384", "schedule.k_block=256"),
    *("mxu.output_registers=1", "writer.blocks=1", "collector.port_bits=64"),
]
SPLIT = [
    *("mxu.count=8", "buffers.weight.banks=8", "buffers.activation.banks=8", "activation_dispatcher.streams=4"),
    *("collector.reduction_cycles=1", "schedule.split={tokens: 2, outputs: 2, k: 2}", "schedule.output_block=128"),
    *("schedule.token_block=64", "schedule.k_block=768"),
]
USES = (
    *("output_registers: 2", "activation_bytes: 32768", "exponent_bytes: 320", "activation_fill_port_bits: 1024"),
    *("weight_bytes: 16384", "weight_fill_port_bits: 1024", "weight_port_bits: 512", "activation_port_bits: 512"),
    *("exponent_port_bits: 40", "collector_port_bits: 512", "bpc_lanes: 4", "writer_blocks: 2", "outstanding_loads: 2"),
)
PART = [
    *("dram.bandwidth_gigabytes_per_second=3", "dram.transaction_bytes=512", "schedule.k_block=256"),
    "schedule.uses={" + ", ".join(USES) + "}",
]
LONG = ["mxu.dot_length=128", "schedule.output_block=128"]
MORE = [
    *("bpc.group_size=128", "vector.fpus=80", "controller.launch_cycles=2", "dram.outstanding_loads=8"),
    *("clock.frequency_megahertz=800", "mxu.pipeline_cycles=15"),
]
FAST = ["clock.frequency_megahertz=800", "mxu.pipeline_cycles=17"]
SCENARIOS: dict[str, tuple[str, list[str], Workload]] = {
    "ample": ("anda-hpca25", [], WORK),
    "scarce": ("anda-hpca25", SCARCE, WORK),
    "small": ("anda-hpca25", SMALL, WORK),
    "table areas": ("anda-edge", [], WORK),
    "several MXUs": ("anda-hpca25", ["mxu.count=2", "buffers.weight.banks=2"], WORK),
    "split MXUs": ("anda-hpca25", SPLIT, WORK),
    "a part used": ("anda-hpca25", PART, WORK),
    "FP16": ("fp-fp", SCARCE, ATTENTION),
    "aligned": ("figna", SMALL, WORK),
    "synthesised": ("figna", ["cost.pe=rtl"], WORK),
    "more than described": ("anda-hpca25", [*LONG, *MORE], WORK),
    "more lanes": ("fp-fp", ["mxu.lanes=8", "activation_dispatcher.port_bits=2048"], WORK),
    "shorter mantissas": ("figna", ["mxu.mantissa_bits=11", *LONG], WORK),
    "planes read in part": ("anda-hpca25", ["weight_dispatcher.fills_planes=true", *LONG, *MORE], PLANES),
    "integers": ("int8", ["mxu.lanes=8", *FAST], WORK),
}

SMALL_WORK = Workload("one", (Phase("prefill", (Gemm("one", "up", m=48, k=320, n=192, mantissa_bits=5),)),))
SCENARIOS["searched"] = ("anda-hpca25", SCARCE, SMALL_WORK)

Leaf = tuple[tuple[str, ...], Any]


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models(argument)


def leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every key of the schema that holds a single value, with its type."""
    for name, field in model.model_fields.items():
        inner = list(models(field.annotation))
        if name == "source":
            continue
        if not inner:
            yield (*path, name), field.annotation
        for section in inner:
            yield from leaves(section.described_by({}), (*path, name))  # type: ignore[attr-defined]


def others(annotation: Any, value: Any) -> list[Any]:
    """Other values that a key may have."""
    if typing.get_origin(annotation) is Literal:
        return [choice for choice in typing.get_args(annotation) if choice != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        return [name for name in (*KINDS.names(), *ARBITRATION.names(), *DRAM.names()) if name != value]
    if value is None:
        return [1, 8, 0.5] if typing.get_origin(annotation) in (typing.Union, types.UnionType) else []
    if isinstance(value, int):
        return [n for n in (value * 2, value // 2, value * 4, value + 1, value + 16, value + 64, 1) if n != value]
    return [value * 2, value / 2]


def at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key] if isinstance(values, dict) else None
    return values


@cache
def counted(scenario: str, *overrides: str) -> dict[str, Any]:
    name, fixed, work = SCENARIOS[scenario]
    result = simulate(load_arch(name, [*fixed, *overrides]), work)
    return {key: getattr(result, key) for key in COUNTED}


@cache
def described(scenario: str) -> dict[str, Any]:
    name, fixed, _ = SCENARIOS[scenario]
    return load_arch(name, fixed).model_dump()


def written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


ALWAYS_REFUSED = {("bpc", "group_size"), ("dram", "kind")}
"""The output is the next GeMM's input, so only mxu.dot_length is allowed; there is one built-in kind of DRAM."""
COSTED = ("pe", "bpc", "quantiser", "plane_fill", "vector")
PROCESS = {
    *(("cost", part, "describes", key) for part in COSTED for key in ("node_nanometres", "volts")),
    *{("cost", "logic", "volts"), ("cost", "sram", "node_nanometres"), ("cost", "pe", "describes", "kind")},
}
"""Nobody has figures for another process or kind, unless all of them say so."""
LIMITS = {("cost", "logic", "highest_frequency_megahertz"), ("cost", "pe", "describes", "frequency_megahertz")}
"""How far a figure goes: a machine within them costs the same, one beyond is refused."""
OF_VALUES = {("mxu", "conversion")}
"""They change what is computed and no count: tests/functional/test_conversion.py."""
LEAVES = [leaf for leaf in leaves(Arch) if leaf[0] not in {("name",), *OF_VALUES}]


@pytest.mark.parametrize(
    ("path", "annotation"), LEAVES, ids=lambda part: ".".join(part) if isinstance(part, tuple) else ""
)
def test_a_changed_key_changes_what_is_counted_or_is_refused(path: tuple[str, ...], annotation: Any) -> None:
    accepted, refused = [], []
    for scenario in SCENARIOS:
        for value in others(annotation, at(described(scenario), path)):
            try:
                after = counted(scenario, f"{'.'.join(path)}={written(value)}")
            except InputError:
                refused.append((scenario, value))
                continue
            if after != counted(scenario):
                assert path not in ALWAYS_REFUSED | PROCESS | LIMITS
                return
            accepted.append((scenario, value))
    assert refused
    assert path in LIMITS or not accepted, f"change nothing: {accepted}"
    assert path in ALWAYS_REFUSED | PROCESS | LIMITS


def test_each_objective_of_a_searched_schedule_is_met_best_by_its_own_search() -> None:
    totals = {
        name: counted("searched", f"schedule={name}")["totals"]
        for name in ("best-cycles", "best-dram-bytes", "best-energy")
    }
    given = counted("searched")["totals"]
    for name, quantity in (("cycles", "cycles"), ("dram-bytes", "dram_bytes"), ("energy", "energy_picojoules")):
        of = attrgetter(quantity)
        least = of(totals[f"best-{name}"])
        assert least == min(map(of, totals.values()))
        assert least < of(given)
    best = counted("searched", "schedule=best")["totals"]
    assert best.dram_bytes < given.dram_bytes
    assert best.cycles <= given.cycles


def test_names_and_sources_change_nothing() -> None:
    assert counted("ample", "name=other", "dram.source=elsewhere") == counted("ample")


def test_the_walk_reaches_every_section() -> None:
    reached = {path[:-1] for path, _ in LEAVES}
    sections = {"clock", "mxu", "weight_dispatcher", "activation_dispatcher", "collector", "bpc", "vector", "writer"}
    sections |= {"controller", "dram", "schedule", "quantiser"}
    costs = {("cost", part) for part in (*COSTED, "controller", "logic", "sram", "dram")}
    costs |= {("cost", part, "describes") for part in (*COSTED, "controller")} | {("cost", "pe", "growth")}
    inner = {("buffers", "activation"), ("buffers", "weight"), ("dram", "efficiency")}
    inner |= {("schedule", "split"), ("schedule", "uses")}
    assert reached == {(name,) for name in sections} | inner | costs
