"""Every test of a unit runs at both grains."""

from __future__ import annotations

import pytest

from tests.units.rig import Rig


@pytest.fixture(params=["beat", "tile"])
def rig(request: pytest.FixtureRequest) -> Rig:
    return Rig(request.param)
