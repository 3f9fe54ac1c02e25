"""Runs a piece of work: the units it needs put together, run to the end, and held against the laws."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sim.arch.schema import Schedule
from sim.engine.activity import Recorder
from sim.formats.widths import FP16_BITS
from sim.laws.attention import AttentionExpectation
from sim.laws.expectation import Expectation, GemmExpectation, VectorExpectation, expect
from sim.machine.assembly import Assembly, Run, SimulationOptions
from sim.machine.attention_units import add_attention_units
from sim.mapping.nest import LoadCursor, TileCursor
from sim.mapping.piece import Piece
from sim.mapping.program import ProgramLoads, ProgramTiles
from sim.mapping.stream import Stream
from sim.mapping.vector_blocks import BlockCursor
from sim.units.activation_dispatcher import ActivationDispatcher
from sim.units.bpc import Bpc
from sim.units.buffer import Buffer
from sim.units.collector import Collector
from sim.units.dram import Port
from sim.units.loader import Loader
from sim.units.mxu import Mxu
from sim.units.quantiser import Quantiser
from sim.units.vector import Vector
from sim.units.weight_dispatcher import WeightDispatcher
from sim.workload.gemm import Quantisation


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
    assembly = Assembly(expected.hardware, options, recorder)
    if isinstance(expected, AttentionExpectation):
        add_attention_units(assembly, expected)
    elif isinstance(expected, GemmExpectation):
        plan, pace = expected.plan, expected.pace
        assembly.add_writer(expected.traffic.output_blocks)
        tiles = TileCursor(plan, Stream.of(plan, pace))
        loads = LoadCursor(plan, "weights"), LoadCursor(plan, "activations")
        encodes, reduces = pace.compressed_rows is not None, plan.split.k > 1
        add_gemm_units(assembly, tiles, loads, pace.word_bits, encodes=encodes, reduces=reduces)
    else:
        _add_vector_units(assembly, expected)
    return assembly


def add_gemm_units(
    assembly: Assembly,
    tiles: TileCursor | ProgramTiles,
    loads: tuple[LoadCursor | ProgramLoads, LoadCursor | ProgramLoads],
    word_bits: int,
    *,
    encodes: bool,
    reduces: bool,
    labels: Iterable[str] = (),
    dependent: bool = False,
) -> None:
    """The units that GeMMs need, walked through by these cursors.

    Parameters
    ----------
    loads
        Of weights and of activations.
    encodes
        Whether outputs of any of them leave encoded.
    reduces
        Whether MXUs split K in any of them.
    labels
        As of `Mxu`.
    dependent
        Whether activations are outputs of what ran before.
    """
    arch, bench, launched, dram = assembly.hardware, assembly.bench, assembly.controller.launched, assembly.dram
    weight_chunks, activation_chunks = loads
    scale_bits = FP16_BITS if arch.quantiser is not None else 0
    weight_buffer, activation_buffer = Buffer(bench, "weight_buffer", arch.buffers.weight), assembly.activation_buffer
    activations = ActivationDispatcher(bench, arch.activation_dispatcher, word_bits, scale_bits)
    weights = WeightDispatcher(
        bench,
        tiles,
        weight_buffer,
        port_bits=arch.weight_dispatcher.port_bits,
        mxu_columns=arch.mxu.columns,
        mxu_group_cycles=lambda op: mxu.group_cycles(op),
        fills_planes=arch.weight_dispatcher.fills_planes,
    )
    mxu = Mxu(
        bench,
        weights,
        activations,
        activation_buffer,
        output_registers=arch.mxu.output_registers,
        pipeline_cycles=arch.mxu.pipeline_cycles,
        channel_busy=dram.busy_cycles_so_far,
        labels=labels,
    )
    bpc = None
    if encodes and arch.bpc is not None:
        lanes = arch.bpc.lanes * arch.mxu.count
        bpc = Bpc(bench, assembly.writer, lanes=lanes, own_lanes=arch.bpc.lanes, group_size=arch.bpc.group_size)
        assembly.units.append(bpc)
    port_bits, columns = arch.collector.port_bits, arch.mxu.columns
    producer = assembly.writer if dependent else None
    assembly.units += [
        Loader(bench, "weight_loader", weight_chunks, launched, Port.WEIGHTS, dram, weight_buffer),
        Loader(
            bench,
            "activation_loader",
            activation_chunks,
            launched,
            Port.ACTIVATIONS,
            dram,
            activation_buffer,
            producer,
        ),
        weight_buffer,
        weights,
        activations,
        mxu,
        Collector(
            bench,
            mxu.pipeline,
            mxu.registers,
            assembly.writer,
            bpc,
            port_bits=port_bits,
            mxu_columns=columns,
            reduces=reduces,
        ),
    ]
    assembly.watch(weights, (weight_chunks, activation_chunks))


def _add_vector_units(assembly: Assembly, expected: VectorExpectation) -> None:
    blocks, bench, launched = expected.blocks, assembly.bench, assembly.controller.launched
    buffer, dram = assembly.activation_buffer, assembly.dram
    writer = assembly.add_writer(sum(count for block, count in blocks.kinds if block.write_bytes))
    cursor, busy = BlockCursor(blocks), dram.busy_cycles_so_far
    if isinstance(expected.work, Quantisation):
        quantiser = assembly.hardware.quantiser
        assert quantiser is not None
        vector: Vector = Quantiser(
            bench, launched, cursor, buffer, writer, work=expected.work, lanes=quantiser.lanes, channel_busy=busy
        )
    else:
        vector = Vector(bench, launched, cursor, buffer, writer, fpus=expected.a_cycle, channel_busy=busy)
    assembly.units.append(vector)
    loads = [BlockCursor(blocks)] if blocks.reads else []
    for cursor in loads:
        assembly.units.append(Loader(bench, "activation_loader", cursor, launched, Port.ACTIVATIONS, dram, buffer))
    assembly.watch(vector, loads)
