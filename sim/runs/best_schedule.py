"""The best schedule for a GeMM on a machine: candidates ranked by what they move, the first few simulated.

What a schedule changes is how often operands are loaded. With tokens outside and activations resident, weights are
loaded once a token block, so the block should be as large as fits; with outputs outside it is the other way round.
Blocks of the inner loop and chunks of K only decide what fits and how well loads overlap, and a few sizes of each are
enough. The published schedule is always among the simulated ones, so the best is never worse than it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sim.arch.schema import Arch, Hardware, Objective, Schedule
from sim.errors import InputError
from sim.laws.expectation import GemmExpectation
from sim.machine.assembly import Run
from sim.machine.costs import Costs
from sim.machine.execution import run_piece
from sim.mapping.operands import ceil_div
from sim.mapping.piece import Piece
from sim.workload.gemm import Gemm

SIMULATED = 6
"""Candidates that are simulated at least, beside the published one."""
SIMULATED_TILES = 4000
"""Output tiles to simulate in all: of a small GeMM many candidates, where filling and draining decide."""
FEW = 16
"""Up to so many tiles, or groups of K, every size of a block is tried; of more, those that cut evenly."""
PUBLISHED_ROWS = {True: 2, False: 1}
"""Token block of the published schedules, in rows of the MXU: 32 tokens for Anda, whose activations are encoded, 16 for
the others."""
PUBLISHED_K = 2048


@dataclass(frozen=True)
class RankedCandidate:
    """A candidate, and what it is ranked by."""

    schedule: Schedule
    cycles: int
    dram_bytes: int
    requests: int


def blocks_of(piece: Piece) -> Piece:
    """The piece with its blocks known: searched where it names an objective instead."""
    return piece.scheduled(best_schedule(piece)) if isinstance(piece.schedule, str) else piece


def best_schedule(piece: Piece) -> Schedule:
    """Search the schedule of a GeMM for what its piece names instead of blocks.

    `best`: the fewest DRAM bytes among schedules that are no slower than the published one;
    `best-cycles`, `best-dram-bytes`, `best-energy`: the least of one quantity.

    Raises
    ------
    InputError
        Where no schedule fits: says which buffer is too small for the smallest tile.
    """
    gemm, objective, hardware = _gemm(piece), _objective(piece), piece.hardware
    tiles = ceil_div(gemm.m, hardware.mxu.rows) * ceil_div(gemm.n, hardware.run_width)
    simulated = max(SIMULATED, SIMULATED_TILES // tiles)
    shortlist = [entry.schedule for entry in candidates(piece, simulated)[:simulated]]
    published = published_schedule(hardware)
    if any(_estimated(piece, published)):
        shortlist.append(published)
    runs = {schedule: run_piece(piece.scheduled(schedule)) for schedule in shortlist}
    score = _score(hardware, objective)
    eligible = list(runs)
    if objective == "best" and published in runs:
        eligible = [schedule for schedule in runs if runs[schedule].cycles <= runs[published].cycles]
    return min(eligible, key=lambda schedule: score(runs[schedule]))


def published_schedule(hardware: Hardware) -> Schedule:
    """The paper's schedule, for the size of this machine."""
    return Schedule(
        token_block=PUBLISHED_ROWS[hardware.bpc is not None] * hardware.mxu.rows,
        output_block=hardware.run_width,
        k_block=_round_up(PUBLISHED_K, hardware.mxu.dot_length),
    )


def _gemm(piece: Piece) -> Gemm:
    assert isinstance(piece.work, Gemm)
    return piece.work


def _objective(piece: Piece) -> Objective:
    assert isinstance(piece.schedule, str)
    return piece.schedule


