"""Results of the paper's machines on small work, simulated once; see tests/results.py."""

from __future__ import annotations

import pytest

from sim.result import Result
from tests import results


@pytest.fixture(scope="session")
def paper() -> list[Result]:
    """The machines of the paper, FP-FP first, Anda last."""
    return [results.simulated(name) for name in results.PAPER]


@pytest.fixture(scope="session")
def anda() -> Result:
    """Anda, with mantissa lengths that differ between modules, as run from the command line."""
    return results.anda()
