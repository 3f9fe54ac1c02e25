"""The units of a fused attention: the vector unit between the collector and the MXU, and its weights' way back.

loaders -> DRAM -> buffers -> dispatchers -> MXU -> collector -> vector unit -> [compressor] -> MXU, writer -> DRAM
"""

from __future__ import annotations

from sim.laws.attention import AttentionExpectation
from sim.machine.assembly import Assembly
from sim.mapping.attention import HEADS_IN_BUFFER, WAITING_TILES
from sim.mapping.attention_nest import AttentionTileCursor, KeyValueCursor, QueryCursor, SoftmaxCursor
from sim.units.activation_dispatcher import ActivationDispatcher
from sim.units.bpc import Bpc
from sim.units.buffer import Buffer
from sim.units.collector import Collector
from sim.units.dram import Port
from sim.units.loader import Loader
from sim.units.mxu import MadeActivations, Mxu
from sim.units.softmax import Softmax
from sim.units.weight_dispatcher import WeightDispatcher


def add_attention_units(assembly: Assembly, expected: AttentionExpectation) -> None:
    """Put them together; the activation buffer is what scores, weights and outputs leave of it."""
    arch, bench, launched, dram = assembly.hardware, assembly.bench, assembly.controller.launched, assembly.dram
    plan = expected.plan
    tiles, keys_values, queries, softmax = (
        AttentionTileCursor(plan, whole=bench.grain == "tile" and plan.flows(arch)),
        KeyValueCursor(plan),
        QueryCursor(plan),
        SoftmaxCursor(plan),
    )
    writer = assembly.add_writer(expected.counters["writer.blocks"])
    made = MadeActivations(bench, plan.weight_tiles, WAITING_TILES)
    weight_buffer = Buffer(bench, "weight_buffer", arch.buffers.weight, HEADS_IN_BUFFER)
    activations = ActivationDispatcher(bench, arch.activation_dispatcher, plan.pace.scores.word_bits)
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
        assembly.activation_buffer,
        output_registers=arch.mxu.output_registers,
        pipeline_cycles=arch.mxu.pipeline_cycles,
        channel_busy=dram.busy_cycles_so_far,
        made=made,
    )
    compressor = None
    if arch.bpc is not None:
        compressor = Bpc(
            bench,
            writer,
            lanes=arch.bpc.lanes * arch.mxu.count,
            group_size=arch.bpc.group_size,
            made=made,
        )
        assembly.units.append(compressor)
    vector = Softmax(
        bench,
        softmax,
        made,
        writer,
        compressor,
        fpus=arch.vector.fpus,
    )
    port_bits, columns = arch.collector.port_bits, arch.mxu.columns
    assembly.units += [
        Loader(bench, "weight_loader", keys_values, launched, Port.WEIGHTS, dram, weight_buffer),
        Loader(bench, "activation_loader", queries, launched, Port.ACTIVATIONS, dram, assembly.activation_buffer),
        weight_buffer,
        weights,
        activations,
        mxu,
        Collector(bench, mxu.pipeline, mxu.registers, vector, port_bits=port_bits, mxu_columns=columns),
        vector,
    ]
    assembly.watch(weights, (keys_values, queries, softmax))
