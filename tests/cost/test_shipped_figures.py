"""The cost figures of the shipped machines are the printed numbers, by the formulas that the YAMLs name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sim.arch.load import load_arch
from sim.cost.area import area_square_millimetres

PRINTED: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "printed.yaml").read_text())
SYSTEM, PE = PRINTED["system"], PRINTED["pe"]
BASELINES = list(PE["kinds"])
APUS = 16 * 16


def written(value: float, figure: float | None) -> bool:
    """Whether `figure` is `value` rounded to the digits that it is written with, five at least."""
    digits = len(str(figure).partition(".")[2])
    return digits >= 5 and round(value, digits) == figure


def apu_picojoules() -> float:
    """Milliwatts over megahertz are nanojoules a cycle, of all APUs."""
    return 1000 * SYSTEM["mxu"]["power"] / PRINTED["clock_megahertz"] / APUS


def mac_picojoules() -> float:
    """Of FP-FP: an APU takes (M + 1) / 64 cycles a MAC and is printed as 80.3 / (M + 1) times as efficient."""
    return apu_picojoules() / 64 * PE["anda_energy_efficiency"]


def test_an_apu_takes_its_share_of_the_printed_power() -> None:
    pe = load_arch("anda-hpca25").cost.pe
    assert written(apu_picojoules(), pe.energy_picojoules_per_cycle)
    assert written(SYSTEM["mxu"]["area"] / APUS, pe.area_square_millimetres)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_pe_is_as_much_dearer_as_printed(name: str) -> None:
    arch, printed = load_arch(name), PE["kinds"][name]
    assert arch.mxu.lanes == printed["macs_per_cycle"]
    energy = mac_picojoules() / printed["energy_efficiency"] * printed["macs_per_cycle"]
    assert written(energy, arch.cost.pe.energy_picojoules_per_cycle)
    area = SYSTEM["mxu"]["area"] / APUS / PE["anda_area"] * printed["area"]
    assert written(area, arch.cost.pe.area_square_millimetres)


@pytest.mark.parametrize("name", ["anda-hpca25", *BASELINES])
def test_everything_but_the_pe_costs_the_same_on_all_machines(name: str) -> None:
    arch = load_arch(name)
    vector, fpus = arch.cost.vector, arch.vector.fpus
    assert written(SYSTEM["vector"]["power"] / fpus, vector.power_milliwatts_per_fpu)
    assert written(SYSTEM["vector"]["area"] / fpus, vector.area_square_millimetres_per_fpu)
    assert written(mac_picojoules(), vector.energy_picojoules_per_operation)
    assert arch.cost.controller.power_milliwatts == SYSTEM["controller"]["power"]
    assert arch.cost.controller.area_square_millimetres == SYSTEM["controller"]["area"]
    assert arch.cost.dram.energy_picojoules_per_bit == SYSTEM["dram_picojoules_per_bit"]
    sram = arch.cost.sram
    assert sram.weight_square_millimetres_per_mebibyte == SYSTEM["weight_buffer"]["area"]
    # The printed activation buffer stands on every machine: 1 MiB of data, and Anda's 0.125 MiB of exponents.
    mebibytes = (arch.buffers.activation.bytes + arch.buffers.activation.exponent_bytes) / 2**20
    share = SYSTEM["activation_buffer"]["area"] / mebibytes
    written_share = sram.activation_square_millimetres_per_mebibyte
    assert written_share == share if mebibytes == 1 else written(share, written_share)


def test_a_compressor_lane_takes_its_share() -> None:
    arch = load_arch("anda-hpca25")
    assert arch.bpc is not None
    assert arch.cost.bpc is not None
    assert written(SYSTEM["bpc"]["power"] / arch.bpc.lanes, arch.cost.bpc.power_milliwatts_per_lane)
    assert written(SYSTEM["bpc"]["area"] / arch.bpc.lanes, arch.cost.bpc.area_square_millimetres_per_lane)


def test_the_area_of_anda_is_the_sum_of_the_printed_rows() -> None:
    area = area_square_millimetres(load_arch("anda-hpca25"))
    components = ("mxu", "bpc", "vector", "activation_buffer", "weight_buffer", "controller")
    assert set(area) == set(components)
    for component in components:
        assert round(area[component], 5) == SYSTEM[component]["area"]
    # The rows add up to 2.21; the printed total of 2.17 is not their sum.
    rows = round(sum(SYSTEM[component]["area"] for component in components), 5)
    assert round(sum(area.values()), 5) == rows == 2.21
    assert rows != SYSTEM["printed_total_area"]


@pytest.mark.parametrize("name", BASELINES)
def test_the_mxu_of_a_baseline_has_the_area_of_its_pes(name: str) -> None:
    area = area_square_millimetres(load_arch(name))
    assert "bpc" not in area
    mxu = SYSTEM["mxu"]["area"] / PE["anda_area"] * PE["kinds"][name]["area"]
    # A PE's area is written with nine digits: 256 of them are within 256 half units of the last.
    assert abs(area["mxu"] - mxu) <= APUS * 0.5e-9


@pytest.mark.parametrize("name", BASELINES)
def test_what_is_not_mxu_or_compressor_is_as_large_on_a_baseline_as_on_anda(name: str) -> None:
    # The same on-chip memory: 0.87 + 0.80 + 0.05 + 0.01 = 1.73
    shared = ("activation_buffer", "weight_buffer", "vector", "controller")
    area = area_square_millimetres(load_arch(name))
    assert round(sum(area.values()) - area["mxu"], 4) == round(sum(SYSTEM[part]["area"] for part in shared), 4)


def test_mxus_and_their_compressors_are_counted_and_the_rest_is_shared() -> None:
    one, three = (area_square_millimetres(load_arch("anda-hpca25", [f"mxu.count={count}"])) for count in (1, 3))
    for component, area in one.items():
        assert three[component] == pytest.approx(area * (3 if component in ("mxu", "bpc") else 1), rel=1e-12)


def test_a_full_array_burns_the_printed_power() -> None:
    arch = load_arch("anda-hpca25")
    nanojoules_per_cycle = arch.cost.pe.energy_picojoules_per_cycle * APUS / 1000
    assert round(nanojoules_per_cycle * arch.clock.frequency_megahertz, 2) == SYSTEM["mxu"]["power"]
