"""Units that lose, invent or miscount something are found out in the run itself, and the law that broke names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.engine.activity import Activity, State
from sim.engine.channel import Channel
from sim.laws.bounds import Bounds, DramFloor, Traffic
from sim.laws.conservation import BrokenLawError, check_bounds, check_counters, check_floor, check_time
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.units.activation_dispatcher import ActivationDispatcher
from sim.units.bpc import Bpc
from sim.units.buffer import Buffer
from sim.units.collector import Collector, OutputBlock
from sim.units.dram.channel import ChannelUnit
from sim.units.loader import Loader
from sim.units.mxu import Mxu
from sim.units.vector import Vector
from sim.units.weight_dispatcher import WeightDispatcher
from sim.units.writer import Writer
from sim.workload.gemm import Gemm, VectorWork

Method = Callable[..., Any]
Patch = Callable[[Method], Method]
GEMM = Gemm("small", "other", m=10, k=200, n=70, mantissa_bits=5, output_mantissa_bits=7)
UNITS = (
    *("controller", "weight_loader", "activation_loader", "weight_buffer", "activation_buffer"),
    *("weight_dispatcher", "activation_dispatcher", "mxu", "collector", "bpc"),
)


@cache
def arch() -> Arch:
    # Bursts of a byte hide no lost one.
    return load_arch("anda-hpca25", ["mxu.rows=4", "mxu.columns=4", "schedule.token_block=8", "dram.burst_bytes=1"])


def run(grain: str = "tile", fast_forward: bool = True) -> None:
    Machine(arch()).run(GEMM, SimulationOptions(grain=grain, fast_forward=fast_forward))  # type: ignore[arg-type]


@pytest.fixture(params=["beat", "tile", "tile without fast-forward"])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., BrokenLawError]:
    """Replaces a method by what `patch` makes of it, and returns the law that a run then breaks."""

    def _broken(place: type, method: str, patch: Patch) -> BrokenLawError:
        grain, _, without = request.param.partition(" ")
        run(grain, not without)
        monkeypatch.setattr(place, method, patch(getattr(place, method)))
        with pytest.raises(BrokenLawError) as caught:
            run(grain, not without)
        return caught.value

    return _broken


def changed_argument(change: Callable[[Any], Any]) -> Patch:
    """A method that is handed something else than it was."""
    return lambda method: lambda self, item, *rest: method(self, change(item), *rest)


def afterwards(change: Callable[[Any], None]) -> Patch:
    """A method after which something else happens."""

    def patch(method: Method) -> Method:
        def wrapped(self: Any, *rest: Any) -> Any:
            result = method(self, *rest)
            change(self)
            return result

        return wrapped

    return patch


def add(attribute: str, amount: int) -> Callable[[Any], None]:
    return lambda unit: setattr(unit, attribute, getattr(unit, attribute) + amount)


@pytest.mark.parametrize("unit", UNITS)
def test_a_cycle_counted_twice_is_found(unit: str, broken: Callable[..., BrokenLawError]) -> None:
    def count_twice(activity: Activity) -> None:
        if activity.name == unit:
            activity.cycles[State.BUSY] += 1

    error = broken(Activity, "settle", afterwards(count_twice))
    assert error.unit == unit
    assert error.law == "busy + stalled + idle = total"
    assert error.left > error.right  # type: ignore[operator]


def test_a_value_that_is_not_multiplied_is_found(broken: Callable[..., BrokenLawError]) -> None:
    error = broken(Mxu, "_finish", changed_argument(lambda op: op._replace(values=op.values - 1)))
    assert error.unit == "mxu"
    assert error.right == GEMM.m * GEMM.k * GEMM.n


def test_a_byte_that_the_channel_moves_twice_is_found(broken: Callable[..., BrokenLawError]) -> None:
    def move_twice(dram: ChannelUnit) -> None:
        dram.bytes_moved[0] += 1

    assert broken(ChannelUnit, "_complete", afterwards(move_twice)).unit == "dram"


def test_a_byte_that_a_loader_does_not_ask_for_is_found(broken: Callable[..., BrokenLawError]) -> None:
    error = broken(Loader, "_arrived", afterwards(add("requested_bytes", -1)))
    assert error.unit == "weight_loader"


def test_a_byte_that_the_writer_does_not_write_is_found(broken: Callable[..., BrokenLawError]) -> None:
    error = broken(Writer, "block_bytes", lambda method: lambda self, block: method(self, block) - 1)
    assert (error.unit, error.law) == ("dram", "dram.output_bytes counted = asked for")


def test_a_byte_that_the_writer_does_not_count_is_found(broken: Callable[..., BrokenLawError]) -> None:
    assert broken(Writer, "_left", afterwards(add("written_bytes", -1))).unit == "writer"


def test_a_column_that_is_not_handed_on_is_found(broken: Callable[..., BrokenLawError]) -> None:
    def narrower(item: Any) -> Any:
        return item._replace(columns=item.columns - 1) if isinstance(item, OutputBlock) else item

    error = broken(Channel, "put", changed_argument(narrower))
    assert error.unit == "writer"


def test_a_fill_beat_too_few_is_found(broken: Callable[..., BrokenLawError]) -> None:
    error = broken(Buffer, "counters", lambda method: lambda self: {n: c - 1 for n, c in method(self).items()})
    assert error.unit == "weight_buffer"


def test_time_on_the_channel_that_there_is_not_is_found(broken: Callable[..., BrokenLawError]) -> None:
    error = broken(ChannelUnit, "_complete", afterwards(add("busy_ticks", 10**6)))
    assert (error.unit, error.law) == ("dram", "negative times")


@pytest.mark.parametrize(("compute", "grain"), [("beat_compute", "beat"), ("tile_compute", "tile")])
def test_a_machine_faster_than_its_groups_is_found(compute: str, grain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = getattr(Mxu, compute)

    def short_words(self: Mxu) -> Any:
        assert self.op is not None
        self.op = self.op._replace(stream=replace(self.op.stream, words=1))
        return original(self)

    monkeypatch.setattr(Mxu, compute, short_words)
    with pytest.raises(BrokenLawError, match="lower <= cycles <= upper") as caught:
        run(grain)
    assert caught.value.left < caught.value.right.lower_cycles  # type: ignore[operator, attr-defined]


def test_a_machine_slower_than_everything_in_a_row_is_found(broken: Callable[..., BrokenLawError]) -> None:
    error = broken(ChannelUnit, "__init__", afterwards(add("latency_cycles", 10**4)))
    assert error.left > error.right.upper_cycles  # type: ignore[operator, attr-defined]


@pytest.mark.parametrize(
    ("place", "attribute", "unit"),
    [
        (Buffer, "filled_bytes", "buffer"),
        (Buffer, "filled_side_bytes", "buffer"),
        (WeightDispatcher, "read_bits", "weight_dispatcher"),
        (WeightDispatcher, "beats", "weight_dispatcher"),
        (ActivationDispatcher, "read_bits", "activation_dispatcher"),
        (ActivationDispatcher, "exponent_read_bits", "activation_dispatcher"),
        (ActivationDispatcher, "beats", "activation_dispatcher"),
        (Mxu, "groups", "mxu"),
        (Mxu, "tiles", "mxu"),
        (Mxu, "pe_cycles", "mxu"),
        (Collector, "beats", "collector"),
        (Bpc, "groups", "bpc"),
        (Bpc, "rows", "bpc"),
        (Mxu, "macs", "mxu"),
        (Loader, "requested_bytes", "loader"),
        (Writer, "written_bytes", "writer"),
        (Writer, "written_values", "writer"),
        (Buffer, "fill_beats", "buffer"),
    ],
)
@pytest.mark.parametrize("grain", ["beat", "tile"])
def test_a_counter_that_misses_one_is_found(
    place: type, attribute: str, unit: str, grain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "start", afterwards(add(attribute, -1))(place.start))  # type: ignore[attr-defined]
    with pytest.raises(BrokenLawError) as caught:
        run(grain)
    assert unit in caught.value.unit


def test_a_chunk_that_never_arrives_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original, dropped = Loader._arrived, []

    def drop(self: Loader) -> None:
        if self.name == "weight_loader" and not dropped:
            dropped.append(self.in_transit.popleft())
        else:
            original(self)

    monkeypatch.setattr(Loader, "_arrived", drop)
    with pytest.raises(BrokenLawError, match="weight"):
        run()


WORK = VectorWork("softmax", "softmax", operations=10_000, read_bytes=5_000, write_bytes=3_000)


@pytest.mark.parametrize("grain", ["beat", "tile"])
@pytest.mark.parametrize(
    ("place", "method", "change", "unit"),
    [
        (Vector, "_finish_block", add("operations", -1), "vector"),
        (Buffer, "counters", None, "activation_buffer"),
    ],
)
def test_vector_work_obeys_its_laws(
    place: type, method: str, change: Any, unit: str, grain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, options = Machine(arch()), SimulationOptions(grain=grain)  # type: ignore[arg-type]
    machine.run(WORK, options)
    patch = afterwards(change) if change else lambda old: lambda self: {n: c - 1 for n, c in old(self).items()}
    monkeypatch.setattr(place, method, patch(getattr(place, method)))
    with pytest.raises(BrokenLawError) as caught:
        machine.run(WORK, options)
    assert caught.value.unit == unit


def test_each_law_says_both_sides() -> None:
    with pytest.raises(BrokenLawError, match="mxu: busy \\+ stalled \\+ idle = total: 9 against 10"):
        check_time({"mxu": {State.BUSY: 9}}, 10)
    with pytest.raises(BrokenLawError, match="mxu: negative times: 1 against 0"):
        check_time({"mxu": {State.BUSY: 11, State.IDLE: -1}}, 10)
    for cycles in (4, 11):
        with pytest.raises(BrokenLawError, match=f"machine: lower <= cycles <= upper: {cycles} against"):
            check_bounds(cycles, Bounds(5, 10))
    for cycles in (5, 10):
        check_bounds(cycles, Bounds(5, 10))


TRAFFIC = Traffic(weight_bytes=60, activation_bytes=30, output_bytes=10, fill_beats=7, requests=3, output_blocks=1)
KEPT = {
    "dram.weight_bytes": 60,
    "dram.activation_bytes": 30,
    "dram.output_bytes": 10,
    "weight_loader.requested_bytes": 60,
    "activation_loader.requested_bytes": 30,
    "writer.written_bytes": 10,
    "weight_buffer.fill_beats": 4,
    "activation_buffer.fill_beats": 3,
}


@pytest.mark.parametrize("name", KEPT)
def test_the_counters_are_checked_counter_by_counter(name: str) -> None:
    check_counters(KEPT, KEPT)
    with pytest.raises(BrokenLawError) as caught:
        check_counters(KEPT | {name: KEPT[name] + 1}, KEPT)
    assert caught.value.unit == name.split(".")[0]


@pytest.mark.parametrize(("compulsory", "communication"), [(101, 0), (0, 101)])
def test_a_run_below_the_floor_is_found(compulsory: int, communication: int) -> None:
    check_floor(TRAFFIC, DramFloor(compulsory - 1, max(communication - 1, 0)))
    with pytest.raises(BrokenLawError, match="dram: bytes moved >= floor: 100 against 101"):
        check_floor(TRAFFIC, DramFloor(compulsory, communication))
