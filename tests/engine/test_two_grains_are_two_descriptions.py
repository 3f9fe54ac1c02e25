"""The beat grain never calls the tile grain's equations: an error in one of them shows as a difference."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.laws.conservation import BrokenLawError
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.machine import Machine
from sim.units.activation_dispatcher import ActivationDispatcher
from sim.units.bpc import Bpc
from sim.units.buffer import Buffer
from sim.units.collector import Collector
from sim.units.mxu import Mxu
from sim.units.vector import Vector
from sim.units.weight_dispatcher import WeightDispatcher
from sim.workload.gemm import Gemm, VectorWork

CLOSED_FORMS = [
    (WeightDispatcher, "block_cycles"),
    (ActivationDispatcher, "group_cycles"),
    (Mxu, "group_cycles"),
    (Collector, "drain_cycles"),
    (Bpc, "emit_cycles"),
]
TILE_STEPS = [
    (WeightDispatcher, "tile_load"),
    (WeightDispatcher, "tile_rest"),
    (ActivationDispatcher, "book"),
    (Mxu, "tile_compute"),
    (Mxu, "tile_lag"),
    (Collector, "tile_drain"),
    (Bpc, "tile_emit"),
    (Buffer, "tile_fill"),
    (Vector, "tile_compute"),
]
BEAT_STEPS = [
    (WeightDispatcher, "beat_load"),
    (WeightDispatcher, "beat_rest"),
    (Mxu, "beat_compute"),
    (Mxu, "beat_lag"),
    (WeightDispatcher, "beats_ahead"),
    (Collector, "beat_drain"),
    (Bpc, "beat_emit"),
    (Buffer, "beat_fill"),
    (Vector, "beat_compute"),
]
# Every unit limits one of these: weight port, activation port, output port, compressor.
LIMITS = {
    "weight port": ["weight_dispatcher.port_bits=64"],
    "activation port": ["activation_dispatcher.port_bits=64", "activation_dispatcher.exponent_port_bits=5"],
    "output port": ["collector.port_bits=64", "mxu.output_registers=1"],
    "compressor": ["bpc.lanes=1"],
    "fill port": ["buffers.weight.fill_port_bits=8"],
    "late weights": ["weight_dispatcher.port_bits=64", "dram.bandwidth_gigabytes_per_second=0.5"],
}
GEMM = Gemm("small", "other", m=9, k=300, n=70, mantissa_bits=3, output_mantissa_bits=9)
WORK = VectorWork("softmax", "softmax", operations=10_000, read_bytes=5_000, write_bytes=3_000)


def arch(limit: str) -> Arch:
    return load_arch(
        "anda-hpca25", ["mxu.rows=4", "mxu.columns=4", "schedule.token_block=8", "schedule.k_block=128", *LIMITS[limit]]
    )


def counted(run: Run) -> tuple[Any, ...]:
    return run.cycles, run.states, run.counters


def runs(machine: Machine, grain: str) -> tuple[Any, ...]:
    options = SimulationOptions(grain=grain, fast_forward=False)  # type: ignore[arg-type]
    return counted(machine.run(GEMM, options)), counted(machine.run(WORK, options))


def one_more(method: Callable[..., int]) -> Callable[..., int]:
    return lambda *arguments: method(*arguments) + 1


@pytest.mark.parametrize("limit", LIMITS)
def test_both_grains_count_alike(limit: str) -> None:
    machine = Machine(arch(limit))
    assert runs(machine, "beat") == runs(machine, "tile")


@pytest.mark.parametrize(("place", "method"), CLOSED_FORMS)
def test_an_error_of_a_cycle_in_an_equation_is_a_difference(
    place: type, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(arch("late weights"))
    beat = runs(machine, "beat")
    monkeypatch.setattr(place, method, one_more(getattr(place, method)))
    assert runs(machine, "beat") == beat
    with suppress(BrokenLawError):  # some break a law of their own already
        assert runs(machine, "tile") != beat


@pytest.mark.parametrize(
    ("place", "method"), CLOSED_FORMS + TILE_STEPS, ids=lambda part: getattr(part, "__name__", part)
)
def test_the_beat_grain_never_asks_an_equation(place: type, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(arch("late weights"))
    beat = runs(machine, "beat")
    asked: list[str] = []
    original = getattr(place, method)

    def ask(*arguments: Any) -> Any:
        asked.append(method)
        return original(*arguments)

    monkeypatch.setattr(place, method, ask)
    assert runs(machine, "beat") == beat
    assert asked == []
    runs(machine, "tile")
    assert asked  # so the tile grain does, and the list above is not out of date


@pytest.mark.parametrize(("place", "method"), BEAT_STEPS, ids=lambda part: getattr(part, "__name__", part))
def test_the_tile_grain_never_takes_a_beat(place: type, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(arch("late weights"))
    tile = runs(machine, "tile")

    def never(*_: Any) -> Any:
        raise AssertionError(method)

    monkeypatch.setattr(place, method, never)
    assert runs(machine, "tile") == tile
    with pytest.raises(AssertionError, match=method):
        runs(machine, "beat")
