"""The SystemVerilog of the matrix unit with dispatchers, collector and compressor, served as in a complete run.

Where outputs leave as FP16 the compressor is left out, as the machine passes it by.

The machine's own run of the part, DRAM and all, says when each chunk of operands is there and when the writer has room.
With that the RTL's handshakes are compared with the simulator's units, port by port and cycle by cycle, every bit that
leaves, and the cycle in which each output block is done with that of the complete run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gpu_ref.validate.arrivals import Arrivals, arrivals
from gpu_ref.validate.parts import GemmPart
from gpu_ref.validate.witnesses import Witness
from sim.arch.schema import Arch, Schedule
from sim.errors import InputError
from sim.formats import fp16
from sim.machine.machine import Machine
from sim.mapping.operands import ceil_div
from sim.mapping.piece import Piece
from sim.rtl.checks import bench, matrix
from sim.rtl.checks.bench import BenchError, Handshakes, RtlCase
from sim.rtl.checks.comparison import first_difference
from sim.rtl.checks.reference import Stalls
from sim.rtl.checks.shape import Shape
from sim.rtl.checks.stimulus import Work
from sim.runs.best_schedule import blocks_of

Half = NDArray[np.float16]
PUBLISHED = "anda-hpca25"
"""The machine whose PE the RTL is; its sizes are those of the machine that is validated."""


def rtl(part: GemmPart, machine: Machine) -> Witness:
    """Run a part on the RTL."""
    begun = time.perf_counter()
    count = machine.arch.mxu.count
    if count > 1:
        return Witness("RTL", f"not run: it is one MXU, the machine has {count}")
    piece = blocks_of(machine.piece(part.computed))
    served = arrivals(piece)
    work = _work(part, machine.arch, piece)
    try:
        prepared = matrix.prepare(work.shape.design(), work, _stalls(work, served))
        case: RtlCase = replace(prepared.case, max_cycles=2 * served.cycles + 10_000)
        [seen] = bench.run(work.shape.design(), [case])
    except InputError as error:
        return Witness("RTL", f"not run: {error.problem}")
    except BenchError as error:
        return Witness("RTL", "stopped", differences=(str(error).splitlines()[0],))
    compared = matrix.compare(work, matrix.reference(prepared), seen)
    ends = _block_ends(work, seen)
    late = first_difference(served.blocks - 1, ends)
    differences = (*compared.differences, *([f"output blocks: {late}"] if late else []))
    about = f"{ends[-1] + 1:,} of the run's {served.cycles:,} cycles"
    if not differences:
        about += f"; {compared.handshakes:,} handshakes, {compared.bits:,} bits equal"
    return Witness("RTL", about, _outputs(work, seen["output"]), time.perf_counter() - begun, differences)


def _work(part: GemmPart, arch: Arch, piece: Piece) -> Work:
    assert arch.bpc is not None
    encoded, exponent_port = part.gemm.output_mantissa_bits, arch.activation_dispatcher.exponent_port_bits
    assert exponent_port is not None
    assert isinstance(piece.schedule, Schedule)
    shape = Shape(
        PUBLISHED,
        arch.mxu.rows,
        arch.mxu.columns,
        arch.mxu.dot_length,
        weight_bits=5 if part.has_zero_points else 4,
        weight_port=arch.weight_dispatcher.port_bits,
        activation_port=arch.activation_dispatcher.port_bits,
        exponent_port=exponent_port,
        collector_port=arch.collector.port_bits,
        registers=arch.mxu.output_registers,
        compressor_lanes=arch.bpc.lanes if encoded else 0,
        pipeline_cycles=arch.mxu.pipeline_cycles,
    )
    cut = shape.cut(piece.schedule, arch.buffers.activation.bytes, arch.buffers.weight.bytes)
    return Work(shape, cut, part.activations, part.weights, part.mantissa_bits, encoded or part.mantissa_bits)


def _stalls(work: Work, served: Arrivals) -> Stalls:
    return replace(
        matrix.no_stalls(work),
        weight_chunks=served.weight_chunks,
        activation_chunks=served.activation_chunks,
        space=served.space,
    )


def _block_ends(work: Work, seen: Mapping[str, Handshakes]) -> NDArray[np.int64]:
    """The cycle in which the last of each output block left: a row of the compressor, else a beat of the collector."""
    if not work.shape.compressor_lanes:
        output = seen["output"]
        return np.array(output.cycles[output.payload["output_run_last_o"][:, 0] > 0], np.int64)
    lanes, length = work.shape.compressor_lanes, work.output_mantissa_bits + 1
    counts = [ceil_div(placed.op.rows, lanes) * length for placed in work.closing() if placed.op.run_columns]
    return np.array(seen["row"].cycles[np.cumsum(counts) - 1], np.int64)


def _outputs(work: Work, seen: Handshakes) -> Half:
    """The matrix that the RTL's collector handed on, put together again beat by beat."""
    found = np.zeros((len(work.values), work.weights.shape[0]), np.uint16)
    beats = seen.payload["output_o"][:, : work.shape.collector_port // 8]
    at = 0
    for placed in work.closing():
        op = placed.op
        count = work.shape.output_beats(op.rows)
        codes = np.ascontiguousarray(beats[at : at + count]).reshape(-1).view("<u2")
        tile = codes[: op.rows * work.shape.columns].reshape(op.rows, -1)[:, : op.columns]
        found[placed.row : placed.row + op.rows, placed.column : placed.column + op.columns] = tile
        at += count
    return fp16.from_codes(found)
