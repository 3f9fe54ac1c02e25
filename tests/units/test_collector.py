"""The collector drains ceil(rows * columns * 16 / port) cycles a tile, after its pipeline latency."""

from __future__ import annotations

import pytest

from sim.engine.activity import State
from sim.engine.channel import Channel, Credits
from sim.units.collector import Collector, OutputBlock
from sim.units.mxu import FinishedTile
from tests.units.rig import Rig, Sink, busy, stalls


class Collecting:
    """A collector between a pipeline and a sink, both played by the test."""

    def __init__(self, rig: Rig, *, port_bits: int = 1024, mxu_columns: int = 16, places: int = 100) -> None:
        self.rig = rig
        self.pipeline: Channel[FinishedTile] = Channel(rig.environment)
        self.registers = Credits(rig.environment, 100)
        self.registers.take(100)
        self.sink = Sink(rig, places)
        self.unit = Collector(
            rig.bench, self.pipeline, self.registers, self.sink, port_bits=port_bits, mxu_columns=mxu_columns
        )

    def tile(self, cycle: int, ready_at: int, rows: int = 16, *, opens: bool = True, columns: int = 16) -> None:
        """A tile that enters the pipeline at a cycle; `columns` > 0 where it ends a run."""
        self.rig.at(cycle, lambda: self.pipeline.put(FinishedTile(ready_at, rows, opens, columns)))


@pytest.mark.parametrize("rows", [1, 3, 16])
@pytest.mark.parametrize("mxu_columns", [2, 16])
@pytest.mark.parametrize("port_bits", [64, 192, 1024])
def test_a_tile_is_out_when_its_last_beat_has_left(rig: Rig, rows: int, mxu_columns: int, port_bits: int) -> None:
    collecting = Collecting(rig, port_bits=port_bits, mxu_columns=mxu_columns)
    collecting.tile(cycle=5, ready_at=5 + 9, rows=rows, columns=mxu_columns)
    rig.run(collecting.unit)
    beats = -(-rows * mxu_columns * 16 // port_bits)
    assert collecting.sink.arrived == [(5 + 9 + beats, OutputBlock(rows, mxu_columns))]
    assert busy(collecting.unit) == collecting.unit.beats == beats
    assert stalls(collecting.unit) == {State.DEPENDENCY: 9}
    assert collecting.registers.available == 1


def test_tiles_drain_one_after_the_other_and_the_latency_of_the_next_is_hidden(rig: Rig) -> None:
    collecting = Collecting(rig)
    drain = 16 * 16 * 16 // 1024
    for cycle in (0, 1, 2):
        collecting.tile(cycle, ready_at=cycle + 9)
    rig.run(collecting.unit)
    assert [cycle for cycle, _ in collecting.sink.arrived] == [9 + drain * (i + 1) for i in range(3)]
    assert stalls(collecting.unit) == {State.DEPENDENCY: 9}


def test_a_run_of_tiles_takes_one_place_and_leaves_as_one_block(rig: Rig) -> None:
    collecting = Collecting(rig, places=1)
    drain = 4
    for i in range(4):
        collecting.tile(0, ready_at=0, opens=i == 0, columns=64 if i == 3 else 0)
    rig.run(collecting.unit)
    assert collecting.sink.arrived == [(4 * drain, OutputBlock(16, 64))]
    assert collecting.sink.space.available == 0
    assert collecting.registers.available == 4


def test_a_run_waits_for_a_place_and_charges_it_to_output_space(rig: Rig) -> None:
    collecting = Collecting(rig, places=1)
    for cycle in (0, 1):
        collecting.tile(cycle, ready_at=cycle)
    rig.at(100, collecting.sink.space.give)
    rig.run(collecting.unit)
    drain = 4
    assert [cycle for cycle, _ in collecting.sink.arrived] == [drain, 100 + drain]
    assert stalls(collecting.unit) == {State.OUTPUT_SPACE: 100 - drain}


def test_a_register_set_is_free_once_drained_not_before(rig: Rig) -> None:
    collecting = Collecting(rig, port_bits=64)
    drain = 16 * 16 * 16 // 64
    collecting.tile(0, ready_at=7)
    found: dict[int, int] = {}
    for cycle in (7 + drain - 1, 7 + drain + 1):
        rig.at(cycle, lambda cycle=cycle: found.update({cycle: collecting.registers.available}))
    rig.run(collecting.unit)
    assert found == {7 + drain - 1: 0, 7 + drain + 1: 1}


def test_it_rests_while_no_tile_is_finished(rig: Rig) -> None:
    collecting = Collecting(rig)
    collecting.tile(50, ready_at=50)
    rig.run(collecting.unit)
    assert collecting.unit.activity.cycles[State.IDLE] == 50
    assert not stalls(collecting.unit)
