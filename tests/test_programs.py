"""Programs of GeMMs: every way of simulating one counts the same, nothing is read before it is stored, faults show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.engine.activity import State
from sim.errors import InputError
from sim.laws.conservation import BrokenLawError
from sim.laws.program import ProgramExpectation
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.machine import Machine
from sim.machine.streaming import run_program
from sim.mapping.nest import LoadCursor, TileCursor
from sim.mapping.program import Course, GemmProgram, Needs, ProgramCursor, ProgramLoads, Stage
from sim.mapping.stream import Stream
from sim.units.collector import Collector, OutputBlock
from sim.units.writer import Writer
from sim.workload.gemm import Gemm
from sim.workload.load import load_workload
from tests.machines import random_case
from tests.programs import ProgramCase, random_program, twins
from tests.test_grains import differences

PLAIN = SimulationOptions(fast_forward=False)
BEAT_CYCLES = 15_000


def cases(make: Callable[[int], ProgramCase], seeds: range) -> Iterator[tuple[int, ProgramCase, GemmProgram]]:
    """Those that their machines take."""
    for seed in seeds:
        case = make(seed)
        with suppress(InputError):
            yield seed, case, case.program()


@pytest.mark.parametrize(("make", "seeds"), [(random_program, range(40)), (twins, range(50, 58))])
def test_the_grains_and_fast_forward_count_the_same(make: Callable[[int], ProgramCase], seeds: range) -> None:
    compared = skipping = beats = 0
    for seed, _, program in cases(make, seeds):
        plain = run_program(program, PLAIN)
        skipped = run_program(program)
        assert not differences(plain, skipped), seed
        assert not differences(plain, run_program(program, SimulationOptions(verify=True))), seed
        if plain.cycles < BEAT_CYCLES:
            assert not differences(plain, run_program(program, SimulationOptions("beat"))), seed
            beats += 1
        compared += 1
        skipping += bool(skipped.skips)
    assert compared >= 0.9 * len(seeds)
    assert skipping >= compared // 2
    assert beats or make is twins


def test_a_program_of_one_gemm_is_the_gemm() -> None:
    for seed in range(60):
        case = random_case(seed)
        machine = Machine(case.arch)
        with suppress(InputError):
            program = machine.program([(case.gemm, None)])
            alone, streamed = machine.run(case.gemm, PLAIN), run_program(program, PLAIN)
            own = {name: count for name, count in streamed.counters.items() if name in alone.counters}
            assert (alone.cycles, alone.states, alone.counters) == (streamed.cycles, streamed.states, own), seed


# ---------------------------------------------------------------------------------------------- what waits for what


def blocks_in_order(plan: Any) -> list[int]:
    """The first row of each output block, in the order in which the MXU finishes them."""
    cursor, rows = TileCursor(plan), []
    while not cursor.done:
        op = cursor.present()
        if op.run_columns:
            block = cursor.outer if plan.order == "tokens_outer" else cursor.inner
            rows.append(block * plan.tokens.block + cursor.row * plan.tokens.tile)
        cursor.step()
    return rows


def early_loads(program: GemmProgram, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Loads that depend on outputs, and those of them that came before all of these had been stored."""
    course = Course(program)
    order = [blocks_in_order(stage.plan) for stage in course.stages]
    stored: list[Stream] = []
    counts = [0, 0]

    def store(self: Writer, block: OutputBlock) -> None:
        stored.append(block.stream)
        write(self, block)

    def step(self: ProgramLoads) -> None:
        needs = self.course.stages[self.operation].needs
        index = -1 if needs is None or self.side == "weights" else self.layer * len(order) + self.operation - needs.back
        if needs is not None and index >= 0:
            layer, producer = divmod(index, len(order))
            before = layer * sum(map(len, order)) + sum(len(blocks) for blocks in order[:producer])
            wanted = [i for i, row in enumerate(order[producer]) if needs.extent == "all" or row < last_row(self.now)]
            counts[0] += 1
            counts[1] += writers[-1].progress <= before + max(wanted)
        move(self)

    def kept(self: Writer, *arguments: Any, **named: Any) -> None:
        create(self, *arguments, **named)
        writers.append(self)

    writers: list[Writer] = []
    create, write, move = Writer.__init__, Writer._store, ProgramLoads.step
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "__init__", kept)
        patched.setattr(Writer, "_store", store)
        patched.setattr(ProgramLoads, "step", step)
        run_program(program, PLAIN)
    # Blocks leave in the order of the loops: the streams of `course` are others, of equal values.
    labels = [stage.stream.label for stage in course.stages for _ in range(stage.blocks)] * course.layers
    assert [stream.label for stream in stored] == labels
    return counts[0], counts[1]


def last_row(cursor: LoadCursor) -> int:
    """Tokens up to the end of the row tile that a loader of activations stands in."""
    block = cursor.outer if cursor.plan.order == "tokens_outer" else cursor.inner
    tile = cursor.plan.tokens.tile
    return block * cursor.plan.tokens.block + min(tile * (cursor.row + 1), cursor.tokens)


