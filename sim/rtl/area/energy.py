"""Switched capacitance of a PE a MAC, of a quantiser a value and of a plane fill a weight, on given operands.

The outputs are held against the contract. Where a PE takes weights of 8 bits, those given are the upper four bits of
them, and the lower four are drawn evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.formats import fp16
from sim.formats.int4 import Int4Tensor
from sim.formats.integer import IntegerTensor
from sim.formats.token_integer import TokenIntegers
from sim.mapping.vector_blocks import TOKEN_DIVISION_CYCLES
from sim.rtl.area.elements import GROUP_SIZE, Element
from sim.rtl.area.switching import Simulation
from sim.rtl.area.synthesis import Netlist
from sim.rtl.checks import plane_fill
from sim.rtl.checks.bench import to_bits
from sim.rtl.checks.shape import Shape
from sim.rtl.checks.stimulus import Work

DRAIN = 12
"""Cycles after which the last output stands in its register."""


class NetlistError(RuntimeError):
    """A netlist that computes other values than the contract."""


@dataclass(frozen=True)
class Inputs:
    """One stream a row of activations and a row of weights: stream i multiplies token i by column i.

    Attributes
    ----------
    values : (streams, K) FP16
    weights : (streams, K)
    """

    values: NDArray[np.float16]
    weights: Int4Tensor


def switched_a_mac(element: Element, netlist: Netlist, inputs: Inputs, mantissa_bits: int) -> float:
    """Transistor gates switched a multiply-accumulate.

    Raises
    ------
    NetlistError
        Where an output is not that of the contract.
    """
    shape, weights = Shape(element.machine, 1, 1), _widened(inputs.weights, element.pe.weight_bits)
    work = Work(shape, shape.arch, inputs.values, weights, mantissa_bits, mantissa_bits)
    simulation = Simulation(netlist, len(inputs.values))
    feed = _serial if shape.encoded else _parallel
    feed(simulation, work)
    wanted = np.diagonal(work.outputs)
    packed = np.packbits(simulation.output("output_o"), axis=1, bitorder="little")
    found = np.ascontiguousarray(packed).view("<u2")[:, 0]
    if not np.array_equal(found, fp16.to_codes(np.ascontiguousarray(wanted))):
        raise NetlistError(f"{element.module}: the netlist's outputs are not those of the contract")
    streams, length = inputs.values.shape
    return float(simulation.switched / (streams * length))


def _widened(weights: Int4Tensor, bits: int) -> IntegerTensor:
    if bits == 4:
        return weights
    lower = np.random.default_rng(0).integers(0, 16, weights.codes.shape, dtype=np.uint8)
    codes, zeros = weights.codes << np.uint8(4) | lower, weights.zeros << np.uint8(4)
    return IntegerTensor(codes, weights.scales, zeros, weights.length, bits)


def switched_a_value(netlist: Netlist, lanes: int, values: NDArray[np.float16]) -> float:
    """Transistor gates switched a value of tokens (streams, K) by an INT8 quantiser, with their share of the division.

    Raises
    ------
    NetlistError
        Where a code or a scale is not that of the format.
    """
    simulation, tokens = Simulation(netlist, len(values)), TokenIntegers.quantise(values)
    beats = to_bits(fp16.to_codes(values).reshape(len(values), -1, lanes), 16)
    codes, count = to_bits(tokens.codes.reshape(len(values), -1, lanes), 8), beats.shape[1]
    off, on = np.zeros(1, np.bool_), np.ones(1, np.bool_)
    held = {"rst_ni": on, "codes_ready_i": on, "code_bits_i": to_bits(np.array([8]), 4)[0]}
    rest = held | {"beat_valid_i": off, "beat_i": beats[:, -1], "last_i": off}
    simulation.cycle(rest)
    simulation.start_counting()
    for again in (False, True):
        for i in range(count):
            simulation.cycle(
                held | {"beat_valid_i": on, "beat_i": beats[:, i], "last_i": on if i == count - 1 else off}
            )
            if again and not np.array_equal(simulation.output("codes_o"), codes[:, i]):
                raise NetlistError("quantiser: the netlist's codes are not those of the format")
        for _ in range(0 if again else TOKEN_DIVISION_CYCLES):
            simulation.cycle(rest)
    if not np.array_equal(simulation.output("scale_o"), to_bits(fp16.to_codes(tokens.scales)[:, np.newaxis], 16)):
        raise NetlistError("quantiser: the netlist's scales are not those of the format")
    return float(simulation.switched / values.size)


def switched_a_weight(netlist: Netlist, weights: Int4Tensor, read_bits: int) -> float:
    """Transistor gates switched a weight of groups that a plane fill fills up, of which so many planes are read.

    The weights get zero points, as the pattern follows them.

    Raises
    ------
    NetlistError
        Where what leaves is not what the format says.
    """
    stored = IntegerTensor.quantise(weights.dequantise(), "zero-point", weights.group_size, bits=weights.bits)
    stored = stored.regrouped(GROUP_SIZE)
    streams, groups, size = stored.codes.shape
    given, wanted = plane_fill.signals(stored, read_bits)
    simulation, on = Simulation(netlist, streams), np.ones(1, np.bool_)
    for group in range(groups):
        here = {name: bits.reshape(streams, groups, -1)[:, group] for name, bits in given.items()}
        simulation.cycle({"rst_ni": on, "column_valid_i": on, "filled_ready_i": on} | here)
        if group == 0:
            simulation.start_counting()
        for name, bits in wanted.items():
            if not np.array_equal(simulation.output(name), bits.reshape(streams, groups, -1)[:, group]):
                raise NetlistError(f"plane_fill: the netlist's {name} is not that of the format")
    return float(simulation.switched / (streams * (groups - 1) * size))


def _flags(work: Work, group: int, word: int, groups: int) -> NDArray[np.bool_]:
    """word_flags_t, least significant field first: closes, opens, last, first, valid; of integer PEs, of sums."""
    span = work.scale_groups if work.shape.pe.quantised else 1
    last, first = word == work.words - 1 and group % span == span - 1, word == 0 and group % span == 0
    return np.array([group == groups - 1, group < span, last, first, True])


def _scales(work: Work) -> NDArray[np.bool_]:
    """(streams, groups, bits of scale_t)"""
    scales = work.weights.regrouped(GROUP_SIZE).scales.astype(np.float32).view(np.uint32) >> 13
    return to_bits(scales[..., np.newaxis], 19)


def _idle(simulation: Simulation, inputs: dict[str, NDArray[np.bool_]], cycles: int) -> None:
    for _ in range(cycles):
        simulation.cycle(inputs | {"flags_i": np.zeros(5, np.bool_)})


def _serial(simulation: Simulation, work: Work) -> None:
    """Signs and planes; the next group's weights enter the shadow with the second word."""
    words, exponents, scales = work.word_bits, work.side_bits, _scales(work)
    weights = to_bits(work.weights.regrouped(GROUP_SIZE).integers() & 15, 4)
    groups = words.shape[1]
    off, on = np.zeros(1, np.bool_), np.ones(1, np.bool_)
    held = {"rst_ni": on, "mantissa_bits_i": to_bits(np.array([work.mantissa_bits]), 5)}
    held |= {"read_set_i": off, "write_set_i": off, "load_i": off, "load_scale_i": off, "swap_i": off}
    load = {"load_i": on, "load_scale_i": on}
    _idle(simulation, held | load | {"weights_i": weights[:, 0], "scale_i": scales[:, 0]}, 1)
    simulation.start_counting()
    for group in range(groups):
        for word in range(work.words):
            inputs = held | {"flags_i": _flags(work, group, word, groups), "word_i": words[:, group, word]}
            inputs |= {"exponent_i": exponents[:, group], "swap_i": on if word == 0 else off}
            if word == 1 and group + 1 < groups:
                inputs |= load | {"weights_i": weights[:, group + 1], "scale_i": scales[:, group + 1]}
            simulation.cycle(inputs)
    _idle(simulation, held, DRAIN)


