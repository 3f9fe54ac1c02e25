"""The matrix unit with its dispatchers: (G - 1) max(P, B) + P cycles an operation, no flush between tiles."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import ActivationBufferConfig, BufferConfig
from sim.arch.schema import ActivationDispatcherConfig as ActivationConfig
from sim.engine.activity import State
from sim.mapping.nest import Chunk, TileOp
from sim.mapping.stream import Stream
from sim.units import processing_element
from sim.units.activation_dispatcher import ActivationDispatcher
from sim.units.buffer import Buffer
from sim.units.mxu import FinishedTile, Mxu
from sim.units.weight_dispatcher import WeightDispatcher
from tests.units.rig import Rig, Script, busy, stalls, tile_op

PLENTY = 10**6
BLOCK = 16 * 64 * 4 // 1024  # cycles of 16 columns x 64 INT4 through 1,024 bits


class Array:
    """The MXU between both dispatchers; the test plays the buffers' fill sides and the collector."""

    def __init__(
        self,
        rig: Rig,
        ops: list[TileOp],
        words: int,
        *,
        word_bits: int = 64,
        port_bits: int = 1024,
        exponent_port_bits: int | None = 80,
        weight_port_bits: int = 1024,
        output_registers: int = PLENTY,
        pipeline_cycles: int = 9,
    ) -> None:
        bench, stream = rig.bench, Stream(words, step_bits=64 * 4, side_bits=20)
        self.rig, self.stream = rig, stream
        self.weight_buffer = Buffer(bench, "weight_buffer", BufferConfig(bytes=PLENTY, fill_port_bits=8))
        self.buffer = Buffer(bench, "activation_buffer", ActivationBufferConfig(bytes=PLENTY, fill_port_bits=8))
        config = ActivationConfig(port_bits=port_bits, exponent_port_bits=exponent_port_bits)
        self.activations = ActivationDispatcher(bench, config, word_bits)
        self.weights = WeightDispatcher(
            bench,
            Script([op._replace(stream=stream) for op in ops]),  # type: ignore[arg-type]
            self.weight_buffer,
            port_bits=weight_port_bits,
            mxu_columns=16,
            mxu_group_cycles=lambda op: self.mxu.group_cycles(op),
        )
        self.mxu = Mxu(
            bench,
            self.weights,
            self.activations,
            self.buffer,
            output_registers=output_registers,
            pipeline_cycles=pipeline_cycles,
            channel_busy=lambda: 0,
        )
        self.finished: list[int] = []
        self.tiles: list[FinishedTile] = []

    def run(self, drain_cycles: int | None = None) -> Array:
        """Run to the end; tiles are taken at once, or drained one after the other in `drain_cycles`."""
        self.rig.process(self._collect(drain_cycles))
        self.rig.run(self.weights, self.activations, self.mxu)
        return self

    def _collect(self, drain_cycles: int | None) -> Generator[Any, Any, None]:
        pipeline, drained = self.mxu.pipeline, 0
        while True:
            while not pipeline.items:
                yield pipeline.filled()
            tile = pipeline.pop()
            self.finished.append(tile.ready_at - self.mxu.pipeline_cycles)
            self.tiles.append(tile)
            if drain_cycles is None:
                self.mxu.registers.give()
                continue
            drained = max(drained, tile.ready_at) + drain_cycles
            self.rig.at(drained, self.mxu.registers.give)


def anda_words(mantissa_bits: int) -> int:
    return processing_element.make(load_arch("anda-hpca25")).cycles(mantissa_bits)


@pytest.mark.parametrize("mantissa_bits", range(1, 17))
def test_an_anda_group_costs_its_planes_and_not_less_than_its_weights(rig: Rig, mantissa_bits: int) -> None:
    # a cycle for sign and exponent and one a plane: M + 1; a block of 16 x 64 weights comes in 4
    groups, tiles = 7, 3
    pace = max(mantissa_bits + 1, 4)
    array = Array(rig, [tile_op(groups=groups)] * tiles, anda_words(mantissa_bits)).run()
    # The first block takes 4 cycles to come; the last group of all waits for no successor.
    whole = [4 + (groups * (i + 1) - 1) * pace + mantissa_bits + 1 for i in range(tiles)]
    assert array.finished == whole


