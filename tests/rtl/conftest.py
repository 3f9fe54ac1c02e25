"""RTL tests need Verilator and a C++ compiler."""

from __future__ import annotations

import pytest

from sim.rtl.build import missing_tool


@pytest.fixture(autouse=True, scope="session")
def tools() -> None:
    missing = missing_tool()
    if missing is not None:
        pytest.skip(missing)
