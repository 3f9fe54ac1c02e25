"""Decoding with weights of 1 to 8 bits: bound by memory, as many times faster than FP16 as they are smaller."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from functools import cache

import pytest

from sim.arch.load import load_arch
from sim.engine.activity import State
from sim.errors import InputError
from sim.formats.weight import WeightFormat
from sim.formats.weights.gguf import Q4_0, Q4_1, Q8_0
from sim.formats.weights.integer import IntegerWeights
from sim.formats.weights.planes import PlaneWeights
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.costs import energy_picojoules
from sim.machine.machine import Machine
from sim.mapping.operands import ceil_div
from sim.workload.gemm import FP16, Gemm
from sim.workload.load import load_workload
from tests import oracle
from tests.machines import integer_case, wide_case
from tests.test_oracle import observed

CASES, BATCH = 200, 100
BITS = pytest.mark.parametrize("bits", range(1, 9))
K, N, COLUMNS = 4096, 2048, 16
CHUNK = 2048  # of K
SLOW = 0.57  # GB/s: two bytes in a cycle of 285 MHz


@cache
def machine(gigabytes_per_second: float) -> Machine:
    """FP-FP, which multiplies weights of every format; 285 MHz."""
    bandwidth = f"dram.bandwidth_gigabytes_per_second={gigabytes_per_second}"
    return Machine(load_arch("fp-fp", [bandwidth, "weight_dispatcher.fills_planes=true"]))


@cache
def decoded(weights: WeightFormat, gigabytes_per_second: float = SLOW) -> Run:
    """One token; at two bytes a cycle even weights of 1 bit take DRAM longer than a row of PEs."""
    return machine(gigabytes_per_second).run(Gemm("g", "up", 1, K, N, weights=weights))


def assert_bound_by_memory(weights: WeightFormat) -> None:
    """Every burst at the channel's rate, and beside it no more than the first latency and the last tile's work."""
    run, arch = decoded(weights), machine(SLOW).arch
    moved = sum(run.counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))
    busy = run.states["dram"][State.BUSY]
    assert busy == moved // 2
    latency = ceil_div(int(arch.dram.latency_nanoseconds) * 285, 1000)
    assert 0 < run.cycles - busy <= latency + K // 4


def beside_memory(weights: WeightFormat) -> int:
    """Cycles in which the channel has not begun yet, or has nothing left to bring.

    Launch and latency; the last chunk through the buffer's port, its first group through the dispatcher's, the products
    of its groups in 16 cycles each, the pipeline, a beat of outputs, and the cycle in which they reach the writer.
    """
    arch = machine(SLOW).arch
    chunk = ceil_div(COLUMNS * weights.column_bits(CHUNK), 8)
    filled = ceil_div(8 * chunk, arch.buffers.weight.fill_port_bits)
    block = ceil_div(COLUMNS * 64 * weights.read_bits, arch.weight_dispatcher.port_bits)
    latency = ceil_div(int(arch.dram.latency_nanoseconds) * 285, 1000)
    begun = arch.controller.launch_cycles + latency
    return begun + filled + block + CHUNK // 64 * 16 + arch.mxu.pipeline_cycles + 1 + 1


@BITS
def test_the_speed_up_over_fp16_is_16_over_the_stored_bits(bits):
    stored = IntegerWeights(bits, 128, zero_point_bits=0)  # bits + 16/128: 16 columns are whole bursts
    wide, narrow = decoded(FP16), decoded(stored)
    ratio = Fraction(wide.counters["dram.weight_bytes"], narrow.counters["dram.weight_bytes"])
    assert ratio == Fraction(16) / stored.stored_bits(K) == 16 / (bits + Fraction(1, 8))
    for weights, run in ((FP16, wide), (stored, narrow)):
        assert_bound_by_memory(weights)
        assert run.cycles == run.states["dram"][State.BUSY] + beside_memory(weights)
    assert wide.cycles / narrow.cycles == pytest.approx(
        float(ratio), rel=0.02
    )  # what is beside memory, and activations


@BITS
@pytest.mark.parametrize("size", [16, 32, 64, 128, "channel", "tensor"])
def test_what_is_moved_is_what_is_stored_rounded_up_to_bursts(bits, size):
    stored = IntegerWeights(bits, size)
    run, burst = decoded(stored), machine(SLOW).arch.dram.burst_bytes
    requests = N // COLUMNS * (K // CHUNK)
    chunk = ceil_div(COLUMNS * stored.column_bits(CHUNK), 8)
    assert run.counters["weight_loader.requests"] == requests
    assert run.counters["dram.weight_bytes"] == requests * ceil_div(chunk, burst) * burst
    assert_bound_by_memory(stored)


@BITS
def test_planes_that_are_not_read_are_not_moved(bits):
    """Of 8 stored planes `bits` are read: 16 over what is read, whatever is stored."""
    stored = PlaneWeights(8, 128, zero_point_bits=0, read_bits=bits)
    run, plain = decoded(stored), decoded(IntegerWeights(bits, 128, zero_point_bits=0))
    filled = {"weight_dispatcher.filled_weights": K * N if bits < 8 else 0}
    assert run.counters == plain.counters | filled
    assert (run.cycles, run.states) == (plain.cycles, plain.states)
    assert Fraction(decoded(FP16).counters["dram.weight_bytes"], run.counters["dram.weight_bytes"]) == 16 / (
        bits + Fraction(1, 8)
    )
    assert stored.stored_bits(K) == 8 + Fraction(1, 8)


@pytest.mark.parametrize("name", ["anda-hpca25", "fp-fp", "fp-int", "ifpu", "figna", "int8"])
def test_only_a_machine_that_fills_up_planes_reads_some_of_them(name):
    """It has area, and energy for each weight of each pass; with all planes read, it costs what it cost without."""
    without, with_it = (Machine(load_arch(name, keys)) for keys in ([], ["weight_dispatcher.fills_planes=true"]))
    some = Gemm("some", "up", 40, 320, 200, mantissa_bits=5, weights=PlaneWeights(8, 64, read_bits=4))
    every = dataclasses.replace(some, weights=PlaneWeights(8, 64))
    with pytest.raises(
        InputError, match=r"weight_dispatcher\.fills_planes: some has weights of which only some"
    ) as found:
        without.run(some)
    assert "cost.plane_fill" in found.value.facts["needed"]
    run, passes = with_it.run(some), 1 if name in ("fp-fp", "int8") else 2  # 5 bits
    row_tiles = ceil_div(40, with_it.arch.mxu.rows)
    assert run.counters["weight_dispatcher.filled_weights"] == row_tiles * 200 * 320 * passes
    plain, filled = without.run(every), with_it.run(every)
    assert plain.counters | {"weight_dispatcher.filled_weights": 0} == filled.counters
    assert (plain.cycles, plain.states) == (filled.cycles, filled.states)
    price = with_it.arch.cost.plane_fill
    spent = [energy_picojoules(one.arch, run.counters, run.cycles) for one in (without, with_it)]
    more = spent[1]["mxu"] - spent[0]["mxu"]
    assert more == pytest.approx(
        run.counters["weight_dispatcher.filled_weights"] * price.energy_picojoules_per_weight, rel=1e-6
    )
    assert energy_picojoules(with_it.arch, filled.counters, 1) == energy_picojoules(without.arch, plain.counters, 1)


@pytest.mark.parametrize(
    ("stored", "bits"), [(Q4_0(), Fraction(9, 2)), (Q4_1(), Fraction(5)), (Q8_0(), Fraction(17, 2))]
)
def test_blocks_of_gguf_too(stored, bits):
    assert stored.stored_bits(K) == bits
    assert (
        Fraction(decoded(FP16).counters["dram.weight_bytes"], decoded(stored).counters["dram.weight_bytes"])
        == 16 / bits
    )


def test_the_speed_up_vanishes_where_rows_bind():
    # One of 16 rows has a token: a tile's group takes 16 cycles whatever its weights, once they are there.
    runs = [decoded(weights, 100_000) for weights in (FP16, *(IntegerWeights(bits) for bits in range(1, 9)))]
    assert len({run.cycles - run.counters["mxu.fill_cycles"] for run in runs}) == 1
    assert all(run.counters["mxu.pe_cycles"] == N * K // 64 * 16 for run in runs)


def test_the_speed_up_vanishes_where_the_weight_port_binds():
    # 64 bits a cycle: 16 columns x 64 weights x bits / 64 = 16 bits cycles a group, the words take 16.
    arch = load_arch("fp-fp", ["weight_dispatcher.port_bits=64", "dram.bandwidth_gigabytes_per_second=100000"])
    for bits in (1, 2, 4, 8):
        run = Machine(arch).run(Gemm("g", "up", 1, K, N, weights=IntegerWeights(bits)))
        steady = N // COLUMNS * (K // 64) * 16 * bits
        assert steady <= run.cycles <= steady + run.counters["mxu.fill_cycles"] + 100


@BITS
def test_a_model_reads_its_weights_from_yaml(bits):
    overrides = [f"weights.bits={bits}", "weights.zero_point_bits=0"]
    workload = load_workload("llama-7b", phase="decode", precision="fp16", overrides=overrides)
    half = load_workload("llama-7b", phase="decode", precision="fp16", overrides=["weights={format: fp16}"])
    assert workload.macs == half.macs, "the same GeMMs"
    assert {gemm.weights for gemm in half.gemms} == {FP16}
    for gemm in workload.gemms:
        assert gemm.weights.stored_bits(gemm.k) == bits + Fraction(1, 8)
    with_name = load_workload("llama-7b", overrides=["weights={format: q8_0}"] if bits == 8 else overrides)
    assert with_name.resolved["weights"]["bits"] == bits


def test_random_machines_with_integer_pes_count_what_the_automata_count_at_both_grains():
    compared = 0
    for seed in range(BATCH):
        case = integer_case(seed)
        try:
            machine = Machine(case.arch)
            run = machine.run(case.gemm)
        except InputError:
            continue  # the random buffer does not hold a tile, or a group has less than three words
        assert observed(run) == oracle.predict(case.arch, case.gemm), f"seed {seed}"
        assert observed(machine.run(case.gemm, SimulationOptions(fast_forward=False))) == observed(run), seed
        if run.cycles <= 10_000:
            assert observed(machine.run(case.gemm, SimulationOptions("beat"))) == observed(run), f"beat, seed {seed}"
        compared += 1
    assert compared >= 0.6 * BATCH


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_random_machines_count_what_the_automata_count_at_both_grains(first):
    compared = 0
    for seed in range(first, first + BATCH):
        case = wide_case(seed)
        try:
            machine = Machine(case.arch)
            run = machine.run(case.gemm)
        except InputError:
            continue  # the random buffer does not hold a tile
        assert observed(run) == oracle.predict(case.arch, case.gemm), f"seed {seed}"
        if run.cycles <= 10_000:
            beats = machine.run(case.gemm, SimulationOptions("beat"))
            assert observed(beats) == observed(run), f"beat, seed {seed}"
        compared += 1
    assert compared >= 0.8 * BATCH
