"""Runs a piece of work: the units it needs put together, run to the end, and held against the laws."""

from __future__ import annotations

from dataclasses import replace

from sim.arch.schema import Schedule
from sim.engine.activity import Recorder
from sim.laws.attention import AttentionExpectation
from sim.laws.expectation import Expectation, GemmExpectation, expect
from sim.machine.assembly import Assembly, Run, SimulationOptions
from sim.machine.units import Walk, add_units, add_vector_units
from sim.mapping.attention_nest import AttentionTileCursor, KeyValueCursor, QueryCursor, SoftmaxCursor
from sim.mapping.nest import LoadCursor, TileCursor
from sim.mapping.piece import Piece
from sim.mapping.stream import Stream


def run_piece(piece: Piece, options: SimulationOptions = SimulationOptions(), recorder: Recorder | None = None) -> Run:
    """Simulate a piece, from an empty pipeline to its last write.

    Raises
    ------
    InputError
        Where it does not fit the machine.
    BrokenLawError
        Where the simulation contradicts itself.
    """
    expected = expect(piece)
    run = assemble(piece, expected, options, recorder).run()
    expected.check(run)
    return replace(run, schedule=piece.schedule) if isinstance(piece.schedule, Schedule) else run


def assemble(
    piece: Piece, expected: Expectation, options: SimulationOptions, recorder: Recorder | None = None
) -> Assembly:
    """The units of a piece, put together and not yet started."""
    assembly = Assembly(piece.hardware, options, recorder)
    if isinstance(expected, AttentionExpectation):
        add_units(assembly, _attention(expected, whole=options.grain == "tile"))
    elif isinstance(expected, GemmExpectation):
        add_units(assembly, _gemm(expected))
    else:
        add_vector_units(assembly, expected)
    return assembly


def _gemm(expected: GemmExpectation) -> Walk:
    plan, pace = expected.plan, expected.pace
    return Walk(
        TileCursor(plan, Stream.of(plan, pace)),
        LoadCursor(plan, "weights"),
        LoadCursor(plan, "activations"),
        outputs=expected.traffic.output_blocks,
        word_bits=pace.word_bits,
        encodes=pace.compressed_rows is not None,
        reduces=plan.split.k > 1,
        token_scale_bits=pace.token_scale_bits,
    )


def _attention(expected: AttentionExpectation, *, whole: bool) -> Walk:
    plan = expected.plan
    return Walk(
        AttentionTileCursor(plan, whole=whole and plan.flows(expected.hardware)),
        KeyValueCursor(plan),
        QueryCursor(plan),
        outputs=expected.counters["writer.blocks"],
        word_bits=plan.pace.scores.word_bits,
        encodes=True,
        vector=SoftmaxCursor(plan),
    )
