"""The quantiser takes n (2 ceil(K / lanes) + 40) cycles for a block of n tokens, whichever the grain."""

from __future__ import annotations

import random

import pytest
from simpy.events import Event

from sim.arch.load import load_arch
from sim.arch.schema import BufferConfig
from sim.engine.channel import Credits
from sim.errors import InputError
from sim.laws.conservation import BrokenLawError
from sim.machine.assembly import SimulationOptions
from sim.machine.costs import area_square_millimetres
from sim.machine.machine import Machine
from sim.mapping.nest import Chunk
from sim.mapping.vector_blocks import BlockCursor, cut_tokens
from sim.report.work import shapes
from sim.simulation import items_of, simulate
from sim.units.buffer import Buffer
from sim.units.collector import OutputBlock
from sim.units.quantiser import Quantiser
from sim.workload.attention import CACHES
from sim.workload.gemm import FP16, FusedAttention, Gemm, Phase, Quantisation, RowBlocks, VectorWork, Workload
from sim.workload.load import load_workload
from sim.workload.vector import quantise
from tests.units.rig import Rig, Sink, busy

DIVISION = 18 + 1 + 21  # bits of the scale, its rounding, bits of the reciprocal


@pytest.mark.parametrize("lanes", [1, 16, 64])
@pytest.mark.parametrize("values", [1, 63, 64, 65, 300])
@pytest.mark.parametrize("bits", [4, 8])
def test_tokens_take_two_passes_and_the_division(rig: Rig, lanes: int, values: int, bits: int) -> None:
    tokens, room = 7, 4 * 2 * values * 3  # blocks of three tokens, and a last one of one
    work = Quantisation("x", "other", tokens, values, bits)
    blocks = cut_tokens(work, lanes, room)
    assert (blocks.count, blocks.body.read_bytes, blocks.last.read_bytes) == (3, 6 * values, 2 * values)
    stored = -(-values * bits // 8) + 2  # codes of a token, and its scale
    buffer, sink = Buffer(rig.bench, "activation_buffer", BufferConfig(bytes=10**6, fill_port_bits=8)), Sink(rig, 100)
    buffer.space.take(2 * 6 * values + 2 * values)
    buffer.blocks = Credits(rig.environment, 3)
    buffer.blocks.take(3)
    launched = Event(rig.environment)
    rig.at(0, launched.succeed)
    for _ in range(3):
        rig.at(0, lambda: buffer.ready.put(Chunk(0, 0)))
    unit = Quantiser(
        rig.bench, launched, BlockCursor(blocks), buffer, sink, work=work, lanes=lanes, channel_busy=lambda: 0
    )
    rig.run(unit)
    token = 2 * -(-values // lanes) + DIVISION
    ends = [3 * token, 6 * token, 7 * token]
    sizes = [3 * stored, 3 * stored, stored]
    assert sink.arrived == [(end, OutputBlock(1, size)) for end, size in zip(ends, sizes, strict=True)]
    assert busy(unit) == tokens * token
    counters = unit.counters()
    assert counters["quantiser.tokens"] == tokens
    assert counters["quantiser.values"] == tokens * values
    assert counters["quantiser.read_bits"] == 2 * 16 * tokens * values


def random_quantisation(seed: int) -> tuple[Machine, Quantisation]:
    rng = random.Random(f"quantiser {seed}")
    values, tokens = rng.randint(1, 400), rng.randint(1, 120)
    overrides = [
        f"quantiser.lanes={rng.choice([1, 16, 64])}",
        f"mxu.activation_bits={rng.choice([4, 8])}",
        f"buffers.activation.bytes={rng.choice([1, 4, 9]) * 2 * values + 64}",
        f"buffers.activation.fill_port_bits={rng.choice([64, 1024])}",
        f"buffers.activation.double_buffered={rng.choice(['true', 'false'])}",
        f"writer.blocks={rng.randint(1, 3)}",
        f"dram.bandwidth_gigabytes_per_second={rng.choice([0.57, 4.56, 256])}",
        f"dram.latency_nanoseconds={rng.choice([0, 30, 200])}",
        f"dram.time_quantum={rng.choice(['null', 1, 8])}",
    ]
    arch = load_arch("int8", overrides)
    assert arch.mxu.activation_bits is not None
    return Machine(arch), Quantisation("x", "other", tokens, values, arch.mxu.activation_bits)


def test_both_grains_and_fast_forward_count_the_same() -> None:
    skipping = 0
    for seed in range(100):
        machine, work = random_quantisation(seed)
        plain = machine.run(work, SimulationOptions(fast_forward=False))
        for options in (SimulationOptions(), SimulationOptions(verify=True), SimulationOptions("beat")):
            run = machine.run(work, options)
            assert (run.cycles, run.counters, run.states) == (plain.cycles, plain.counters, plain.states), seed
            skipping += bool(run.skips)
    assert skipping >= 20


@pytest.mark.parametrize("grain", ["beat", "tile"])
def test_a_token_that_is_not_counted_breaks_a_law(grain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, work = random_quantisation(1)
    counters = Quantiser.counters
    monkeypatch.setattr(
        Quantiser, "counters", lambda self: counters(self) | {"quantiser.tokens": max(self.tokens - 1, 0)}
    )
    with pytest.raises(BrokenLawError, match=r"quantiser: quantiser\.tokens counted = asked for"):
        machine.run(work, SimulationOptions(grain))  # type: ignore[arg-type]


def test_each_gemm_of_integers_is_done_after_its_input_is_quantised() -> None:
    gemm, scores = Gemm("up", "up", 20, 320, 128, count=3), Gemm("scores", "scores", 4, 64, 8, weights=FP16)
    work = Workload("both", (Phase("prefill", (gemm, scores, VectorWork("norm", "norm", 100, 20, 20))),))
    result = simulate(load_arch("int8"), work)
    layers = [(layer.name, layer.unit, layer.count) for layer in result.layers]
    assert layers == [("up input", "quantiser", 3), ("up", "mxu", 3), ("scores", "vector", 1), ("norm", "vector", 1)]
    assert result.counters["quantiser.values"] == 3 * 20 * 320
    assert result.modules["up"].cycles == 3 * (result.layers[0].cycles + result.layers[1].cycles)
    # Read as FP16, written as INT8 with a scale a token; the GeMM reads that, and writes FP16.
    assert result.layers[0].dram_bytes == 20 * 320 * 2 + -(-(20 * (320 + 2)) // 64) * 64
    assert result.energy["quantiser"] > 0
    without = simulate(load_arch("fp-int"), work)
    assert [layer.unit for layer in without.layers] == ["mxu", "vector", "vector"]
    assert shapes(result) == shapes(without), "the same work: they can be compared"


def test_lanes_cost_area_and_make_it_faster() -> None:
    work = Quantisation("x", "other", 4, 4096, 8)
    few, many = load_arch("int8"), load_arch("int8", ["quantiser.lanes=128"])
    added = area_square_millimetres(many)["quantiser"] - area_square_millimetres(few)["quantiser"]
    assert few.cost.quantiser is not None
    assert added == pytest.approx(64 * few.cost.quantiser.area_square_millimetres_per_lane)
    assert Machine(many).run(work).cycles < Machine(few).run(work).cycles


def test_integer_pes_need_a_quantiser_and_each_quantiser_has_a_cost() -> None:
    with pytest.raises(InputError, match="quantiser: a machine with PEs of kind int8 needs it"):
        Machine(load_arch("int8", ["quantiser=null"]))
    with pytest.raises(InputError, match=r"cost\.quantiser: stands with `quantiser`, and only with it"):
        area_square_millimetres(load_arch("figna", ["quantiser={lanes: 4}"]))


@pytest.mark.parametrize("kv", ["int8", "int4", "int3"])
def test_keys_and_values_go_through_it_head_by_head(kv: str) -> None:
    overrides = ["layers=3", "attention.heads=8", "attention.key_value_heads=2", "attention.head_size=80"]
    work = load_workload("llama-7b", scope="all", tokens=20, precision="6", kv=kv, overrides=overrides)
    with_it, without = (load_arch(name) for name in ("anda-kv", "anda-hpca25"))
    result, plain = simulate(with_it, work), simulate(without, work)
    [layer] = [one for one in result.layers if one.module == "quantise"]
    # Keys and values of 20 tokens in 2 heads each: two passes of 16 lanes over 80 values, and the division.
    heads = 2 * 2 * 20
    launch = with_it.controller.launch_cycles
    assert (layer.unit, layer.count, layer.dram_bytes) == ("quantiser", 3, 0)
    assert layer.cycles == launch + heads * (2 * 5 + DIVISION)
    assert result.counters["quantiser.values"] == 3 * heads * 80
    assert (
        result.counters["quantiser.read_bits"]
        == 2 * result.counters["quantiser.written_bits"]
        == 2 * 16 * 3 * heads * 80
    )
    assert shapes(result) == shapes(plain), "the same work: they can be compared"
    assert result.energy["quantiser"] > 0
    moved = "dram.weight_bytes", "dram.activation_bytes", "dram.output_bytes"
    assert [result.counters[name] for name in moved] == [plain.counters[name] for name in moved]
    [own] = [one for one in plain.layers if one.module == "quantise"]
    assert own.unit == "vector"
    machine = Machine(with_it)
    [step] = [one for one in machine.steps(items_of(work)) if isinstance(one, Quantisation)]
    assert (step.bits, step.cached) == (int(kv.removeprefix("int")), True)
    beats, tiles = (machine.run(step, SimulationOptions(grain)) for grain in ("beat", "tile"))  # type: ignore[arg-type]
    assert (beats.cycles, beats.counters, beats.states) == (tiles.cycles, tiles.counters, tiles.states)
    assert beats.cycles == layer.cycles


def test_keys_and_values_of_two_sizes_are_two_steps() -> None:
    work = quantise(7, 3, (192, 128), 8, count=5)
    steps = list(Machine(load_arch("anda-kv")).steps([work]))
    assert [(one.tokens, one.values, one.bits, one.count) for one in steps] == [(21, 192, 8, 5), (21, 128, 8, 5)]  # type: ignore[union-attr]
    assert list(Machine(load_arch("anda-hpca25")).steps([work])) == [work]


def test_keys_and_values_in_it_do_not_stream() -> None:
    machine, work = Machine(load_arch("anda-kv")), quantise(7, 3, (64, 64), 8, count=1)
    with pytest.raises(
        InputError, match=r"quantiser: attention\.quantise in a quantiser does not follow what it reads"
    ):
        machine.program([([(work, None, 7)], 1)])


def test_a_cache_without_integers_passes_it_by() -> None:
    machine = Machine(load_arch("anda-kv"))
    plain = VectorWork("rotary", "rotary", 100, 0, 0)
    assert list(machine.steps([plain])) == [plain]
    with pytest.raises(InputError, match="PEs of kind anda take FP16"):
        machine.piece(Quantisation("x", "other", 1, 64, 8))
    with pytest.raises(InputError, match="x is to be quantised, and there is none"):
        Machine(load_arch("figna")).piece(Quantisation("x", "quantise", 1, 64, 8, cached=True))


def test_a_token_that_does_not_fit_the_buffer_is_refused() -> None:
    machine = Machine(load_arch("int8", ["buffers.activation.bytes=16384"]))
    with pytest.raises(InputError, match="too small for one token of x") as refused:
        machine.run(Quantisation("x", "other", 1, 8193, 8))
    assert refused.value.facts == {"needed": "16386 bytes = 8193 FP16 values", "available": "16384 bytes"}


def test_gemms_do_not_follow_one_another_past_a_quantiser() -> None:
    with pytest.raises(InputError, match="GeMMs on PEs of kind int8 do not follow one another"):
        Machine(load_arch("int8")).program([(Gemm("up", "up", 4, 64, 64), None)])


def test_attention_in_one_is_refused_on_integer_pes() -> None:
    attention = FusedAttention("attention", (RowBlocks(16, 64, 1),), 1, 64, 64, CACHES["int8"], 6, 8, 5)
    with pytest.raises(InputError, match="PEs of kind int8 do not do attention in one") as refused:
        Machine(load_arch("int8")).piece(attention)
    assert refused.value.facts["needed"] == "queries and softmax quantised on the chip"


def test_a_machine_without_one_quantises_nothing() -> None:
    with pytest.raises(InputError, match="PEs of kind figna take FP16"):
        Machine(load_arch("figna")).piece(Quantisation("x", "other", 1, 64, 8))
