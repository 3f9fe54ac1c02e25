"""The compressor: gather a run under the emission of the one before, hand over in a cycle, M + 1 rows a pass."""

from __future__ import annotations

import pytest

from sim.engine.activity import State
from sim.engine.channel import Channel, Credits
from sim.mapping.stream import Stream
from sim.units.bpc import Bpc
from sim.units.collector import Collector, OutputBlock
from sim.units.mxu import FinishedTile
from tests.units.rig import Rig, Sink, busy, stalls

HAND_OVER = 1


def make(rig: Rig, *, lanes: int, slots: int = 100) -> tuple[Bpc, Sink]:
    sink = Sink(rig, slots)
    return Bpc(rig.bench, sink, lanes=lanes, group_size=64), sink  # type: ignore[arg-type]


def block_of(rows: int, columns: int, mantissa_bits: int) -> OutputBlock:
    return OutputBlock(rows, columns, Stream(compressed_rows=mantissa_bits + 1))


def offer(bpc: Bpc, block: OutputBlock) -> None:
    """A gathered block as the collector hands it on."""
    bpc.space.take()
    bpc.blocks.put(block)


@pytest.mark.parametrize("mantissa_bits", range(1, 17))
def test_a_group_leaves_as_a_sign_row_and_m_planes(rig: Rig, mantissa_bits: int) -> None:
    bpc, sink = make(rig, lanes=16)
    block = block_of(16, 64, mantissa_bits)  # 16 groups, one a lane
    rig.at(3, lambda: offer(bpc, block))
    rig.run(bpc)
    assert sink.arrived == [(3 + HAND_OVER + mantissa_bits + 1, block)]
    assert (bpc.groups, bpc.rows) == (16, mantissa_bits + 1)
    assert busy(bpc) == HAND_OVER + mantissa_bits + 1


@pytest.mark.parametrize("lanes", [1, 4, 16, 32])
@pytest.mark.parametrize(("rows", "columns"), [(16, 64), (16, 65), (5, 64), (1, 10), (7, 192)])
def test_more_groups_than_lanes_take_several_passes(rig: Rig, lanes: int, rows: int, columns: int) -> None:
    mantissa_bits = 5
    bpc, sink = make(rig, lanes=lanes)
    rig.at(0, lambda: offer(bpc, block_of(rows, columns, mantissa_bits)))
    rig.run(bpc)
    groups = rows * -(-columns // 64)
    passes = -(-groups // lanes)
    assert [cycle for cycle, _ in sink.arrived] == [HAND_OVER + passes * (mantissa_bits + 1)]
    assert bpc.groups == groups


@pytest.mark.parametrize("mantissa_bits", range(1, 17))
@pytest.mark.parametrize("port_bits", [256, 1024, 4096])
def test_blocks_leave_at_the_pace_of_the_slower_stage(rig: Rig, mantissa_bits: int, port_bits: int) -> None:
    # 4 tiles of 16 x 16 FP16 through the port     -> gather = 4 * 4096 / port
    # sign row + M planes on 16 lanes, one a cycle -> emit   = M + 1
    # the gather registers are empty again after the hand-over, and fill while the lanes emit
    blocks, tiles = 5, 4
    gather, emit = tiles * 16 * 16 * 16 // port_bits, mantissa_bits + 1
    bpc, sink = make(rig, lanes=16)
    stream = Stream(compressed_rows=mantissa_bits + 1)
    pipeline: Channel[FinishedTile] = Channel(rig.environment)
    registers = Credits(rig.environment, blocks * tiles)
    registers.take(blocks * tiles)
    collector = Collector(rig.bench, pipeline, registers, bpc, port_bits=port_bits, mxu_columns=16)
    for _ in range(blocks):
        for i in range(tiles):
            pipeline.put(FinishedTile(0, 16, run_opens=i == 0, run_columns=64 if i == tiles - 1 else 0, stream=stream))
    rig.run(collector, bpc)
    period = HAND_OVER + max(gather, emit)
    assert [cycle for cycle, _ in sink.arrived] == [gather + HAND_OVER + emit + i * period for i in range(blocks)]
    # The collector waits for the first hand-over, then each period for what the lanes take longer than the gathering.
    assert stalls(collector) == {State.OUTPUT_SPACE: HAND_OVER + (blocks - 2) * (period - gather)}


def test_a_full_writer_is_charged_to_output_space(rig: Rig) -> None:
    mantissa_bits = 5
    bpc, sink = make(rig, lanes=16, slots=1)
    for cycle in (0, 2):
        rig.at(cycle, lambda: offer(bpc, block_of(16, 64, mantissa_bits)))
    rig.at(100, sink.space.give)
    rig.run(bpc)
    first = HAND_OVER + mantissa_bits + 1
    assert [cycle for cycle, _ in sink.arrived] == [first, 100 + first]
    assert stalls(bpc) == {State.OUTPUT_SPACE: 100 - first}


def test_the_gather_registers_are_free_after_the_hand_over(rig: Rig) -> None:
    bpc, _ = make(rig, lanes=16)
    rig.at(0, lambda: offer(bpc, block_of(16, 64, 8)))
    rig.run(bpc, until=HAND_OVER - 1)
    assert bpc.space.available == 0
    rig.environment.run(until=HAND_OVER + 1)
    assert bpc.space.available == 1
