"""The fill port of a buffer: ceil(8 b / fill_port_bits) cycles a chunk, one chunk after the other."""

from __future__ import annotations

import pytest

from sim.arch.schema import BufferConfig
from sim.engine.activity import State
from sim.mapping.nest import Chunk
from sim.units.buffer import Buffer
from tests.units.rig import Rig, busy, stalls


def make(rig: Rig, port_bits: int = 512, **keys: object) -> Buffer:
    return Buffer(rig.bench, "weight_buffer", BufferConfig(bytes=4096, fill_port_bits=port_bits, **keys))


@pytest.mark.parametrize("port_bits", [8, 64, 512, 8192])
@pytest.mark.parametrize("size", [1, 63, 64, 65, 1000])
def test_a_chunk_is_ready_when_its_last_beat_is_in(rig: Rig, port_bits: int, size: int) -> None:
    buffer = make(rig, port_bits)
    ready = rig.taken(buffer.ready)
    rig.at(10, lambda: buffer.arrivals.put(Chunk(size, 0)))
    rig.run(buffer)
    # b bytes, port_bits / 8 bytes a beat, one beat a cycle; a beat begun is a whole beat
    beats = -(-size // (port_bits // 8))
    assert ready == [(10 + beats, Chunk(size, 0))]
    assert busy(buffer) == buffer.fill_beats == beats


def test_chunks_that_arrive_together_enter_one_after_the_other(rig: Rig) -> None:
    buffer = make(rig)
    ready = rig.taken(buffer.ready)
    sizes = [64, 200, 1, 128]
    for size in sizes:
        rig.at(5, lambda size=size: buffer.arrivals.put(Chunk(size, 0)))
    rig.run(buffer)
    # 64 bytes a beat: 1, 4, 1 and 2 beats
    beats = [-(-size // 64) for size in sizes]
    assert [cycle for cycle, _ in ready] == [5 + sum(beats[: i + 1]) for i in range(len(beats))]
    assert buffer.filled_bytes == sum(sizes)


def test_exponents_enter_their_own_memory_and_cost_the_fill_port_nothing(rig: Rig) -> None:
    buffer = make(rig)
    ready = rig.taken(buffer.ready)
    rig.at(0, lambda: buffer.arrivals.put(Chunk(64, 4000)))
    rig.run(buffer)
    assert ready == [(1, Chunk(64, 4000))]
    assert (buffer.filled_bytes, buffer.filled_side_bytes) == (64, 4000)


def test_a_buffer_is_idle_between_chunks_and_never_stalls(rig: Rig) -> None:
    buffer = make(rig)
    rig.at(7, lambda: buffer.arrivals.put(Chunk(128, 0)))
    rig.at(30, lambda: None)
    rig.run(buffer)
    assert busy(buffer) == 2
    assert buffer.activity.cycles[State.IDLE] == 30 - 2
    assert not stalls(buffer)


@pytest.mark.parametrize(("double_buffered", "blocks"), [(True, 2), (False, 1)])
def test_a_double_buffer_has_room_for_the_block_in_use_and_the_next(
    rig: Rig, double_buffered: bool, blocks: int
) -> None:
    buffer = make(rig, double_buffered=double_buffered)
    assert buffer.blocks.available == blocks
    assert buffer.space.available == 4096