@pytest.mark.parametrize(("arch", "cycles"), [("fp-fp", 64 // 4), ("figna-m11", 11), ("figna-m8", 64 // 8)])
def test_a_bit_parallel_group_of_64_takes_as_many_cycles_as_lanes_need(rig: Rig, arch: str, cycles: int) -> None:
    machine = load_arch(arch)
    pe = processing_element.make(machine)
    assert pe.cycles(None) == cycles
    ops = [tile_op(groups=5)] * 2
    array = Array(
        rig, ops, pe.cycles(None), word_bits=pe.word_bits, port_bits=16 * pe.word_bits, exponent_port_bits=None
    ).run()
    assert array.finished == [BLOCK + 5 * cycles, BLOCK + 10 * cycles]


@pytest.mark.parametrize("lanes", [1, 3, 4, 6, 8, 63, 64, 65])
def test_lanes_that_do_not_divide_a_group_waste_their_rest(lanes: int) -> None:
    pe = processing_element.make(load_arch("figna", [f"mxu.lanes={lanes}"]))
    # the least number of cycles in which `lanes` values a cycle make 64
    assert pe.cycles(None) * lanes >= 64 > (pe.cycles(None) - 1) * lanes
    assert pe.word_bits == 16 * lanes


@pytest.mark.parametrize("words", [1, 3, 4, 5, 17])
@pytest.mark.parametrize("groups", [1, 2, 9])
@pytest.mark.parametrize("weight_port_bits", [512, 1024, 8192])
@pytest.mark.parametrize("port_bits", [256, 1024])
def test_an_operation_takes_the_equation_and_charges_its_waits(
    rig: Rig, words: int, groups: int, weight_port_bits: int, port_bits: int
) -> None:
    tiles = 4
    block = -(-16 * 64 * 4 // weight_port_bits)
    plane = 16 * 64 // port_bits
    group = words * plane  # P
    ops = [tile_op(groups=groups)] * tiles
    array = Array(rig, ops, words, port_bits=port_bits, weight_port_bits=weight_port_bits).run()
    count = tiles * groups
    assert array.finished[-1] == block + (count - 1) * max(group, block) + group
    assert busy(array.mxu) == count * words
    expected = {
        State.WEIGHTS: block + (count - 1) * max(0, block - group),
        State.ACTIVATIONS: count * (group - words),
    }
    assert stalls(array.mxu) == {cause: n for cause, n in expected.items() if n}
    assert (array.mxu.groups, array.mxu.tiles) == (count, tiles)
    assert array.mxu.macs == tiles * 16 * 16 * 64 * groups
    assert array.mxu.pe_cycles == 16 * 16 * count * words


def test_rows_and_columns_without_work_are_neither_counted_nor_waited_for(rig: Rig) -> None:
    op = tile_op(groups=3, rows=2, columns=4, values=3 * 64 - 10)
    array = Array(rig, [op], words=2).run()
    block = 4 * 64 * 4 // 1024
    assert array.finished == [block + 3 * 2]
    assert array.mxu.macs == 2 * 4 * (3 * 64 - 10)
    assert array.mxu.pe_cycles == 2 * 4 * 3 * 2


@pytest.mark.parametrize("output_registers", [1, 2, 3])
@pytest.mark.parametrize("drain", [1, 4, 30])
@pytest.mark.parametrize("pipeline_cycles", [0, 9, 50])
def test_a_tile_needs_a_register_set_that_is_drained(
    rig: Rig, output_registers: int, drain: int, pipeline_cycles: int
) -> None:
    tiles, groups, words = 8, 3, 5
    tile = groups * words
    array = Array(
        rig,
        [tile_op(groups=groups)] * tiles,
        words,
        output_registers=output_registers,
        pipeline_cycles=pipeline_cycles,
    ).run(drain)
    started: list[int] = []
    finished: list[int] = []
    drained: list[int] = []
    for i in range(tiles):
        freed = drained[i - output_registers] if i >= output_registers else 0
        started.append(max(finished[-1] if finished else BLOCK, freed))
        finished.append(started[-1] + tile)
        drained.append(max(finished[-1] + pipeline_cycles, drained[-1] if drained else 0) + drain)
    assert array.finished == finished
    waited = sum(start - finish for start, finish in zip(started[1:], finished, strict=False))
    assert stalls(array.mxu).get(State.OUTPUT_SPACE, 0) == waited


def test_two_register_sets_hide_the_drain_and_one_does_not(rig: Rig) -> None:
    groups, words, drain, pipeline_cycles, tiles = 3, 5, 4, 9, 6
    tile = groups * words

    def last(output_registers: int) -> int:
        ops = [tile_op(groups=groups)] * tiles
        fresh = Array(Rig(rig.grain), ops, words, output_registers=output_registers, pipeline_cycles=pipeline_cycles)
        return fresh.run(drain).finished[-1]

    assert last(2) == BLOCK + tiles * tile  # 9 + 4 cycles pass under the next tile's 15
    assert last(1) == BLOCK + tiles * tile + (tiles - 1) * (pipeline_cycles + drain)


def test_activations_that_are_not_there_are_waited_for(rig: Rig) -> None:
    array = Array(rig, [tile_op(takes_activations=True)] * 2, words=5)
    for cycle in (40, 100):
        rig.at(cycle, lambda: array.buffer.ready.put(Chunk(100, 5)))
    array.run()
    assert array.finished == [40 + 5, 100 + 5]
    assert stalls(array.mxu) == {State.WEIGHTS: BLOCK, State.ACTIVATIONS: (40 - BLOCK) + (100 - 45)}


def test_weights_that_are_not_there_are_waited_for(rig: Rig) -> None:
    array = Array(rig, [tile_op(groups=2, takes_weights=True)] * 2, words=5)
    for cycle in (40, 100):
        rig.at(cycle, lambda: array.weight_buffer.ready.put(Chunk(100, 0)))
    array.run()
    assert array.finished == [40 + BLOCK + 2 * 5, 100 + BLOCK + 2 * 5]
    assert stalls(array.mxu) == {State.WEIGHTS: (40 + BLOCK) + (100 + BLOCK - array.finished[0])}


def test_activations_are_freed_when_the_operation_is_done(rig: Rig) -> None:
    ops = [tile_op(frees_activations=300), tile_op(frees_activations=200, closes_activations=True)]
    array = Array(rig, ops, words=5)
    array.buffer.space.take(500)
    array.buffer.blocks.take()
    found: dict[int, tuple[int, int]] = {}
    first, second = BLOCK + 5, BLOCK + 10
    for cycle in (first - 1, first + 1, second - 1, second + 1):
        rig.at(
            cycle,
            lambda cycle=cycle: found.update({cycle: (array.buffer.space.available, array.buffer.blocks.available)}),
        )
    array.run()
    assert found == {
        first - 1: (PLENTY - 500, 1),
        first + 1: (PLENTY - 200, 1),
        second - 1: (PLENTY - 200, 1),
        second + 1: (PLENTY, 2),
    }


def test_only_the_operation_that_closes_a_tile_hands_it_on(rig: Rig) -> None:
    ops = [
        tile_op(closes_tile=False, run_columns=0),
        tile_op(opens_tile=False, closes_tile=True, run_opens=True, run_columns=0),
        tile_op(run_opens=False, run_columns=32),
    ]
    array = Array(rig, ops, words=5, output_registers=2).run()
    assert array.tiles == [
        FinishedTile(BLOCK + 10 + 9, 16, True, 0, array.stream),
        FinishedTile(BLOCK + 15 + 9, 16, False, 32, array.stream),
    ]
    # Both tiles took one set each, though the first has two operations.
    assert array.mxu.registers.available == 2
    assert array.mxu.tiles == 2


@pytest.mark.parametrize("exponent_port_bits", [5, 40, 80])
def test_slow_exponents_are_charged_to_activations(rig: Rig, exponent_port_bits: int) -> None:
    groups, words = 4, 6
    array = Array(rig, [tile_op(groups=groups)], words, exponent_port_bits=exponent_port_bits).run()
    first = -(-16 * 5 // exponent_port_bits)
    group = first + words - 1
    assert array.finished == [BLOCK + (groups - 1) * max(group, BLOCK) + group]
    assert stalls(array.mxu).get(State.ACTIVATIONS, 0) == groups * (first - 1)


def test_both_dispatchers_read_what_the_groups_need(rig: Rig) -> None:
    groups, words, rows, columns = 4, 6, 5, 7
    array = Array(rig, [tile_op(groups=groups, rows=rows, columns=columns)], words).run()
    assert array.activations.read_bits == groups * words * rows * 64
    assert array.activations.exponent_read_bits == groups * rows * 5
    assert array.weights.read_bits == groups * columns * (64 * 4 + 20)