def test_no_activation_is_loaded_before_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    dependent = 0
    for seed, _, program in cases(random_program, range(100, 140)):
        loads, early = early_loads(program, monkeypatch)
        assert early == 0, seed
        dependent += loads
    assert dependent > 500


def test_a_row_tile_is_taken_as_soon_as_its_own_rows_are_there() -> None:
    """Rows that the first operation stores early are loaded while it computes the others."""
    machine = Machine(load_arch("anda-hpca25", ["schedule.token_block=16"]))
    up = Gemm("up", "up", 256, 256, 256, mantissa_bits=6, output_mantissa_bits=6)
    steps = [(up, None), (replace(up, name="down", module="down"), Needs(1, "rows"))]
    by_rows = run_program(machine.program(steps))
    whole = run_program(machine.program([steps[0], (steps[1][0], Needs(1, "all"))]))
    assert by_rows.cycles < whole.cycles
    assert by_rows.counters["mxu.macs"] == whole.counters["mxu.macs"]


# ------------------------------------------------------------------------------------------------------- what it gains


def decode_layer(module_needs: bool = True) -> list[tuple[Gemm, Needs | None]]:
    """LLaMA-13B, one token: q, k and v read the layer before, o all of them (attention between), up o, down up."""
    [phase] = load_workload("llama-13b", phase="decode", batch=1).phases
    gemms = [item for item in phase.items if isinstance(item, Gemm) and item.module != "head"]
    seen: dict[str, int] = {}
    steps: list[tuple[Gemm, Needs | None]] = []
    for gemm in gemms:
        back = 1 + seen.get(gemm.module, 0)
        seen[gemm.module] = back
        steps.append((gemm, Needs(back, "all" if gemm.module == "o" else "rows") if module_needs else None))
    return steps


def test_a_layer_of_decoding_streams_where_its_pieces_start_and_end_empty() -> None:
    machine = Machine(load_arch("anda-datacenter"))
    steps = decode_layer()
    pieces = sum(machine.run(gemm).cycles for gemm, _ in steps)
    layer, model = run_program(machine.program(steps)), run_program(machine.program(steps, layers=40))
    assert layer.cycles < 36_200 < 39_000 < pieces
    assert model.cycles < 40 * layer.cycles
    assert [skip.level for skip in model.skips] == ["layers"]
    # What each module takes adds up, and bytes are those of the pieces.
    spent = [
        sum(model.counters[f"mxu.{gemm.module}.{state.name.lower()}_cycles"] for state in State) for gemm, _ in steps
    ]
    assert sum(dict(zip([gemm.module for gemm, _ in steps], spent, strict=True)).values()) == model.cycles
    moved = sum(machine.run(gemm).counters["dram.weight_bytes"] for gemm, _ in steps)
    assert model.counters["dram.weight_bytes"] == 40 * moved


def cycles_of(run: Run, module: str) -> int:
    return sum(run.counters[f"mxu.{module}.{state.name.lower()}_cycles"] for state in State)


def test_waiting_for_operands_is_time_of_the_operation_that_needs_them() -> None:
    machine = Machine(load_arch("anda-hpca25", ["dram.bandwidth_gigabytes_per_second=1"]))
    small, large = (Gemm("g", module, 16, k, 256, mantissa_bits=6) for module, k in (("up", 64), ("down", 4096)))
    run = run_program(machine.program([(small, None), (large, Needs(1, "all"))]))
    alone = machine.run(small).cycles
    assert cycles_of(run, "up") <= alone < cycles_of(run, "down") / 20
    assert run.counters["mxu.down.weights_cycles"] > cycles_of(run, "down") / 2


def test_weights_run_ahead_of_what_their_operation_waits_for() -> None:
    machine = Machine(load_arch("anda-datacenter"))
    free = run_program(machine.program(decode_layer(module_needs=False), layers=8))
    dependent = run_program(machine.program(decode_layer(), layers=8))
    assert free.cycles <= dependent.cycles < 1.01 * free.cycles


# ------------------------------------------------------------------------------------------------------- planted faults


def mixed_outputs(seed: int) -> ProgramCase:
    """Outputs that take one lane long to compress, and few that go round it."""
    encoded = Gemm("g", "up", 16, 64, 64, mantissa_bits=6, output_mantissa_bits=16)
    plain = replace(encoded, module="down", output_mantissa_bits=None)
    return ProgramCase(load_arch("anda-hpca25", ["bpc.lanes=1"]), ((encoded, None), (plain, None)), 2)


