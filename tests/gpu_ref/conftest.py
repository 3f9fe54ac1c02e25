"""One folder of compiled kernels for all test processes, and a card to choose tilings for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gpu_ref.card import Card
from gpu_ref.host.executor import HostExecutor

# Public figures of the cards; nothing is measured with them.
CARDS = {
    "A100": Card("NVIDIA A100-SXM4-80GB", "sm_80", 108, 40 * 2**20, 80 * 2**30, 166912),
    "RTX 3090": Card("NVIDIA GeForce RTX 3090", "sm_86", 82, 6 * 2**20, 24 * 2**30, 101376),
    "RTX 4090": Card("NVIDIA GeForce RTX 4090", "sm_89", 128, 72 * 2**20, 24 * 2**30, 101376),
    "H200": Card("NVIDIA H200", "sm_90a", 132, 60 * 2**20, 141 * 2**30, 232448),
}


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
