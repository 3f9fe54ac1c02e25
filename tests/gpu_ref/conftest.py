"""One folder of compiled kernels for all test processes, and the cards to choose tilings for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pretended import CARDS

from gpu_ref.card import Card
from gpu_ref.host.executor import HostExecutor


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled kernels of this run are kept; parallel processes share it."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    return tmp_path_factory.getbasetemp().parent / "anda-sim-kernels"


@pytest.fixture(scope="session")
def host(compiled: Path) -> HostExecutor:
    return HostExecutor(compiled)


@pytest.fixture(scope="session", params=CARDS.values(), ids=CARDS)
def card(request: pytest.FixtureRequest) -> Card:
    found: Card = request.param
    return found
