"""Words of r rows through a port: e = ceil(r * word / port), the first of a group not before its exponents."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from sim.arch.schema import ActivationDispatcherConfig as Config
from sim.engine.activity import State
from sim.mapping.nest import TileOp
from sim.mapping.stream import Stream
from sim.units.activation_dispatcher import ActivationDispatcher, Word
from tests.units.rig import Rig, busy


def stream(rig: Rig, dispatcher: ActivationDispatcher, rows: int, words: int, groups: int) -> int:
    """Ask for `groups` groups as the MXU does at this grain; returns the cycles they take."""
    if rig.grain == "tile":
        dispatcher.book(operation(rows, groups, Stream(words)), dispatcher.group_cycles(rows, words), waiting_cycles=0)
        rig.at(groups * dispatcher.group_cycles(rows, words), lambda: None)
    else:
        rig.process(_word_by_word(dispatcher, rows, words, groups))
    rig.run(dispatcher)
    return rig.now


def operation(rows: int, groups: int, stream: Stream, idle: int = 0) -> TileOp:
    """Of one column."""
    return TileOp(
        rows=rows,
        columns=1,
        groups=groups,
        values=64,
        opens_tile=False,
        closes_tile=False,
        takes_weights=False,
        takes_activations=False,
        frees_weights=0,
        frees_activations=0,
        closes_weights=False,
        closes_activations=False,
        run_opens=False,
        run_columns=0,
        stream=stream,
        idle=idle,
    )


def _word_by_word(dispatcher: ActivationDispatcher, rows: int, words: int, groups: int) -> Generator[Any, Any, None]:
    for _ in range(groups):
        for word in range(words):
            dispatcher.requests.put(Word(rows, rows, opens_group=word == 0))
            while not dispatcher.done.items:
                yield dispatcher.done.filled()
            dispatcher.done.pop()


@pytest.mark.parametrize("rows", [1, 5, 16])
@pytest.mark.parametrize("port_bits", [64, 128, 192, 512, 1024, 4096])
@pytest.mark.parametrize("words", [1, 2, 7])
def test_a_plane_takes_the_beats_its_rows_need(rig: Rig, rows: int, port_bits: int, words: int) -> None:
    dispatcher = ActivationDispatcher(rig.bench, Config(port_bits=port_bits, exponent_port_bits=4096), word_bits=64)
    groups = 3
    # port_bits / 64 rows a beat, a beat a cycle
    plane = -(-rows // (port_bits // 64))
    assert stream(rig, dispatcher, rows, words, groups) == groups * words * plane
    assert busy(dispatcher) == dispatcher.beats == groups * words * plane
    assert dispatcher.read_bits == groups * words * rows * 64


@pytest.mark.parametrize("exponent_port_bits", [5, 7, 10, 40, 80, 1024])
@pytest.mark.parametrize("rows", [1, 7, 16])
def test_the_sign_row_waits_for_the_exponents_and_the_planes_do_not(
    rig: Rig, exponent_port_bits: int, rows: int
) -> None:
    config = Config(port_bits=1024, exponent_port_bits=exponent_port_bits)
    dispatcher = ActivationDispatcher(rig.bench, config, word_bits=64)
    words, groups = 6, 2
    # 16 rows x 64 b fit the port: a cycle a word; 5 bits of exponent a row go with the first
    first = max(1, -(-rows * 5 // exponent_port_bits))
    assert stream(rig, dispatcher, rows, words, groups) == groups * (first + words - 1)
    assert dispatcher.exponent_read_bits == groups * rows * 5
    assert dispatcher.read_bits == groups * words * rows * 64


@pytest.mark.parametrize(("lanes", "port_bits"), [(4, 1024), (6, 1536), (8, 2048), (4, 256), (6, 192)])
def test_fp16_words_of_several_lanes_have_no_exponents(rig: Rig, lanes: int, port_bits: int) -> None:
    dispatcher = ActivationDispatcher(rig.bench, Config(port_bits=port_bits), word_bits=16 * lanes)
    rows, words = 16, -(-64 // lanes)
    beats = words * -(-rows * lanes * 16 // port_bits)
    assert stream(rig, dispatcher, rows, words, groups=1) == beats
    assert dispatcher.exponent_read_bits == 0


def test_it_rests_while_nothing_is_asked_of_it(rig: Rig) -> None:
    dispatcher = ActivationDispatcher(rig.bench, Config(port_bits=64), word_bits=64)
    rig.at(100, lambda: None)
    stream(rig, dispatcher, rows=2, words=3, groups=1)
    assert rig.now == 100
    assert busy(dispatcher) == 2 * 3
    assert dispatcher.activity.cycles[State.IDLE] == 100 - 2 * 3
