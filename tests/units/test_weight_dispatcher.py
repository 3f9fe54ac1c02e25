"""A weight block of c columns takes ceil(c * dot_length * bits / port) cycles, one ahead of the MXU."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from sim.arch.schema import BufferConfig
from sim.engine.activity import State
from sim.mapping.nest import Chunk, TileOp
from sim.mapping.stream import Stream
from sim.units.buffer import Buffer
from sim.units.weight_dispatcher import WeightDispatcher
from tests.units.rig import Rig, Script, busy, stalls, tile_op

GROUP_BITS = 64 * 4  # 64 INT4 weights a column
SCALE_BITS = 16 + 4
PORT = 1024
BLOCK = 16 * GROUP_BITS // PORT  # cycles of a block of 16 columns


class Dispatching:
    """A dispatcher and an MXU played by the test that takes `group_cycles` for a group.

    As the two grains have it: at the beat grain the MXU takes every block, at the tile grain the first of an operation,
    and the operation's time follows from the slower of the two.
    """

    def __init__(
        self, rig: Rig, ops: list[TileOp], group_cycles: int, *, mxu_columns: int = 16, port_bits: int = PORT
    ) -> None:
        self.rig, self.group_cycles = rig, group_cycles
        stream = Stream(step_bits=GROUP_BITS, side_bits=SCALE_BITS)
        self.buffer = Buffer(rig.bench, "weight_buffer", BufferConfig(bytes=10**6, fill_port_bits=8))
        self.dispatcher = WeightDispatcher(
            rig.bench,
            Script([op._replace(stream=stream) for op in ops]),  # type: ignore[arg-type]
            self.buffer,
            port_bits=port_bits,
            mxu_columns=mxu_columns,
            mxu_group_cycles=lambda op: group_cycles,
        )
        self.block = -(-min(ops[0].columns, mxu_columns) * GROUP_BITS // port_bits)
        self.taken_at: list[int] = []
        """Cycle in which the first block of each operation is taken."""
        rig.process(self._mxu())

    def _mxu(self) -> Generator[Any, Any, None]:
        shadow, timeout = self.dispatcher.shadow, self.rig.environment.timeout
        while True:
            while not shadow.items:
                yield shadow.filled()
            op = shadow.pop()
            if op is None:
                return
            self.taken_at.append(self.rig.now)
            if self.rig.grain == "tile":
                yield timeout((op.groups - 1) * max(self.group_cycles, self.block) + self.group_cycles)
                continue
            for _ in range(op.groups - 1):
                yield timeout(self.group_cycles)
                while not shadow.items:
                    yield shadow.filled()
                shadow.pop()
            yield timeout(self.group_cycles)


@pytest.mark.parametrize("group_cycles", [1, 3, 4, 5, 17])
@pytest.mark.parametrize("groups", [1, 2, 7])
def test_blocks_come_at_the_pace_of_the_slower_of_port_and_mxu(rig: Rig, group_cycles: int, groups: int) -> None:
    ops = 5
    dispatching = Dispatching(rig, [tile_op(groups=groups)] * ops, group_cycles)
    rig.run(dispatching.dispatcher)
    # The first block is there after BLOCK cycles; each is loaded while the one before is computed with.
    pace = max(group_cycles, BLOCK)
    assert dispatching.taken_at == [BLOCK + i * groups * pace for i in range(ops)]
    assert busy(dispatching.dispatcher) == dispatching.dispatcher.beats == ops * groups * BLOCK
    # It waits, with a block in the shadow and another not begun, for every block but the first and the last, and with
    # none to load for the last to be taken.
    waits = (ops * groups - 1) * max(0, group_cycles - BLOCK)
    assert stalls(dispatching.dispatcher) == ({State.OUTPUT_SPACE: waits} if waits else {})


@pytest.mark.parametrize("columns", [1, 3, 16])
@pytest.mark.parametrize("port_bits", [64, 192, 1024, 65536])
def test_a_block_takes_the_beats_of_its_columns(rig: Rig, columns: int, port_bits: int) -> None:
    dispatching = Dispatching(rig, [tile_op(columns=columns)], group_cycles=1, port_bits=port_bits)
    rig.run(dispatching.dispatcher)
    assert dispatching.taken_at == [-(-columns * 64 * 4 // port_bits)]
    # Scales and zero points come beside: they are read, and cost no beat.
    assert dispatching.dispatcher.read_bits == columns * (64 * 4 + 16 + 4)


@pytest.mark.parametrize(("columns", "widest"), [(48, 16), (33, 16), (17, 16), (16, 16), (9, 9)])
def test_mxus_that_split_the_outputs_load_side_by_side(rig: Rig, columns: int, widest: int) -> None:
    # 3 MXUs of 16 columns: the one with the most columns sets the time, all of them are read for.
    dispatching = Dispatching(rig, [tile_op(columns=columns)], group_cycles=1)
    rig.run(dispatching.dispatcher)
    assert dispatching.taken_at == [-(-widest * GROUP_BITS // PORT)]
    assert dispatching.dispatcher.read_bits == columns * (GROUP_BITS + SCALE_BITS)


def test_a_chunk_that_is_not_there_is_waited_for(rig: Rig) -> None:
    dispatching = Dispatching(rig, [tile_op(takes_weights=True), tile_op(takes_weights=True)], group_cycles=1)
    for cycle in (30, 33):
        rig.at(cycle, lambda: dispatching.buffer.ready.put(Chunk(100, 0)))
    rig.run(dispatching.dispatcher)
    # The second chunk is there before the first block's successor could be loaded.
    assert dispatching.taken_at == [30 + BLOCK, 30 + 2 * BLOCK]
    assert stalls(dispatching.dispatcher) == {State.WEIGHTS: 30}


def test_a_chunk_is_freed_when_its_last_block_is_in_the_pes(rig: Rig) -> None:
    ops = [tile_op(groups=3, frees_weights=500), tile_op(groups=1, frees_weights=200, closes_weights=True)]
    dispatching = Dispatching(rig, ops, group_cycles=10)
    buffer = dispatching.buffer
    buffer.space.take(700)
    buffer.blocks.take()
    found: dict[int, tuple[int, int]] = {}
    # Blocks are taken at BLOCK, + 10, + 20 (the last of the first operation), + 30 (the second operation's only one).
    last, only = BLOCK + 20, BLOCK + 30
    for cycle in (last - 1, last + 1, only - 1, only + 1):
        rig.at(cycle, lambda cycle=cycle: found.update({cycle: (buffer.space.available, buffer.blocks.available)}))
    rig.run(dispatching.dispatcher)
    assert found == {
        last - 1: (10**6 - 700, 1),
        last + 1: (10**6 - 200, 1),
        only - 1: (10**6 - 200, 1),
        only + 1: (10**6, 2),
    }


def test_the_mxu_is_told_when_there_are_no_more_blocks(rig: Rig) -> None:
    dispatching = Dispatching(rig, [tile_op()], group_cycles=10)
    rig.run(dispatching.dispatcher, until=BLOCK)
    # The only block is taken, and in its place stands the end.
    assert dispatching.taken_at == [BLOCK]
    assert list(dispatching.dispatcher.shadow.items) == [None]
