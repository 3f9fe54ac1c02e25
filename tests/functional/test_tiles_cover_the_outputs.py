"""The tiles executed are those of the timing run: as many, each output once."""

from __future__ import annotations

import numpy as np
import pytest

from sim.arch.load import load_arch
from sim.functional import tiles
from sim.functional.tiles import CoverageError, Tile, output_tiles, panels
from sim.machine.machine import Machine
from sim.workload.gemm import FP16, Gemm
from tests.machines import random_case


def plan_and_machine(seed):
    case = random_case(seed)
    machine = Machine(case.arch)
    return machine.piece(case.gemm).plan(), machine, case.gemm


@pytest.mark.parametrize("seed", range(60))
def test_as_many_tiles_as_the_timing_run_and_every_output_once(seed):
    plan, machine, gemm = plan_and_machine(seed)
    written = np.zeros((gemm.m, gemm.n), int)
    found = list(output_tiles(plan))
    for tile in found:
        written[tile.row : tile.row + tile.rows, tile.column : tile.column + tile.columns] += 1
    assert (written == 1).all()
    assert sum(tile.rows * tile.columns for tile in found) == gemm.m * gemm.n
    assert len(found) == machine.run(gemm).counters["mxu.tiles"]


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("outputs", [1, 300, 1 << 30])
def test_panels_hold_all_tiles_and_cover_every_output_once(seed, outputs, monkeypatch):
    monkeypatch.setattr(tiles, "PANEL_OUTPUTS", outputs)
    plan, _, gemm = plan_and_machine(seed)
    written = np.zeros((gemm.m, gemm.n), int)
    found = list(panels(plan))
    for panel in found:
        written[panel.row : panel.row + panel.rows, panel.column : panel.column + panel.columns] += 1
    assert (written == 1).all()
    assert sum(panel.tiles for panel in found) == len(list(output_tiles(plan)))
    assert len(found) == 1 or outputs < gemm.m * gemm.n


def plan_of(m, n):
    machine = Machine(load_arch("fp-int"))
    return machine.piece(Gemm("g", "up", m, 64, n)).plan()


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        ([Tile(0, 0, 16, 16)], "never written"),  # its right neighbour is missing
        ([Tile(0, 0, 16, 16), Tile(0, 0, 16, 16)], "never written"),
        ([Tile(0, 0, 16, 16), Tile(0, 8, 16, 24)], "written twice"),
        ([Tile(0, 0, 16, 16), Tile(0, 16, 8, 16)], "never written"),
        ([Tile(0, 0, 16, 16), Tile(0, 16, 8, 16), Tile(0, 0, 8, 16)], "written twice"),  # as many outputs as there are
    ],
)
@pytest.mark.parametrize("outputs", [1, 1 << 30])
def test_a_tile_left_out_or_written_twice_is_refused(planted, message, outputs, monkeypatch):
    monkeypatch.setattr(tiles, "PANEL_OUTPUTS", outputs)
    monkeypatch.setattr(tiles, "output_tiles", lambda plan: iter(planted))
    with pytest.raises(CoverageError, match=message):
        list(panels(plan_of(16, 32)))


def test_a_block_done_twice_is_refused(monkeypatch):
    rows = [Tile(row, column, 16, 16) for row in (0, 16, 0) for column in (0, 16)]
    monkeypatch.setattr(tiles, "PANEL_OUTPUTS", 1)
    monkeypatch.setattr(tiles, "output_tiles", lambda plan: iter(rows))
    with pytest.raises(CoverageError):
        list(panels(plan_of(32, 32)))


def test_random_cases_reach_both_orders_and_streamed_operands():
    plans = [plan_and_machine(seed)[0] for seed in range(60)]
    assert {plan.order for plan in plans} == {"tokens_outer", "outputs_outer"}
    assert {plan.activations_resident for plan in plans} == {True, False}
    assert any(plan.gemm.weights == FP16 for plan in plans)
