"""A loader asks for one chunk a cycle at most, and waits for a place for the block, for bytes and for its share."""

from __future__ import annotations

import pytest
from simpy.events import Event

from sim.arch.schema import BufferConfig
from sim.engine.activity import State
from sim.mapping.nest import Chunk
from sim.units.buffer import Buffer
from sim.units.dram import Port
from sim.units.loader import Loader
from tests.units.rig import LoadScript, Memory, Rig, busy, stalls

LAUNCH = 10
CHUNK = Chunk(100, 7)


class Loading:
    """A loader between a memory and a buffer whose contents the test frees."""

    def __init__(
        self, rig: Rig, opens: list[bool], memory: Memory, *, buffer_bytes: int = 10**6, double_buffered: bool = True
    ) -> None:
        config = BufferConfig(bytes=buffer_bytes, fill_port_bits=8, double_buffered=double_buffered)
        self.rig, self.memory = rig, memory
        self.buffer = Buffer(rig.bench, "weight_buffer", config)
        self.arrived = rig.taken(self.buffer.arrivals)
        launched = Event(rig.environment)
        rig.at(LAUNCH, launched.succeed)
        cursor = LoadScript([(CHUNK, opens_block) for opens_block in opens])
        self.loader = Loader(
            rig.bench,
            "weight_loader",
            cursor,
            launched,
            Port.WEIGHTS,
            memory,
            self.buffer,  # type: ignore[arg-type]
        )

    @property
    def asked_at(self) -> list[int]:
        return [cycle for cycle, _ in self.memory.asked]


def test_one_request_a_cycle_from_the_cycle_after_the_launch(rig: Rig) -> None:
    loading = Loading(rig, [True, False, False, False], Memory(rig, answer_cycles=50))
    rig.run(loading.loader)
    assert loading.asked_at == [LAUNCH + 1 + i for i in range(4)]
    assert loading.arrived == [(cycle + 50, CHUNK) for cycle in loading.asked_at]
    assert busy(loading.loader) == loading.loader.requests == 4
    assert not stalls(loading.loader)


def test_a_request_is_for_the_data_and_what_lies_beside_it_in_whole_bursts(rig: Rig) -> None:
    loading = Loading(rig, [True, False], Memory(rig, answer_cycles=1, burst_bytes=64))
    rig.run(loading.loader)
    assert [size for _, size in loading.memory.asked] == [100 + 7] * 2
    assert loading.loader.requested_bytes == 2 * 2 * 64  # 107 bytes are 2 bursts of 64


@pytest.mark.parametrize("outstanding", [1, 2, 5])
@pytest.mark.parametrize("answer_cycles", [1, 2, 3, 40])
def test_no_more_loads_are_outstanding_than_allowed(rig: Rig, outstanding: int, answer_cycles: int) -> None:
    requests = 12
    memory = Memory(rig, answer_cycles, outstanding_loads=outstanding)
    loading = Loading(rig, [True] + [False] * (requests - 1), memory)
    rig.run(loading.loader)
    # The share is taken in the cycle before the request: by the answer to the request `outstanding` before it.
    asked: list[int] = []
    for i in range(requests):
        free = asked[i - outstanding] + answer_cycles if i >= outstanding else 0
        asked.append(max(free, asked[-1] if asked else LAUNCH) + 1)
    assert loading.asked_at == asked
    assert stalls(loading.loader).get(State.DRAM, 0) == asked[-1] - LAUNCH - requests


def test_a_chunk_is_not_asked_for_before_the_buffer_has_its_bytes_free(rig: Rig) -> None:
    # Room for two chunks and not quite for a third; exponents need none of it.
    loading = Loading(rig, [True, False, False, False], Memory(rig, answer_cycles=1), buffer_bytes=299)
    for cycle, freed in ((60, 1), (80, 99), (90, 1)):
        rig.at(cycle, lambda freed=freed: loading.buffer.space.give(freed))
    rig.run(loading.loader)
    # 99 bytes are free after two chunks, and 100 at 60; then none, 99 at 80 and 100 at 90.
    assert loading.asked_at == [LAUNCH + 1, LAUNCH + 2, 60 + 1, 90 + 1]
    assert stalls(loading.loader) == {State.BUFFER_SPACE: (60 - LAUNCH - 2) + (90 - 61)}


@pytest.mark.parametrize(("double_buffered", "ahead"), [(True, 1), (False, 0)])
def test_a_block_waits_until_the_block_before_or_the_one_before_that_is_used_up(
    rig: Rig, double_buffered: bool, ahead: int
) -> None:
    # Four blocks of two chunks; block i is used up at 100 (i + 1).
    loading = Loading(rig, [True, False] * 4, Memory(rig, answer_cycles=1), double_buffered=double_buffered)
    for block in range(3):
        rig.at(100 * (block + 1), loading.buffer.blocks.give)
    rig.run(loading.loader)
    expected = []
    for block in range(4):
        used_up = block - 1 - ahead
        start = 100 * (used_up + 1) if used_up >= 0 else LAUNCH + 2 * block
        expected += [start + 1, start + 2]
    assert loading.asked_at == expected
    assert stalls(loading.loader) == {State.BUFFER_SPACE: expected[-1] - LAUNCH - 8}


def test_a_loader_does_nothing_before_the_launch_and_rests_after_its_last_request(rig: Rig) -> None:
    loading = Loading(rig, [True], Memory(rig, answer_cycles=30))
    rig.at(200, lambda: None)
    rig.run(loading.loader)
    assert loading.loader.activity.cycles[State.IDLE] == 200 - 1
