"""The controller launches after its cycles, not sooner."""

from __future__ import annotations

import pytest

from sim.units.controller import Controller
from tests.units.rig import Rig, busy, stalls


@pytest.mark.parametrize("launch_cycles", [1, 4, 100])
def test_work_is_launched_after_the_launch_cycles(rig: Rig, launch_cycles: int) -> None:
    controller = Controller(rig.bench, launch_cycles)
    rig.run(controller, until=launch_cycles - 1)
    assert not controller.launched.triggered
    rig.environment.run()
    assert controller.launched.processed
    assert rig.now == launch_cycles


def test_the_controller_is_idle_once_it_has_launched(rig: Rig) -> None:
    controller = Controller(rig.bench, launch_cycles=4)
    rig.at(20, lambda: None)
    rig.run(controller)
    assert busy(controller) == 4
    assert sum(controller.activity.cycles) == 20
    assert not stalls(controller)
