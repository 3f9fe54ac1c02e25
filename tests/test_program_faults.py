"""Faults planted into programs: each is caught by a case built for it, or found for it among the random ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.laws.conservation import BrokenLawError
from sim.laws.program import ProgramExpectation
from sim.machine.assembly import SimulationOptions
from sim.machine.streaming import run_program
from sim.mapping.attention_nest import AttentionCursor, QueryCursor
from sim.mapping.course import AttentionStage, Course, GemmStage, VectorStage
from sim.mapping.nest import Chunk, LoadCursor, TileCursor
from sim.mapping.program import LayerProgram, Needs, ProgramPlace, ProgramStep
from sim.mapping.program_nest import LAYERS, ProgramCursor, ProgramLoads
from sim.mapping.stream import Awaited, Lane, Stream
from sim.units.collector import Collector
from sim.units.progress import Dependent, Progress
from sim.units.softmax import Softmax
from sim.workload.attention import CACHES
from sim.workload.gemm import FusedAttention, Gemm, RowBlocks, VectorWork
from tests.causality import early_reads
from tests.programs import ProgramCase, random_program, tiny_model, twins
from tests.test_grains import differences
from tests.test_programs import PLAIN, cases


def mixed_outputs(seed: int) -> ProgramCase:
    """Outputs that take one lane long to compress, and few that go round it."""
    encoded = Gemm("g", "up", 16, 64, 64, mantissa_bits=6, output_mantissa_bits=16)
    plain = replace(encoded, module="down", output_mantissa_bits=None)
    return ProgramCase(load_arch("anda-hpca25", ["bpc.lanes=1"]), (([ProgramStep(encoded), ProgramStep(plain)], 2),))


def caught(
    monkeypatch: pytest.MonkeyPatch, seeds: range, make: Callable[[int], ProgramCase], *, beats: bool = False
) -> bool:
    """Whether some program comes out wrong, breaks a law, reads early, or never ends."""
    for _, _, program in cases(make, seeds):
        try:
            plain = run_program(program, PLAIN)
            if differences(plain, run_program(program)):
                return True
            if make is not twins and early_reads(program, monkeypatch)[1]:
                return True
            if beats and differences(plain, run_program(program, SimulationOptions("beat"))):
                return True
        except (AssertionError, BrokenLawError, RuntimeError, LookupError, OverflowError, ZeroDivisionError):
            return True
    return False


def one_layer_too_many(original: Any) -> Any:
    return lambda self, level: original(self, level) + (level == LAYERS)


def too_few(original: Any) -> Any:
    return lambda self, rows: max(original(self, rows) - 1, 0)


def rows_of_the_tile_before(self: LoadCursor) -> int:
    block = self.outer if self.plan.order == "tokens_outer" else self.inner
    return max(block * self.plan.tokens.block + self.row * self.plan.tokens.tile, 1)


def not_over_the_border(original: Any) -> Any:
    def producer(self: Course, place: ProgramPlace) -> ProgramPlace | None:
        needs = self.stage(place).needs
        return None if needs is None or needs.back > place.operation else original(self, place)

    return producer


def one_label(original: Any) -> Any:
    def of(cls: type[Stream], plan: Any, pace: Any) -> Stream:
        return replace(original(plan, pace), words=4)

    return classmethod(of)


def overtaking(self: Collector) -> Iterator[Any]:
    self.target = self.compressor if self.compressor and self.tile.stream.compressed_rows else self.sink  # type: ignore[assignment]
    yield from ()


def never_told_where_a_skip_went(original: Any) -> Any:
    class Unmoved:
        """Passes for a position that moves along, but waits for what it waited for."""

        def __init__(self, position: Dependent) -> None:
            self.position, self.awaited = position, position.awaited

        def __eq__(self, other: object) -> bool:
            return other is self.position

        __hash__ = None  # type: ignore[assignment]

    def reached(self: Progress, position: Dependent) -> Any:
        return original(self, Unmoved(position))

    return reached


FAULTS: dict[str, tuple[Any, range, Any, str, Any]] = {
    "a skip does not move what was stored": (random_program, range(1, 4), Progress, "skip", lambda self, outputs: None),
    "one layer too many to skip": (
        random_program,
        range(1, 3),
        ProgramCursor,
        "count",
        one_layer_too_many(ProgramCursor.count),
    ),
    "an output block too few waited for": (
        random_program,
        range(3, 5),
        GemmStage,
        "blocks_until",
        too_few(GemmStage.blocks_until),
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
        Progress,
        "reached",
        never_told_where_a_skip_went(Progress.reached),
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
    monkeypatch.setattr(Progress, "is_late", True)
    programs = [program for _, _, program in cases(random_program, range(20))]
    with pytest.raises(BrokenLawError, match="a skip passes no output"):
        list(map(run_program, programs))


# ----------------------------------------------------------------- of attention, vector work, sections, rounds


def hurried(seed: int) -> ProgramCase:
    """Attention that waits for nothing, behind a GeMM whose outputs drain and are compressed slowly."""
    slow = ["collector.port_bits=64", "bpc.lanes=1", "mxu.output_registers=2", "vector.fpus=512", "mxu.columns=16"]
    gemm = Gemm("g", "up", 16, 64, 128, mantissa_bits=8, output_mantissa_bits=15)
    attention = FusedAttention("a", (RowBlocks(16, 128, 1),), 2, 512, 512, CACHES["int8"], 9, 9, 6)
    return ProgramCase(load_arch("anda-hpca25", slow), (([ProgramStep(gemm), ProgramStep(attention)], 3),))


def outputs_first(seed: int) -> ProgramCase:
    """Rows are complete only in the last block of outputs, whose row blocks would be skipped."""
    arch = load_arch("anda-hpca25", ["schedule.order=outputs_outer", "schedule.token_block=16"])
    gemm = Gemm("g", "up", 16 * 24, 64, 128, mantissa_bits=6, output_mantissa_bits=6)
    return ProgramCase(
        arch, (([ProgramStep(gemm), ProgramStep(VectorWork("v", "norm", 3840, 0, 0), Needs(1), 384)], 2),)
    )


def uneven(seed: int) -> ProgramCase:
    """Sections between which weights take their port longer than the group before."""
    arch = load_arch("anda-hpca25", ["weight_dispatcher.port_bits=64"])
    wide = Gemm("g", "up", 64, 64, 64, mantissa_bits=12, output_mantissa_bits=6)
    steps = [ProgramStep(wide, Needs(1, "all")), ProgramStep(VectorWork("v", "norm", 6400, 0, 0), Needs(1), 64)]
    narrow = replace(wide, module="head", m=16, n=16, mantissa_bits=1)
    return ProgramCase(arch, ((steps, 2), ([ProgramStep(narrow, Needs(1, "all"))], 1)), 2)


def shifted(original: Any, by: int) -> Any:
    return lambda self, *arguments: max(original(self, *arguments) + by, 1)


def without_keys(original: Any) -> Any:
    def awaited(self: ProgramLoads) -> Awaited:
        return Awaited() if self.side == "weights" else original.fget(self)

    return property(awaited)


def half_begun(self: AttentionCursor) -> None:
    """As `restart`, but at the product where the last attention ended."""
    self.head, self.done = 0, False
    self._look()


def inside_its_section(original: Any) -> Any:
    def before(self: LayerProgram, place: ProgramPlace, back: int) -> ProgramPlace | None:
        found = original(self, place, back)
        return found if found and found[:2] == place[:2] else None

    return before


def nothing_held(self: QueryCursor) -> Chunk:
    return Chunk(*self.plan.query_bytes(self.view.rows))


def done_before_it_is(original: Any) -> Any:
    def compute(self: Any, operations: int) -> Iterator[Any]:
        if hasattr(self, "walk") and isinstance(self.walk.stage, VectorStage):
            if self.walk.stream.lane is Lane.IN_PLACE:
                self.progress.outputs[Lane.IN_PLACE] += 1
            yield from original(self, operations)
            if self.walk.stream.lane is Lane.IN_PLACE:
                self.progress.outputs[Lane.IN_PLACE] -= 1
        else:
            yield from original(self, operations)

    return compute


WIDER_FAULTS: dict[str, tuple[Any, range, Any, str, Any]] = {
    "a block of vector work too few waited for": (
        tiny_model, range(1, 2), VectorStage, "blocks_until", shifted(VectorStage.blocks_until, -1)),
    "vector work on rows that are not there yet": (
        tiny_model, range(1, 2), VectorStage, "rows_until", shifted(VectorStage.rows_until, -16)),
    "an output of attention too few": (
        tiny_model, range(1, 2), AttentionStage, "blocks", property(lambda self: 1)),
    "keys and values of what is not there yet": (
        tiny_model, range(1), ProgramLoads, "awaited", without_keys(ProgramLoads.awaited)),
    "an attention that begins where the last ended": (tiny_model, range(8), AttentionCursor, "restart", half_begun),
    "nothing waited for over the border of sections": (
        tiny_model, range(1), LayerProgram, "before", inside_its_section(LayerProgram.before)),
    "an attention that holds nothing of the buffer": (tiny_model, range(1), QueryCursor, "present", nothing_held),
    "a skip past what vector work waits for": (
        outputs_first, range(1), Progress, "room", lambda self, outputs, moved: None),
    "vector work that is done before it is": (
        tiny_model, range(26, 27), Softmax, "tile_compute", done_before_it_is(Softmax.tile_compute)),
    "no lag between sections": (uneven, range(1), ProgramExpectation, "_lag", lambda self, here, after: 0),
    "rows of attention that begin among outputs": (
        hurried, range(1), AttentionCursor, "begins", property(lambda self: False)),
}  # fmt: skip


@pytest.mark.parametrize("fault", WIDER_FAULTS)
def test_a_planted_fault_of_wider_programs_is_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, seeds, place, name, planted = WIDER_FAULTS[fault]
    assert not caught(monkeypatch, seeds, make, beats=make is hurried)
    monkeypatch.setattr(place, name, planted)
    assert caught(monkeypatch, seeds, make, beats=make is hurried)
