"""Energy of DRAM by commands and standby: from currents, calibrated at full rate, refused where nobody knows them."""

from __future__ import annotations

from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.machine.costs import Costs, area_square_millimetres
from sim.units.dram import model_of
from sim.units.dram.banks import Banks
from tests.arch.test_banks_refusals import BANKS

COMMANDS = "dram.energy=commands"
CHANNELS, CLOCKS_PER_SECOND = 16, 10**9


def costs(*overrides: str) -> Costs:
    return Costs(load_arch("anda-hpca25", [BANKS, *overrides]))


def of_dram(energy: dict[str, float]) -> float:
    return sum(value for component, value in energy.items() if component.startswith("dram"))


def reading(seconds: float) -> tuple[dict[str, int], int]:
    """Counters of a second of nothing but reads, every row to its end, and cycles."""
    bursts = int(seconds * CLOCKS_PER_SECOND / 2)  # of a channel, a burst every tCCD = 2 clocks
    cycles = int(seconds * 285e6)
    counters = {
        "dram.weight_bytes": 32 * CHANNELS * bursts,
        "dram.activates": CHANNELS * bursts // 32,
        "dram.open_cycles": cycles,
    }
    return counters, cycles


def test_always_reading_costs_what_a_bit_costs() -> None:
    counters, cycles = reading(0.01)
    bits = 8 * counters["dram.weight_bytes"]
    priced = costs(COMMANDS).energy_picojoules(counters, cycles)
    flat = costs().energy_picojoules(counters, cycles)
    controller = priced["dram_controller"]
    assert of_dram(flat) - controller == pytest.approx(3.9 * bits, rel=1e-9)
    assert of_dram(priced) - controller == pytest.approx(3.9 * bits, rel=1e-4)


def test_the_parts_are_those_of_the_currents() -> None:
    counters, cycles = reading(0.01)
    priced = costs(COMMANDS).energy_picojoules(counters, cycles)
    # DRAMsim3's HBM2: mA x 1.2 V x ns for half a device; 0.01 s are 1e7 clocks of 1 ns
    volts, half = 1.2, 0.5
    assert priced["dram_activates"] == pytest.approx(
        counters["dram.activates"] * volts * half * (65 * 48 - 55 * 34 - 40 * 14)
    )
    assert priced["dram_reads"] == pytest.approx(CHANNELS * 5e6 * volts * half * (390 - 55) * 2)
    assert priced["dram_refresh"] == pytest.approx(CHANNELS * 1e7 / 3900 * volts * half * (250 - 55) * 260)
    assert priced["dram_standby"] == pytest.approx(CHANNELS * 1e7 * volts * half * 55)


@pytest.mark.parametrize(("idle", "milliamperes"), [("precharged", 40), ("power_down", 28)])
def test_a_second_of_nothing_costs_standby_and_refresh(idle: str, milliamperes: float) -> None:
    none: dict[str, Any] = {"dram.open_cycles": 0}
    spent = costs(COMMANDS, f"dram.idle={idle}").energy_picojoules(none, int(285e6))
    assert spent["dram_standby"] == pytest.approx(CHANNELS * 1e9 * 1.2 * 0.5 * milliamperes)
    assert spent["dram_refresh"] > 0
    assert spent["dram_activates"] == spent["dram_reads"] == spent["dram_interface"] == 0


def test_currents_of_a_part_take_the_place_of_the_standards() -> None:
    own = "volts: 1.1, devices: 1, IDD0: 60, IDD2P: 20, IDD2N: 30, IDD3N: 50, IDD4R: 300, IDD4W: 300, IDD5: 200"
    part = f"dram.currents={{{own}}}"
    hbm3 = ["dram.standard=HBM3", "dram.transaction_bytes=16384", COMMANDS]
    arch = load_arch("anda-hpca25", [BANKS, *hbm3, part, "cost.dram.energy_picojoules_per_bit=9"])
    model = model_of(arch)
    assert isinstance(model, Banks)
    assert (model.currents and model.currents.volts) == 1.1
    assert Costs(arch).energy_picojoules({}, 1000)["dram_standby"] > 0


@pytest.mark.parametrize("standard", ["HBM3", "LPDDR5", "DDR5"])
def test_a_standard_without_currents_is_refused_where_energy_is_asked_for(standard: str) -> None:
    arch = load_arch("anda-hpca25", [BANKS, f"dram.standard={standard}", COMMANDS])
    with pytest.raises(InputError, match=f"nobody publishes the currents of {standard}") as caught:
        Costs(arch)
    assert caught.value.field == "dram.energy"
    assert "HBM2" in str(caught.value.facts["known"])


def test_a_price_of_a_bit_below_the_banks_own_is_refused() -> None:
    with pytest.raises(InputError, match="less than the banks alone") as caught:
        costs(COMMANDS, "cost.dram.energy_picojoules_per_bit=1.5")
    assert str(caught.value.facts["needed"]).startswith("1.9")


@pytest.mark.parametrize("key", ["queue_bursts=80", "write_buffer.bursts=64", "count=2"])
def test_a_larger_controller_is_larger(key: str) -> None:
    small, large = (load_arch("anda-hpca25", [BANKS, *more]) for more in ([], [f"dram.{key}"]))
    name = "dram_controller"
    assert area_square_millimetres(large)[name] > area_square_millimetres(small)[name] > 0
