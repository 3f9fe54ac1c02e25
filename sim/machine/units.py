"""The units of a machine put together and led through one walk: of a GeMM, an attention, vector work, or a program.

loaders -> DRAM -> buffers -> dispatchers -> MXU -> collector -> [compressor] -> writer -> DRAM
                                             ^      collector -> vector unit -> [compressor] -> MXU, writer
                        buffer -> vector unit -> writer
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sim.laws.expectation import VectorExpectation
from sim.machine.assembly import Assembly
from sim.mapping.attention import WAITING_TILES
from sim.mapping.attention_nest import AttentionTileCursor, KeyValueCursor, QueryCursor, SoftmaxCursor
from sim.mapping.nest import LoadCursor, TileCursor
from sim.mapping.program_nest import ProgramLoads, ProgramTiles, ProgramVector
from sim.mapping.vector_blocks import BlockCursor
from sim.units.activation_dispatcher import ActivationDispatcher
from sim.units.bpc import Bpc
from sim.units.buffer import Buffer
from sim.units.collector import Collector, Compressor, Sink
from sim.units.dram import Port
from sim.units.loader import Loader
from sim.units.mxu import MadeActivations, Mxu
from sim.units.quantiser import Quantiser
from sim.units.softmax import Softmax
from sim.units.streamed_vector import StreamedVector
from sim.units.vector import Vector
from sim.units.weight_dispatcher import WeightDispatcher
from sim.workload.gemm import Quantisation


@dataclass(frozen=True)
class Walk:
    """Work for the MXU, as the cursors that lead its units through it.

    Parameters
    ----------
    tiles, weights, activations
        Of the MXU and of both loaders.
    outputs
        Blocks that go to DRAM.
    word_bits
        Of an activation, as the MXU takes it.
    encodes
        Whether anything leaves the MXU or the vector unit encoded.
    reduces
        Whether MXUs split K anywhere.
    token_scale_bits
        Of a token's scale, where activations are integers.
    vector
        Of the vector unit, where it has something to do.
    labels
        As of `Mxu`.
    dependent
        Whether operations read what others have left.
    """

    tiles: TileCursor | AttentionTileCursor | ProgramTiles
    weights: LoadCursor | KeyValueCursor | ProgramLoads
    activations: LoadCursor | QueryCursor | ProgramLoads
    outputs: int
    word_bits: int
    encodes: bool
    reduces: bool = False
    token_scale_bits: int = 0
    vector: SoftmaxCursor | ProgramVector | None = None
    labels: Iterable[str] = ()
    dependent: bool = False


def add_units(assembly: Assembly, walk: Walk) -> None:
    """The units that a walk needs."""
    arch, bench, dram = assembly.hardware, assembly.bench, assembly.dram
    weight_buffer = Buffer(bench, "weight_buffer", arch.buffers.weight, attention=walk.vector is not None)
    activation_buffer = assembly.activation_buffer
    activations = ActivationDispatcher(bench, arch.activation_dispatcher, walk.word_bits, walk.token_scale_bits)
    weights = WeightDispatcher(
        bench,
        walk.tiles,
        weight_buffer,
        port_bits=arch.weight_dispatcher.port_bits,
        mxu_columns=arch.mxu.columns,
        mxu_group_cycles=lambda op: mxu.group_cycles(op),
        fills_planes=arch.weight_dispatcher.fills_planes,
    )
    made = MadeActivations(bench, WAITING_TILES) if walk.vector is not None else None
    mxu = Mxu(
        bench,
        weights,
        activations,
        activation_buffer,
        output_registers=arch.mxu.output_registers,
        pipeline_cycles=arch.mxu.pipeline_cycles,
        channel_busy=dram.busy_cycles_so_far,
        made=made,
        labels=walk.labels,
    )
    outputs = _Outputs(assembly, walk, made)
    vector = None if walk.vector is None or made is None else outputs.vector(walk.vector, made)
    assembly.units += [
        _loader(assembly, "weight_loader", walk.weights, Port.WEIGHTS, weight_buffer, walk.dependent),
        _loader(assembly, "activation_loader", walk.activations, Port.ACTIVATIONS, activation_buffer, walk.dependent),
        weight_buffer,
        weights,
        activations,
        mxu,
        Collector(
            bench,
            mxu.pipeline,
            mxu.registers,
            outputs.of_collector,
            outputs.collector_to_compressor,
            vector,
            port_bits=arch.collector.port_bits,
            mxu_columns=arch.mxu.columns,
            reduces=walk.reduces,
        ),
        *([] if vector is None else [vector]),
    ]
    assembly.watch(weights, [walk.weights, walk.activations, *([] if walk.vector is None else [walk.vector])])


class _Outputs:
    """Writer and compressor, and the ways into them: in programs of all units at once, else of one after another."""

    def __init__(self, assembly: Assembly, walk: Walk, made: MadeActivations | None) -> None:
        arch, self._assembly = assembly.hardware, assembly
        shared = isinstance(walk.vector, ProgramVector)
        writer = assembly.add_writer(walk.outputs, shared=shared)
        self.of_collector, of_compressor, self._of_vector = (
            writer.inlet(number) if shared else writer for number in range(3)
        )  # type: tuple[Sink, Sink, Sink]
        self.collector_to_compressor: Compressor | None = None
        self._vector_to_compressor: Sink | None = None
        if walk.encodes and arch.bpc is not None:
            lanes = arch.bpc.lanes * arch.mxu.count
            bpc = Bpc(
                assembly.bench,
                of_compressor,
                lanes=lanes,
                own_lanes=arch.bpc.lanes,
                group_size=arch.bpc.group_size,
                made=made,
                shared=shared,
            )
            assembly.units.append(bpc)
            self.collector_to_compressor = bpc.inlet(0) if shared else bpc
            self._vector_to_compressor = bpc.inlet(1) if shared else bpc

    def vector(self, cursor: SoftmaxCursor | ProgramVector, made: MadeActivations) -> Softmax:
        """The vector unit, led by a cursor."""
        bench, fpus, buffer = (
            self._assembly.bench,
            self._assembly.hardware.vector.fpus,
            self._assembly.activation_buffer,
        )
        ways = self._of_vector, self._vector_to_compressor
        if isinstance(cursor, ProgramVector):
            return StreamedVector(bench, cursor, made, buffer, *ways, self._assembly.progress, fpus=fpus)
        return Softmax(bench, cursor, made, buffer, *ways, fpus=fpus)


def _loader(
    assembly: Assembly,
    name: str,
    cursor: LoadCursor | KeyValueCursor | QueryCursor | ProgramLoads | BlockCursor,
    port: Port,
    buffer: Buffer,
    dependent: bool,
) -> Loader:
    progress = assembly.progress if dependent else None
    return Loader(assembly.bench, name, cursor, assembly.controller.launched, port, assembly.dram, buffer, progress)


def add_vector_units(assembly: Assembly, expected: VectorExpectation) -> None:
    """The units of vector work, or of tokens to quantise, by itself."""
    blocks, bench, launched = expected.blocks, assembly.bench, assembly.controller.launched
    buffer = assembly.activation_buffer
    writer = assembly.add_writer(sum(count for block, count in blocks.kinds if block.write_bytes))
    cursor, busy = BlockCursor(blocks), assembly.dram.busy_cycles_so_far
    make: Callable[..., Vector] = Vector
    how: dict[str, object] = {"fpus": expected.a_cycle}
    if isinstance(expected.work, Quantisation):
        assert assembly.hardware.quantiser is not None
        make, how = Quantiser, {"work": expected.work, "lanes": assembly.hardware.quantiser.lanes}
    vector = make(bench, launched, cursor, buffer, writer, channel_busy=busy, **how)
    assembly.units.append(vector)
    loads = [BlockCursor(blocks)] if blocks.reads else []
    assembly.units += [
        _loader(assembly, "activation_loader", one, Port.ACTIVATIONS, buffer, dependent=False) for one in loads
    ]
    assembly.watch(vector, loads)
