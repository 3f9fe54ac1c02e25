"""Tokens a second, watts and bytes a second: from cycles, clock and energies of a result."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from rich.console import Console

from sim import load_arch, load_workload, simulate
from sim.report.terminal import print_run

MACHINE = "anda-hpca25"


def test_both_phases_of_a_model() -> None:
    batch, prompt, steps = 3, 64, 5
    overrides = ["layers=1"]
    work = load_workload("llama-7b", phase="both", batch=batch, tokens=prompt, steps=steps, overrides=overrides)
    result = simulate(load_arch(MACHINE), work)
    clock = load_arch(MACHINE).clock.hertz
    for phase, tokens, of_phase in (("prefill", batch * prompt, 1), ("decode", batch * steps, steps)):
        found, layers = result.phases[phase].rates, [layer for layer in result.layers if layer.phase == phase]
        seconds = sum(Fraction(layer.count * layer.cycles) for layer in layers) / clock
        joules = sum(layer.count * layer.energy_picojoules for layer in layers) / 1e12
        assert found.tokens == tokens
        assert found.tokens_per_second == pytest.approx(float(tokens / seconds))
        assert found.seconds_per_step == pytest.approx(float(seconds / of_phase))
        assert found.joules_per_token == pytest.approx(joules / tokens)
        assert found.watts == pytest.approx(joules / float(seconds))
        moved = sum(layer.count * layer.dram_bytes for layer in layers)
        assert found.dram_gigabytes_per_second == pytest.approx(moved / float(seconds) / 1e9)
        macs = sum(layer.count * layer.macs for layer in layers)
        assert found.tera_operations_per_second == pytest.approx(2 * macs / float(seconds) / 1e12)


def test_a_list_of_gemms_has_no_tokens(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("name,M,N,K\na,64,64,64\n")
    result = simulate(load_arch(MACHINE), load_workload(str(tmp_path / "rows.csv"), precision="7"))
    [phase] = result.phases.values()
    assert (phase.rates.tokens, phase.rates.tokens_per_second, phase.rates.seconds_per_step) == (None, None, None)
    assert phase.rates.watts > 0
    console = Console(width=100, record=True)
    print_run(result, console)
    assert "tokens/s" not in console.export_text()


def test_the_terminal_shows_them_by_phase() -> None:
    work = load_workload("llama-7b", phase="both", tokens=64, steps=2, scope="all", overrides=["layers=1"])
    console = Console(width=100, record=True)
    print_run(simulate(load_arch(MACHINE), work), console)
    shown = console.export_text()
    for words in ("whole model", "tokens/s", "first token", "per output token", "J/token", "TOPS"):
        assert words in shown
