"""The writer stores one block at a time; a block keeps its slot until its last burst has left."""

from __future__ import annotations

import pytest

from sim.engine.activity import State
from sim.mapping.operands import AndaActivations, Fp16Activations, Operand
from sim.mapping.stream import Stream
from sim.units.collector import OutputBlock
from sim.units.writer import Writer
from tests.units.rig import Memory, Rig, busy, stalls

ANSWER = 20
FP16 = Fp16Activations()


def make(rig: Rig, blocks: int, *, slots: int = 4) -> tuple[Writer, Memory]:
    memory = Memory(rig, ANSWER)
    return Writer(rig.bench, memory, slots=slots, blocks=blocks), memory  # type: ignore[arg-type]


def offer(writer: Writer, rows: int = 1, columns: int = 1, output: Operand = FP16) -> None:
    """A block as the unit before the writer hands it on: its slot taken first."""
    writer.space.take()
    writer.blocks.put(OutputBlock(rows, columns, Stream(output=output, output_group=64)))


def test_a_block_is_asked_to_be_written_in_the_cycle_it_comes(rig: Rig) -> None:
    writer, memory = make(rig, blocks=1)
    rig.at(5, lambda: offer(writer, 16, 64))
    rig.run(writer)
    assert memory.asked == [(5, 16 * 64 * 2)]  # FP16
    assert writer.finished.processed
    assert rig.now == 5 + ANSWER


def test_one_block_leaves_after_the_other(rig: Rig) -> None:
    writer, memory = make(rig, blocks=4)
    for cycle in (0, 3, 3, 100):
        rig.at(cycle, lambda: offer(writer, 1, 32))
    rig.run(writer)
    # Two wait behind the first; the last comes when the writer rests again.
    assert [cycle for cycle, _ in memory.asked] == [0, ANSWER, 2 * ANSWER, 100]
    assert stalls(writer) == {State.DRAM: 4 * ANSWER}
    assert writer.activity.cycles[State.IDLE] == 100 - 3 * ANSWER
    assert busy(writer) == 0
    assert writer.blocks_stored == 4
    assert writer.written_values == 4 * 32


def test_a_slot_is_free_again_when_the_last_burst_has_left(rig: Rig) -> None:
    writer, _ = make(rig, blocks=2, slots=1)
    rig.at(0, lambda: offer(writer))
    free: dict[int, int] = {}
    for cycle in (ANSWER - 1, ANSWER + 1):
        rig.at(cycle, lambda cycle=cycle: free.update({cycle: writer.space.available}))
    rig.run(writer)
    assert free == {ANSWER - 1: 0, ANSWER + 1: 1}


def test_the_run_ends_with_the_last_block_not_before(rig: Rig) -> None:
    writer, _ = make(rig, blocks=2)
    for cycle in (0, 50):
        rig.at(cycle, lambda: offer(writer))
    rig.run(writer, until=50 + ANSWER - 1)
    assert not writer.finished.triggered
    rig.environment.run()
    assert writer.finished.processed
    assert rig.now == 50 + ANSWER


@pytest.mark.parametrize("mantissa_bits", [1, 5, 16])
@pytest.mark.parametrize(("rows", "columns"), [(16, 64), (3, 64), (16, 40), (1, 129)])
def test_an_encoded_block_is_whole_groups_of_planes_and_their_exponents(
    rig: Rig, mantissa_bits: int, rows: int, columns: int
) -> None:
    writer, memory = make(rig, blocks=1)
    rig.at(0, lambda: offer(writer, rows, columns, AndaActivations(mantissa_bits, group_size=64)))
    rig.run(writer)
    # a group is a sign word and M words of 64 bits; its exponent has 5 bits, packed for the block
    groups = rows * -(-columns // 64)
    size = groups * (mantissa_bits + 1) * 64 // 8 + -(-groups * 5 // 8)
    assert memory.asked == [(0, size)]
    assert writer.written_bytes == -(-size // 64) * 64