def candidates(piece: Piece, refined: int) -> list[RankedCandidate]:
    """Schedules that fit, the most promising first; of the first `refined` all sizes of chunks."""
    gemm, group, rank = _gemm(piece), piece.hardware.mxu.dot_length, _rank(_objective(piece))
    chunks = sorted({min(size, _round_up(gemm.k, group)) for size in (PUBLISHED_K, group)}, reverse=True)
    found: list[RankedCandidate] = []
    for chunk in chunks:
        for blocks in _blocks(piece.hardware, gemm):
            found += _estimated(piece, Schedule(k_block=chunk, **blocks))
        if found:
            break
    if not found:
        piece.scheduled(_smallest(piece.hardware)).plan()  # says what does not fit
    found.sort(key=rank)
    more = [
        estimate
        for entry in found[:refined]
        for chunk in _chunk_sizes(gemm.k, group)
        for estimate in _estimated(piece, entry.schedule.model_copy(update={"k_block": chunk}))
    ]
    return sorted({entry.schedule: entry for entry in (*found, *more)}.values(), key=rank)


def _estimated(piece: Piece, schedule: Schedule) -> Iterator[RankedCandidate]:
    try:
        expected = GemmExpectation(piece.scheduled(schedule))
    except InputError:
        return
    yield RankedCandidate(schedule, expected.bounds.lower_cycles, expected.traffic.bytes, expected.traffic.requests)


def _rank(objective: Objective) -> Callable[[RankedCandidate], tuple[int, ...]]:
    if objective == "best-cycles":
        return lambda entry: (entry.cycles, entry.dram_bytes, entry.requests)
    return lambda entry: (entry.dram_bytes, entry.cycles, entry.requests)


def _score(hardware: Hardware, objective: Objective) -> Callable[[Run], tuple[float, ...]]:
    def dram_bytes(run: Run) -> int:
        return sum(run.counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))

    if objective == "best-cycles":
        return lambda run: (run.cycles, dram_bytes(run))
    if objective == "best-energy":
        assert isinstance(hardware, Arch)
        costs = Costs(hardware)
        return lambda run: (sum(costs.energy_picojoules(run.counters, run.cycles).values()), run.cycles)
    return lambda run: (dram_bytes(run), run.cycles)


def _blocks(hardware: Hardware, gemm: Gemm) -> Iterator[dict[str, int | str]]:
    rows, run = hardware.mxu.rows, hardware.run_width
    tokens = [rows * tiles for tiles in _even_parts(ceil_div(gemm.m, rows))]
    outputs = [run * runs for runs in _even_parts(ceil_div(gemm.n, run))]
    few_tokens, few_outputs = _few(tokens, rows), _few(outputs, run)
    for block in tokens:
        for inner in few_outputs:
            yield {"token_block": block, "output_block": inner, "order": "tokens_outer"}
    for block in outputs:
        for inner in few_tokens:
            yield {"token_block": inner, "output_block": block, "order": "outputs_outer"}


def _few(sizes: list[int], tile: int) -> list[int]:
    """Sizes for the inner loop's blocks: all where there are few, else the three smallest powers of two."""
    if len(sizes) <= FEW:
        return sizes
    return [tile, 2 * tile, 4 * tile]


def _even_parts(tiles: int) -> list[int]:
    """Sizes of blocks that cut `tiles` tiles into 1, 2, 3 ... blocks as evenly as can be, the largest first."""
    if tiles <= FEW:
        return list(range(tiles, 0, -1))
    return sorted({ceil_div(tiles, blocks) for blocks in range(1, tiles + 1)}, reverse=True)


def _chunk_sizes(k: int, group: int) -> list[int]:
    """Stretches of K from eight groups to all of it, doubling; every one where there are few."""
    if ceil_div(k, group) <= FEW:
        return [group * groups for groups in range(1, ceil_div(k, group) + 1)]
    sizes, size = [], 8 * group
    while size < k:
        sizes.append(size)
        size *= 2
    return [*sizes, _round_up(k, group)]


def _round_up(value: int, multiple: int) -> int:
    return ceil_div(value, multiple) * multiple


def _smallest(hardware: Hardware) -> Schedule:
    mxu = hardware.mxu
    return Schedule(token_block=mxu.rows, output_block=hardware.run_width, k_block=mxu.dot_length)
