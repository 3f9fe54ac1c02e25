"""Weights of 1 to 8 bits on every kind of PE: values bit for bit, cycles by its equation, and what none takes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.formats import contract
from sim.formats.block_float import BlockFloat
from sim.formats.integer import IntegerTensor
from sim.formats.weight import make
from sim.formats.weights.gguf import Q4_0, Q4_1, Q8_0
from sim.formats.weights.integer import IntegerWeights
from sim.formats.weights.planes import PlaneWeights
from sim.functional.execute import execute
from sim.laws.expectation import expect
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.workload.gemm import FP16, Gemm
from tests.functional.wide import MACHINES, expected, random_case

NAMES = pytest.mark.parametrize("name", MACHINES)
AT_ONCE = ("fp-fp", "int8")


@NAMES
@pytest.mark.parametrize("seed", range(25))
def test_every_output_equals_integers_and_fractions(name, seed):
    case = random_case(seed, name)
    found = Machine(load_arch(name, case.keys)).pe.multiply(case.activations, case.weights, case.mantissa_bits)
    assert [[Fraction(x) for x in row] for row in found.tolist()] == expected(name, case)


@NAMES
@pytest.mark.parametrize("bits", range(2, 9))
def test_planes_are_multiplied_with_a_one_in_place_of_the_others(name, bits):
    # 2 code + 1 - zero of read + 1 bits: two passes from 4 of 5 planes on
    for read in range(1, bits):
        case = random_case(10 * bits + read, name)
        stored = PlaneWeights(bits, 64, read_bits=read)
        kept = stored.encode(np.random.default_rng(read).normal(size=case.weights.shape))
        weights = stored.read(kept)
        machine = Machine(load_arch(name, case.keys))
        found = machine.pe.multiply(case.activations, weights, case.mantissa_bits)
        case = replace(case, weights=weights, stored=IntegerWeights(read + 1, 64))
        assert [[Fraction(x) for x in row] for row in found.tolist()] == expected(name, case)
        gemm = Gemm("g", "up", 1, 64, 16, mantissa_bits=8, weights=stored)
        assert machine.pe.passes(gemm) == (1 if name in AT_ONCE else 1 + (read >= 4))


@pytest.mark.parametrize("seed", range(40))
def test_the_contract_says_the_same(seed):
    for name, length, product in (("figna", 13, contract.gemm), ("ifpu", 13, contract.ifpu)):
        case = random_case(seed, name)
        found = product(BlockFloat.align(case.activations, length), case.weights).accumulators
        assert [[Fraction(x) for x in row] for row in found.tolist()] == expected(name, case)
    case = random_case(seed, "fp-int")
    found = contract.fp_int(case.activations, case.weights).accumulators
    assert [[Fraction(x) for x in row] for row in found.tolist()] == expected("fp-int", case)


@pytest.mark.parametrize("fault", ["high digits first", "digits worth the same", "the zero point whole in both"])
def test_a_planted_fault_in_the_digits_shows(fault, monkeypatch):
    slices = IntegerTensor.slices

    def faulty(weights, width=4):
        parts = slices(weights, width)
        if fault == "high digits first":
            return parts[::-1]
        if fault == "digits worth the same":
            return tuple((0, digit) for _, digit in parts)
        return tuple((shift, replace(digit, zeros=weights.zeros & digit.largest)) for shift, digit in parts)

    monkeypatch.setattr(IntegerTensor, "slices", faulty)
    pe, cases = Machine(load_arch("figna")).pe, [random_case(seed, "figna") for seed in range(25)]
    found = [pe.multiply(case.activations, case.weights, None) for case in cases]
    right = [expected("figna", case) for case in cases]
    assert [[[Fraction(x) for x in row] for row in one.tolist()] for one in found] != right


@NAMES
@pytest.mark.parametrize("bits", range(1, 9))
def test_a_group_takes_one_pass_for_every_four_bits_and_the_port_what_it_carries(name, bits):
    # passes = ceil(bits / 4), each with a digit of ceil(bits / passes); FP-FP converts, INT8 takes all bits at once
    arch = load_arch(name)
    machine, length = Machine(arch), 7
    gemm = Gemm("g", "up", 16, 1024, 256, mantissa_bits=length, weights=IntegerWeights(bits, 128))
    passes = 1 if name in AT_ONCE else -(-bits // 4)
    words = length + 1 if name == "anda-hpca25" else 64 // arch.mxu.lanes
    digit = -(-bits // passes)
    block = -(-16 * 64 * digit // arch.weight_dispatcher.port_bits)
    tiles, groups = 256 // 16, 1024 // 64
    runs = [machine.run(gemm, SimulationOptions(grain=grain)) for grain in ("tile", "beat")]
    assert runs[0].counters == runs[1].counters
    assert runs[0].states == runs[1].states
    counters = runs[0].counters
    assert counters["mxu.pe_cycles"] == 16 * 256 * groups * passes * words
    assert counters["weight_dispatcher.beats"] == tiles * groups * passes * block
    assert counters["weight_dispatcher.read_bits"] == 256 * groups * passes * (64 * digit + 16 + bits)
    steady = tiles * groups * passes * max(words, block)
    assert runs[0].cycles >= steady
    unlimited = Machine(load_arch(name, ["dram.bandwidth_gigabytes_per_second=100000", "dram.latency_nanoseconds=0"]))
    assert unlimited.run(gemm).cycles == expect(unlimited.piece(gemm)).bounds.lower_cycles >= steady


@NAMES
def test_the_schedule_computes_the_same_as_the_pe(name):
    machine = Machine(load_arch(name))
    stored = IntegerWeights(8, 128, zero_point_bits=0)
    rng = np.random.default_rng(3)
    activations, weights = rng.normal(size=(18, 130)).astype(np.float16), stored.encode(rng.normal(size=(21, 130)))
    gemm = Gemm("g", "up", 18, 130, 21, mantissa_bits=6, weights=stored)
    outputs = execute(machine.piece(gemm).plan(), machine.pe, activations, weights).outputs
    np.testing.assert_array_equal(outputs, machine.pe.multiply(activations, weights, 6).astype(np.float16))


def test_sums_that_int32_does_not_hold_are_refused():
    # 127 x 255 a product at most: 2^31 - 1 holds 66,311 of them
    machine, stored = Machine(load_arch("int8")), IntegerWeights(8, "channel")
    assert machine.pe.passes(Gemm("g", "up", 4, 66_311, 64, weights=stored)) == 1
    with pytest.raises(InputError, match=r"mxu\.pe: sums beyond int32\n  found      66312 values of g under one scale"):
        machine.piece(Gemm("g", "up", 4, 66_312, 64, weights=stored))
    machine.piece(Gemm("g", "up", 4, 131_072, 64, weights=IntegerWeights(8, 128)))
    four = Machine(load_arch("int8", ["mxu.activation_bits=4"]))
    assert four.pe.passes(Gemm("g", "up", 4, 66_312, 64, weights=stored)) == 1


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("int8", ["mxu.lanes=32"], r"mxu\.lanes: found 32: a group of 64 values in 2 cycles\n  needed     3 cycles"),
        ("int8", ["mxu.activation_bits=null"], r"mxu\.activation_bits: missing; a PE of kind int8 needs it"),
        ("figna", ["mxu.activation_bits=8"], r"mxu\.activation_bits: a PE of kind figna has no activation_bits"),
        ("int8", ["mxu.mantissa_bits=8"], r"mxu\.mantissa_bits: a PE of kind int8 has no mantissa_bits"),
        ("int8", ["mxu.activation_bits=6"], r"mxu\.activation_bits: .*found 6\n  allowed    4 or 8"),
        ("int8", ["mxu.conversion=fp16"], r"mxu\.conversion: found fp16"),
    ],
)
def test_what_an_integer_pe_cannot_be_is_refused(name, keys, message):
    with pytest.raises(InputError, match=message):
        Machine(load_arch(name, keys))


def test_wide_weights_in_digits_are_what_they_are_at_once():
    # int32 sums shift and add digits exactly: INT8 weights give the same on both kinds, bit for bit
    for seed in range(20):
        case = random_case(seed, "int8")
        whole, digits = (Machine(load_arch(name, case.keys)).pe for name in ("int8", "int8-int4"))
        found = [pe.multiply(case.activations, case.weights, None) for pe in (whole, digits)]
        np.testing.assert_array_equal(*found)


def test_fp16_weights_are_multiplied_as_they_are():
    rng = np.random.default_rng(4)
    activations, values = rng.normal(size=(3, 70)).astype(np.float16), rng.normal(size=(5, 70)).astype(np.float16)
    found = Machine(load_arch("fp-fp")).pe.multiply(activations, FP16.encode(values), None)
    sums = np.zeros((3, 5), np.float32)
    for k in range(70):
        sums += np.multiply.outer(activations[:, k].astype(np.float32), values[:, k].astype(np.float32))
    np.testing.assert_array_equal(found, sums)


@pytest.mark.parametrize(
    ("name", "stored", "message"),
    [
        (
            "anda-hpca25",
            Q4_1(),
            "PEs of kind anda do not multiply the weights of g\n  found      q4_1\n  needed     the sum",
        ),
        ("figna", IntegerWeights(3, minimum_bits=16), "needed     the sum of a group's activations"),
        ("ifpu", make("bf16", {}), "found      bf16\n  needed     weights that are integers under a scale"),
        ("fp-fp", make("bf16", {}), "found      bf16\n  needed     a conversion to FP16"),
        ("fp-int", Q4_0(), "mxu.dot_length: found 64: g has weights in groups of 32.*\n  allowed    divisors of 32"),
        ("anda-hpca25", Q8_0(), "mxu.dot_length: found 64"),
        ("int8", Q4_1(), "PEs of kind int8 do not multiply the weights of g\n  found      q4_1\n  needed     the sum"),
        ("int8-int4", make("bf16", {}), "found      bf16\n  needed     weights that are integers under a scale"),
        ("int8", Q8_0(), "mxu.dot_length: found 64: g has weights in groups of 32.*\n  allowed    divisors of 32"),
    ],
)
def test_what_a_pe_does_not_take_is_refused_with_what_it_would_need(name, stored, message):
    with pytest.raises(InputError, match=message):
        Machine(load_arch(name)).piece(Gemm("g", "up", 4, 128, 64, mantissa_bits=6, weights=stored))
