"""What a kind of PE says of itself: its values, its RTL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sim import shipped
from sim.arch.load import load_arch
from sim.errors import InputError
from sim.units.pe.figna import FignaPe
from sim.units.processing_element import KINDS, BitParallel, make

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", KINDS.names())
def test_every_kind_names_its_rtl_and_the_rtl_names_it(kind: str) -> None:
    path = KINDS.parts()[kind].rtl
    assert path is not None
    assert f"sim/units/pe/{kind}.py" in (ROOT / path).read_text()


@pytest.mark.parametrize("name", shipped.names("arch_configs"))
def test_every_shipped_machine_says_what_it_computes(name: str) -> None:
    make(load_arch(name)).require_values()


def test_a_kind_without_values_is_refused_where_they_are_asked_for() -> None:
    class Silent(BitParallel):
        kind = "silent"

    arch = load_arch("fp-int")
    pe = Silent(arch)
    assert pe.cycles(None) == FignaPe(load_arch("figna")).cycles(None)  # it runs for timing
    with pytest.raises(InputError, match="kind silent run for timing only") as refused:
        pe.require_values()
    assert "multiply" in refused.value.render()


def test_a_timing_run_imports_neither_numpy_nor_numba() -> None:
    code = "import sys\nfrom sim import load_arch, load_workload, simulate\n"
    code += "simulate(load_arch('figna'), load_workload('opt-125m', tokens=64))\n"
    code += "print([name for name in ('numpy', 'numba', 'sim.functional.product') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
