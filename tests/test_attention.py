"""Fused attention: grains and fast-forward count the same, laws hold, and times are those of the equations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from sim.arch.load import load_arch
from sim.engine.activity import State
from sim.errors import InputError
from sim.laws.conservation import BrokenLawError
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.machine import Machine
from sim.mapping.attention_nest import AttentionCursor, SoftmaxCursor
from sim.result.layer import do
from sim.runs.runs import Runs
from sim.units.softmax import Softmax
from sim.workload.attention import CACHES
from sim.workload.gemm import FusedAttention, RowBlocks
from sim.workload.load import load_workload
from tests.attentions import random_attention
from tests.test_grains import differences

CASES, BATCH = 75, 25
BEATS = 20_000
"""Cycles up to which the beat grain is simulated."""


def attention(rows: int, keys: int, **changes: object) -> FusedAttention:
    plain: dict[str, object] = {"heads": 8, "head_size": 128, "value_size": 128, "cache": CACHES["int8"]}
    lengths = {"query_bits": 8, "probability_bits": 8, "output_mantissa_bits": 6}
    return FusedAttention("attention", (RowBlocks(rows, keys, 1),), **(plain | lengths | changes))  # type: ignore[arg-type]


def cases(first: int, count: int) -> Iterator[tuple[int, Machine, FusedAttention]]:
    for seed in range(first, first + count):
        case = random_attention(seed)
        try:
            machine = Machine(case.arch)
            machine.piece(case.attention)
        except InputError:
            continue  # its buffers do not hold a row tile and a group of keys
        yield seed, machine, case.attention


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_the_grains_and_fast_forward_count_the_same_on_random_machines(first: int) -> None:
    compared = skipped = waited = 0
    for seed, machine, work in cases(first, BATCH):
        tile = machine.run(work, SimulationOptions(fast_forward=False))
        skipping = machine.run(work, SimulationOptions(verify=seed % 2 == 0))
        assert not differences(tile, skipping), f"fast-forward, seed {seed}"
        skipped += bool(skipping.skips)
        waited += tile.states["mxu"][State.DEPENDENCY] + tile.states["mxu"][State.OUTPUT_SPACE] > tile.cycles // 4
        if tile.cycles <= BEATS:
            assert not differences(tile, machine.run(work, SimulationOptions("beat"))), f"beat, seed {seed}"
            compared += 1
    assert compared >= BATCH // 5
    assert skipped >= BATCH // 4
    assert 0 < waited < BATCH


def caught() -> bool:
    """Whether some random attention comes out wrong, breaks a law, or never ends."""
    for _, machine, work in cases(0, 60):
        try:
            if differences(machine.run(work, SimulationOptions(fast_forward=False)), machine.run(work)):
                return True
        except (BrokenLawError, RuntimeError, OverflowError, KeyError, AssertionError):
            return True
    return False


def test_a_softmax_that_a_skip_leaves_behind_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SoftmaxCursor, "jump", lambda self, level, iterations: None)
    assert caught()


def test_parts_of_the_softmax_that_take_no_time_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Softmax, "tile_compute", lambda self, operations: iter(()))
    assert caught()


def test_a_row_tile_that_is_unlike_the_others_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    original = AttentionCursor.count
    monkeypatch.setattr(AttentionCursor, "count", lambda self, level: original(self, level) + 1)
    assert caught()


def test_the_context_of_the_block_before_is_a_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AttentionCursor, "_before", lambda self: (self.segment, 0, 0))
    assert caught()


@pytest.mark.parametrize("kv", ["int8", "int4"])
@pytest.mark.parametrize(("rows", "keys"), [(64, 2048), (8, 8256), (64, 512)])
def test_the_mxu_is_busy_for_the_words_of_both_products(kv: str, rows: int, keys: int) -> None:
    # Row tiles of 16; 16 columns x 64 values a group: r (keys d / 1024) (W_q + W_p), twice for two digits.
    run = Machine(load_arch("anda-hpca25")).run(attention(rows, keys, cache=CACHES[kv], query_bits=6))
    digits = {"int8": 2, "int4": 1}[kv]
    tiles = -(-rows // 16)
    assert run.states["mxu"][State.BUSY] == 8 * tiles * (keys * 128 // 1024) * ((6 + 1) + (8 + 1)) * digits
    assert run.cycles < 1.003 * run.states["mxu"][State.BUSY] + 500


@pytest.mark.parametrize("name", ["fp-int", "ifpu", "figna", "figna-m11", "figna-m8", "anda-hpca25"])
def test_keys_and_values_of_eight_bits_take_integer_machines_twice_as_long(name: str) -> None:
    machine = Machine(load_arch(name))
    kinds = ("int8", "int4", "int3")
    busy = {kv: machine.run(attention(64, 1024, cache=CACHES[kv])).states["mxu"][State.BUSY] for kv in kinds}
    assert busy["int8"] == 2 * busy["int4"] == 2 * busy["int3"]


def test_fp_fp_takes_every_cache_in_the_same_time() -> None:
    machine = Machine(load_arch("fp-fp"))
    runs = {kv: machine.run(attention(64, 1024, cache=cache)) for kv, cache in CACHES.items()}
    assert len({run.states["mxu"][State.BUSY] for run in runs.values()}) == 1
    moved = [runs[kv].counters["dram.weight_bytes"] for kv in ("int3", "int4", "int8", "fp16")]
    assert moved == sorted(set(moved))


def bursts(size: int) -> int:
    return -(-size // 64) * 64


def test_dram_moves_queries_outputs_and_each_key_and_value_once_and_no_score() -> None:
    # A prompt of 2,048 tokens: keys and values of a head, 2 x 2,048 x (128 x 8 + 16) bits, stay in 1 MiB of weights.
    [phase] = load_workload("llama-7b", scope="all", tokens=2048, precision="6").phases
    [work] = [item for item in phase.items if isinstance(item, FusedAttention)]
    run = Machine(load_arch("anda-hpca25")).run(work)
    heads, pages = 32, 32
    page = 64 * (128 * 8 + 16) // 8
    assert run.counters["dram.weight_bytes"] == heads * pages * 2 * bursts(page)
    # 64 queries of 9 rows of planes, and 2 exponents of 5 bits a query.
    assert run.counters["dram.activation_bytes"] == heads * pages * bursts(64 * 128 * 9 // 8 + 64 * 2 * 5 // 8)
    # Outputs leave in groups of 64, 16 rows at a time, with 6 planes for o.
    assert run.counters["dram.output_bytes"] == heads * pages * 4 * 2 * bursts(16 * 64 * 7 // 8 + 16 * 5 // 8)


def test_each_row_block_loads_its_own_keys_where_a_head_does_not_stay() -> None:
    spans = tuple(RowBlocks(64, 64 * (page + 1), 1) for page in range(16))
    work = FusedAttention("attention", spans, 2, 128, 128, CACHES["int8"], 8, 8, 6)
    arch = load_arch("anda-hpca25", ["buffers.weight.bytes=131072"])
    run = Machine(arch).run(work)
    token = (128 * 8 + 16) // 8
    assert run.counters["weight_buffer.filled_bytes"] == 2 * sum(2 * 64 * (page + 1) * token for page in range(16))


def brute(work: FusedAttention, key_block: int, rows_at_a_time: int) -> Counter[str]:
    """Operations and bits of the vector unit, row by row of scores."""
    found: Counter[str] = Counter()
    for block in work.blocks:
        for row in range(block.rows * block.count * work.heads):
            first_of_tile = row % block.rows % rows_at_a_time == 0
            starts = range(0, block.keys, key_block)
            for start in starts:
                keys = min(key_block, block.keys - start)
                found["operations"] += 5 * keys + 2
                found["reads"] += 2 * 16 * keys + (16 * keys if first_of_tile else 0)
                found["writes"] += 16 * keys + -(-keys // 64) * (9 * 64)
                sums = len(starts) > 1
                found["operations"] += work.value_size * sums
                found["reads"] += work.value_size * (16 + 32 * sums)
                found["writes"] += work.value_size * (16 + 32 * sums)
            found["operations"] += work.value_size + 1
    return found


@pytest.mark.parametrize(("rows", "keys"), [(8, 8256), (64, 2048), (1, 64), (20, 700)])
def test_the_vector_unit_works_and_moves_as_one_would_count_it_row_by_row(rows: int, keys: int) -> None:
    work = attention(rows, keys, heads=2)
    machine = Machine(load_arch("anda-hpca25"))
    run, plan = machine.run(work), machine.piece(work).attention_plan()
    expected = brute(work, plan.key_block, 16)
    assert run.counters["vector.operations"] == expected["operations"]
    assert run.counters["vector.read_bits"] == expected["reads"]
    side = sum(  # exponents of P: whole bytes of a row tile
        2 * 8 * -(-min(16, rows - row) * -(-min(plan.key_block, keys - start) // 64) * 5 // 8)
        for row in range(0, rows, 16)
        for start in range(0, keys, plan.key_block)
    )
    assert run.counters["vector.written_bits"] == expected["writes"] + side


def test_a_slow_vector_unit_is_what_limits_and_is_named() -> None:
    machine = Machine(load_arch("anda-hpca25", ["vector.fpus=8"]))
    layer = do(machine, "decode", attention(64, 2048), Runs()).layer
    assert (layer.unit, layer.limit.unit, layer.limit.key) == ("mxu", "vector", "vector.fpus")
    assert layer.cycles >= 8 * 64 * 2048 * 5 // 8
    assert layer.waterfall.losses["softmax"] > layer.waterfall.whole / 2


def run_of(machine: str, **options: object) -> Run:
    [phase] = load_workload("llama2-70b", scope="all", phase="decode", context=8192, precision="7", **options).phases  # type: ignore[arg-type]
    [work] = [item for item in phase.items if isinstance(item, FusedAttention)]
    return Machine(load_arch(machine)).run(work)


def test_decode_at_batch_16_spends_next_to_nothing_beside_the_equation() -> None:
    # 128 heads of 8 rows, 8,256 keys (129 pages), INT4: 8,256 x 128 / 1,024 x 18 words.
    run = run_of("anda-hpca25", batch=16, kv="int4")
    assert run.states["mxu"][State.BUSY] == 128 * (8256 * 128 // 1024) * 18
    assert run.cycles - run.states["mxu"][State.BUSY] < 300


@pytest.mark.parametrize(
    ("machine", "kv", "message"),
    [
        ("anda-hpca25", "fp16", r"PEs of kind anda do not multiply the FP16 keys and values of attention"),
        ("figna", "fp16", r"needed +keys and values as integers: --kv int8, int4 or int3"),
    ],
)
def test_a_cache_that_no_pe_takes_is_refused(machine: str, kv: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        Machine(load_arch(machine)).piece(attention(8, 64, cache=CACHES[kv]))
    assert re.search(message, str(error.value))


@pytest.mark.parametrize(
    ("assignment", "field"),
    [
        ("buffers.activation.bytes=16384", "buffers.activation.bytes"),
        ("buffers.weight.bytes=16384", "buffers.weight.bytes"),
    ],
)
def test_buffers_that_hold_no_row_tile_are_refused_with_what_is_needed(assignment: str, field: str) -> None:
    machine = Machine(load_arch("anda-hpca25", [assignment]))
    with pytest.raises(InputError) as error:
        machine.piece(attention(8, 8192, head_size=256, value_size=256))
    assert error.value.field == field
    assert {"needed", "available"} <= set(error.value.facts)
