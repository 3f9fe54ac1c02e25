"""Tests that simulate RTL need Verilator and a C++ compiler, those that synthesise it Yosys."""

from __future__ import annotations

import pytest

from sim.errors import InputError
from sim.rtl.area.synthesis import yosys
from sim.rtl.checks.build import missing_tool


@pytest.fixture(scope="session")
def compiler() -> None:
    missing = missing_tool()
    if missing is not None:
        pytest.skip(missing)


@pytest.fixture(scope="session")
def synthesiser() -> None:
    try:
        yosys()
    except InputError as error:
        pytest.skip(error.problem)
