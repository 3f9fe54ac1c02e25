"""The cost figures of the shipped machines are the printed numbers, by the formulas that the YAMLs name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sim.arch.load import load_arch
from sim.machine.costs import area_square_millimetres
from sim.simulation import simulate
from sim.workload.load import load_workload
from tests.cost.cacti import TABLE

PRINTED: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "printed.yaml").read_text())
SYSTEM, PE = PRINTED["system"], PRINTED["pe"]
BASELINES = list(PE["kinds"])
APUS = 16 * 16


def written(value: float, figure: float | None, digits: int = 5) -> bool:
    """Whether `figure` is `value` rounded to the digits that it is written with, `digits` at least."""
    found = len(str(figure).partition(".")[2])
    return found >= digits and round(value, found) == figure


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


SHARING = {"Anda": 4, "FP-INT": 16, "iFPU": 16, "FIGNA": 16, "FIGNA-M11": 11, "FIGNA-M8": 8}
"""PEs that one back end can serve: the fewest cycles of a group, in which it takes one."""
FLIP_FLOP_GATES = 24 / 4
"""24 transistors in gate equivalents of 4."""


@pytest.mark.parametrize(("name", "sharing"), SHARING.items())
def test_what_grows_in_a_pe_is_all_but_its_share_of_a_back_end(
    synthesis: dict[str, Any], name: str, sharing: int
) -> None:
    element = synthesis["processing_elements"][name]
    back_end = synthesis["parts"][f"{name}: back end"]["gate_equivalents"]
    front = element["gate_equivalents"] - back_end
    growth = load_arch(element["machine"]).cost.pe.growth.model_dump(exclude={"source"})
    assert sorted(growth.values()) == [0, 0, 0, round(front / (front + back_end / sharing), 3)]


@pytest.mark.parametrize(("name", "machine"), [("INT8", "int8"), ("INT8 x INT4", "int8-int4")])
def test_an_integer_pe_costs_what_its_gates_are_of_fp_fp(synthesis: dict[str, Any], name: str, machine: str) -> None:
    pe, recorded = load_arch(machine).cost.pe, load_arch(machine, ["cost.pe=rtl"]).cost.pe
    assert pe.energy_picojoules_per_cycle == recorded.energy_picojoules_per_cycle
    assert pe.area_square_millimetres == recorded.area_square_millimetres
    element, back_end = synthesis["processing_elements"][name], synthesis["parts"][f"{name}: back end"]
    front = element["gate_equivalents"] - back_end["gate_equivalents"]  # each PE has a back end of its own
    assert pe.growth.with_lanes_and_activation_bits == round(front / element["gate_equivalents"], 3)


@pytest.mark.parametrize(("machine", "kind"), [("int8", "of"), ("anda-kv", "of 8, 4 and 3 bits,")])
def test_a_quantiser_costs_what_its_gates_are_of_fp_fp(synthesis: dict[str, Any], machine: str, kind: str) -> None:
    base, fp_fp = synthesis["processing_elements"]["FP-FP"], load_arch("fp-fp").cost.pe
    two, four = (synthesis["parts"][f"quantiser {kind} {lanes} lanes"]["gate_equivalents"] for lanes in (2, 4))
    cost, gate = load_arch(machine).cost.quantiser, fp_fp.area_square_millimetres / base["gate_equivalents"]
    assert cost is not None
    assert written((four - two) / 2 * gate, cost.area_square_millimetres_per_lane)
    assert written((2 * two - four) * gate, cost.area_square_millimetres)

    def traced(switching: dict[str, Any]) -> float:
        found = [value for label, value in switching.items() if label.startswith("trace")]
        return sum(value["None"] if isinstance(value, dict) else value for value in found) / len(found)

    a_cycle = 4 * traced(base["switched_a_mac"])
    switched = traced(synthesis["quantiser"]["switched_a_value"])
    assert written(switched * fp_fp.energy_picojoules_per_cycle / a_cycle, cost.energy_picojoules_per_value)


def test_a_plane_fill_costs_what_its_gates_are_of_fp_fp(synthesis: dict[str, Any]) -> None:
    base, fp_fp = synthesis["processing_elements"]["FP-FP"], load_arch("fp-fp").cost.pe
    few, many = (synthesis["parts"][f"plane fill of {count} weights"]["gate_equivalents"] for count in (16, 64))
    cost, gate = (
        load_arch("anda-hpca25").cost.plane_fill,
        1e6 * fp_fp.area_square_millimetres / base["gate_equivalents"],
    )
    assert cost is not None
    a_weight = (many - few) / 48
    assert written(a_weight * gate, cost.square_micrometres_per_weight)
    assert written((few - 16 * a_weight) * gate, cost.square_micrometres_per_column)
    traced = [one["None"] for label, one in base["switched_a_mac"].items() if label.startswith("trace")]
    filled = [
        one["3"] for label, one in synthesis["plane_fill"]["switched_a_weight"].items() if label.startswith("trace")
    ]
    per_switch = fp_fp.energy_picojoules_per_cycle / (4 * sum(traced) / len(traced))
    assert written(sum(filled) / len(filled) * per_switch, cost.energy_picojoules_per_weight)
    assert cost.stage_bits_per_weight == 8 + -(-(8 + 19) // 64)


def test_what_grows_in_fp_fp_is_its_lanes(synthesis: dict[str, Any]) -> None:
    parts = synthesis["parts"]
    lane = parts["FP16 multiplier"]["gate_equivalents"] + parts["binary32 adder"]["gate_equivalents"]
    registers = (16 + 32) * FLIP_FLOP_GATES  # word, product
    element = synthesis["processing_elements"]["FP-FP"]
    pe = load_arch("fp-fp").cost.pe
    assert pe.growth.with_lanes == round(4 * (lane + registers) / element["gate_equivalents"], 3)
    flip_flops = sum(count for cell, count in element["cells"].items() if "DFF" in cell)
    assert pe.stage_bits == (flip_flops - 4 * 16 - pe.describes.output_registers * pe.output_register_bits) // 3


def test_a_flip_flop_is_priced_as_its_sources_say(synthesis: dict[str, Any]) -> None:
    arch = load_arch("anda-hpca25")
    logic, fp_fp = arch.cost.logic, load_arch("fp-fp").cost.pe
    # Square micrometres of a gate: the published PE, made of standard multiply-adds.
    gate = round(fp_fp.area_square_millimetres * 1e6 / 20_400, 3)
    assert round(FLIP_FLOP_GATES * gate, 2) == logic.flip_flop_square_micrometres
    switching = synthesis["processing_elements"]["FP-FP"]["switched_a_mac"]
    traced = [switched["None"] for operands, switched in switching.items() if operands.startswith("trace")]
    switched_a_cycle = 4 * sum(traced) / len(traced)
    clocked = 4 + (2 + 2) / 2  # clock, and data every other cycle
    femtojoules = 1000 * fp_fp.energy_picojoules_per_cycle * clocked / switched_a_cycle
    assert written(femtojoules, logic.flip_flop_femtojoules_per_cycle, digits=2)
    mebibyte = TABLE[16, 2**20, 1024]["leakage_milliwatts"]
    assert written(mebibyte / 2**23 * 24 / 6 * 1e6, logic.flip_flop_leakage_nanowatts, digits=4)
    small = TABLE[16, 2**14, 128]["area_square_millimetres"]
    assert written(small * 1e6 / 2**17, arch.cost.controller.block_square_micrometres_per_bit, digits=4)
    assert round(fp_fp.area_square_millimetres / 4, 5) == arch.cost.vector.area_square_millimetres_per_further_fpu


def test_the_compressor_of_the_printed_run_takes_the_printed_power() -> None:
    arch, work = load_arch("anda-hpca25"), load_workload("llama-13b", precision="7,5,6,6")
    found = simulate(arch, work)
    milliwatts = found.energy["bpc"] / found.totals.seconds * 1e-9
    assert round(milliwatts, 5) == SYSTEM["bpc"]["power"]
    assert arch.bpc is not None
    assert arch.cost.bpc is not None
    standing = arch.cost.bpc.power_milliwatts_per_lane * arch.bpc.lanes
    assert standing == pytest.approx(SYSTEM["bpc"]["power"] / 10, rel=1e-12)


def test_a_compressor_lane_takes_its_share() -> None:
    arch = load_arch("anda-hpca25")
    assert arch.bpc is not None
    assert arch.cost.bpc is not None
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
    machines = [load_arch("anda-hpca25", [f"mxu.count={count}", "schedule.output_block=192"]) for count in (1, 3)]
    one, three = map(area_square_millimetres, machines)
    # Outputs of all MXUs lie side by side in the writer's blocks: lcm(64, 3 x 16) = 192 columns instead of 64.
    block = 16 * (192 - 64) * 16 * machines[0].cost.controller.block_square_micrometres_per_bit / 1e6
    one["controller"] += machines[0].writer.blocks * block
    for component, area in one.items():
        assert three[component] == pytest.approx(area * (3 if component in ("mxu", "bpc") else 1), rel=1e-12)


def test_a_full_array_burns_the_printed_power() -> None:
    arch = load_arch("anda-hpca25")
    nanojoules_per_cycle = arch.cost.pe.energy_picojoules_per_cycle * APUS / 1000
    assert round(nanojoules_per_cycle * arch.clock.frequency_megahertz, 2) == SYSTEM["mxu"]["power"]