def caught(monkeypatch: pytest.MonkeyPatch, seeds: range, make: Callable[[int], ProgramCase]) -> bool:
    """Whether some program comes out wrong, breaks a law, reads early, or never ends."""
    for _, _, program in cases(make, seeds):
        try:
            if differences(run_program(program, PLAIN), run_program(program)):
                return True
            if make is not twins and early_loads(program, monkeypatch)[1]:
                return True
        except (AssertionError, BrokenLawError, RuntimeError, IndexError, ZeroDivisionError):
            return True
    return False


def one_layer_too_many(self: Any, level: int) -> int:
    return (self.course.layers + 2, 0)[level] if level < 2 else self.now.count(level - 2)


def unmoved(self: Writer, blocks: int) -> None:
    self.blocks_left -= blocks


def too_few(original: Any) -> Any:
    return lambda self, rows: max(original(self, rows) - 1, 0)


def rows_of_the_tile_before(self: LoadCursor) -> int:
    block = self.outer if self.plan.order == "tokens_outer" else self.inner
    return max(block * self.plan.tokens.block + self.row * self.plan.tokens.tile, 1)


def not_over_the_border(original: Any) -> Any:
    def producer(self: Course, layer: int, operation: int) -> tuple[int, int] | None:
        needs = self.stages[operation].needs
        return None if needs is None or needs.back > operation else original(self, layer, operation)

    return producer


def one_label(original: Any) -> Any:
    def of(cls: type[Stream], plan: Any, pace: Any) -> Stream:
        return replace(original(plan, pace), words=4)

    return classmethod(of)


def overtaking(self: Collector) -> Iterator[Any]:
    self.target = self.compressor if self.compressor and self.tile.stream.compressed_rows else self.sink  # type: ignore[assignment]
    yield from ()


def never_told_where_a_skip_went(original: Any) -> Any:
    def reached(self: Writer, needed: Callable[[], int]) -> Any:
        wanted = needed()
        return original(self, lambda: wanted)

    return reached


FAULTS: dict[str, tuple[Any, range, Any, str, Any]] = {
    "a skip does not move what was stored": (random_program, range(1, 4), Writer, "skip", unmoved),
    "one layer too many to skip": (random_program, range(1, 3), ProgramCursor, "count", one_layer_too_many),
    "an output block too few waited for": (
        random_program,
        range(3, 5),
        Stage,
        "blocks_until",
        too_few(Stage.blocks_until),
    ),
    "the rows of the tile before": (
        random_program,
        range(3, 4),
        LoadCursor,
        "rows_until",
        property(rows_of_the_tile_before),
    ),
    "nothing waited for over the border of layers": (
        random_program,
        range(2, 4),
        Course,
        "producer",
        not_over_the_border(Course.producer),
    ),
    "the words of another operation": (random_program, range(0, 2), Stream, "of", one_label(Stream.of)),
    "outputs overtake what is being compressed": (mixed_outputs, range(1), Collector, "_turn", overtaking),
    "no lag of the weight port between operations": (random_program, range(4, 5), ProgramExpectation, "port_lag", 0),
    "what a load waits for is not moved by a skip": (
        random_program,
        range(3, 4),
        Writer,
        "reached",
        never_told_where_a_skip_went(Writer.reached),
    ),
    "kinds that do not tell operations apart": (twins, range(58, 62), ProgramCursor, "kind", 0),
    "loops that do not start again": (random_program, range(1, 3), TileCursor, "restart", lambda self: None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, seeds, place, name, planted = FAULTS[fault]
    assert not caught(monkeypatch, seeds, make)
    monkeypatch.setattr(place, name, planted)
    assert caught(monkeypatch, seeds, make)


def test_a_load_that_a_skip_would_pass_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Writer, "is_late", True)
    programs = [program for _, _, program in cases(random_program, range(20))]
    with pytest.raises(BrokenLawError, match="a skip passes no output"):
        list(map(run_program, programs))


# ------------------------------------------------------------------------------------------------------------ refusals


def gemm(rows: int = 16) -> Gemm:
    return Gemm("g", "up", rows, 64, 64, mantissa_bits=6)


@pytest.mark.parametrize(
    ("steps", "layers", "told"),
    [
        ([], 1, "needs an operation"),
        ([(gemm(), None)], 0, "and a layer"),
        ([(gemm(), Needs(0))], 1, "wait for itself"),
        ([(gemm(), None), (gemm(), Needs(-1))], 2, "wait for itself"),
        ([(gemm(16), None), (gemm(32), Needs(1, "rows"))], 1, "rows that its producer does not have"),
        ([(gemm(16), Needs(1, "rows")), (gemm(32), None)], 2, "rows that its producer does not have"),
    ],
)
def test_a_program_that_cannot_run_is_refused(steps: list[Any], layers: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Machine(load_arch("anda-hpca25")).program(steps, layers)


def test_rows_that_come_from_before_the_program_are_not_waited_for() -> None:
    program = Machine(load_arch("anda-hpca25")).program([(gemm(16), Needs(1, "rows")), (gemm(32), None)], 1)
    assert run_program(program).counters["mxu.macs"] == 48 * 64 * 64