def _parallel(simulation: Simulation, work: Work) -> None:
    """FP16 values or aligned mantissas; the weights of a word come a cycle after it."""
    words, scales = work.word_bits, _scales(work)
    lanes = work.arch.mxu.lanes
    assert lanes is not None
    fp16_weights, weight_bits = work.shape.pe.kind == "fp_fp", work.weights.bits
    codes: NDArray[Any] = work.weights.regrouped(GROUP_SIZE).integers() & ((1 << weight_bits) - 1)
    if fp16_weights:
        codes = fp16.to_codes(work.weights.dequantise_fp16()).reshape(codes.shape)
    padded = np.pad(codes, ((0, 0), (0, 0), (0, work.words * lanes - GROUP_SIZE)))
    weights = to_bits(padded.reshape(*codes.shape[:2], work.words, lanes), 16 if fp16_weights else weight_bits)
    groups = words.shape[1]
    off = np.zeros(1, np.bool_)
    held = {"rst_ni": ~off, "read_set_i": off, "write_set_i": off}
    held |= {"shift_i": np.zeros(4, np.bool_)} if work.shape.pe.quantised else {}
    late = {"weights_i": weights[:, 0, 0]} | ({} if fp16_weights else {"scale_i": scales[:, 0]})
    _idle(simulation, held | late, 1)
    simulation.start_counting()
    for group in range(groups):
        for word in range(work.words):
            inputs = held | late | {"flags_i": _flags(work, group, word, groups), "word_i": words[:, group, word]}
            for side in {"exponent_i", "token_scale_i"} & simulation.netlist.ports.keys():
                inputs[side] = work.side_bits[:, group]
            simulation.cycle(inputs)
            late = {"weights_i": weights[:, group, word]} | ({} if fp16_weights else {"scale_i": scales[:, group]})
    _idle(simulation, held | late, DRAIN)
