"""Hardware beside the described costs by the stated rules: worked out here from the YAML's figures alone."""

from __future__ import annotations

from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.cost.scaling import further_stages, processing_element, registers
from sim.errors import InputError
from sim.machine.costs import area_square_millimetres, energy_picojoules
from tests.cost.cacti import TABLE

ROUNDING = 1e-12
PUBLISHED = ("anda-hpca25", "fp-fp", "fp-int", "ifpu", "figna", "figna-m11", "figna-m8")
CYCLES = 285_000  # a millisecond


def flip_flops(arch: Arch, bits: float) -> float:
    """Their area in square millimetres."""
    return bits * arch.cost.logic.flip_flop_square_micrometres / 1e6


def area(machine: str, *overrides: str) -> dict[str, float]:
    return area_square_millimetres(load_arch(machine, overrides))


def grown(machine: str, *overrides: str) -> tuple[float, float]:
    """Area and energy of a PE over those of the shipped one, less what its new flip-flops take."""
    arch = load_arch(machine, overrides)
    pe, shipped = processing_element(arch), load_arch(machine).cost.pe
    return pe.square_millimetres / shipped.area_square_millimetres, pe.picojoules / shipped.energy_picojoules_per_cycle


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_machine_as_described_costs_what_its_figures_say(name: str) -> None:
    arch = load_arch(name)
    pe, cost, described = processing_element(arch), arch.cost, arch.cost.pe.describes
    assert (pe.picojoules, pe.square_millimetres) == (
        cost.pe.energy_picojoules_per_cycle,
        cost.pe.area_square_millimetres,
    )
    assert pe.milliwatts == 0
    assert area_square_millimetres(arch)["mxu"] == cost.pe.area_square_millimetres * 256
    keys = ("lanes", "dot_length", "mantissa_bits", "output_registers", "pipeline_cycles", "rows", "columns")
    assert {key: getattr(described, key) for key in keys} == {key: getattr(arch.mxu, key) for key in keys}
    ports = (arch.weight_dispatcher.port_bits, arch.activation_dispatcher.port_bits, arch.collector.port_bits)
    assert (described.weight_port_bits, described.activation_port_bits, described.collector_port_bits) == ports
    assert described.exponent_port_bits == (arch.activation_dispatcher.exponent_port_bits or 0)
    assert described.frequency_megahertz == arch.clock.frequency_megahertz


@pytest.mark.parametrize("lanes", [1, 2, 8, 64])
def test_lanes_of_fp_fp_bring_their_multipliers_and_adders(lanes: int) -> None:
    share = load_arch("fp-fp").cost.pe.growth.with_lanes
    expected = 1 - share + share * lanes / 4
    assert grown("fp-fp", f"mxu.lanes={lanes}") == pytest.approx((expected, expected), rel=ROUNDING)


@pytest.mark.parametrize(("machine", "bits"), [("figna", 13), ("ifpu", 13), ("figna-m8", 8)])
@pytest.mark.parametrize("changed", [4, 16])
def test_mantissa_bits_and_lanes_widen_the_multipliers_together(machine: str, bits: int, changed: int) -> None:
    arch = load_arch(machine)
    assert arch.mxu.lanes is not None
    share = arch.cost.pe.growth.with_lanes_and_mantissa_bits
    expected = 1 - share + share * (2 * changed) / bits
    overrides = (f"mxu.mantissa_bits={changed}", f"mxu.lanes={2 * arch.mxu.lanes}")
    assert grown(machine, *overrides) == pytest.approx((expected, expected), rel=ROUNDING)


def test_a_longer_dot_product_widens_the_tree_of_anda_and_the_weight_columns_of_the_others() -> None:
    share = load_arch("anda-hpca25").cost.pe.growth.with_dot_length
    expected = 1 - share + share * 2
    assert grown("anda-hpca25", "mxu.dot_length=128") == pytest.approx((expected, expected), rel=ROUNDING)
    arch = load_arch("figna", ["mxu.dot_length=128", "weight_dispatcher.port_bits=1024"])
    # INT4, double buffered: 8 flip-flops for each of 64 further values in each of 16 columns
    added = area_square_millimetres(arch)["mxu"] - area("figna")["mxu"]
    assert added == pytest.approx(flip_flops(arch, 64 * 8 * 16), rel=1e-9)
    assert energy_picojoules(arch, {}, CYCLES)["mxu"] == pytest.approx(registers(arch, 64 * 8 * 16).milliwatts * 1e6)


def test_output_registers_are_sixteen_flip_flops_each_in_every_pe() -> None:
    arch = load_arch("fp-fp", ["mxu.output_registers=64"])
    added = area_square_millimetres(arch)["mxu"] - area("fp-fp")["mxu"]
    assert added == pytest.approx(flip_flops(arch, 62 * 16 * 256), rel=1e-9)
    assert energy_picojoules(arch, {}, CYCLES)["mxu"] > energy_picojoules(load_arch("fp-fp"), {}, CYCLES)["mxu"]


@pytest.mark.parametrize(("megahertz", "stages"), [(285, 5), (286, 6), (570, 10), (1000, 18), (100, 2)])
def test_a_clock_takes_the_stages_that_keep_the_time_of_the_described_ones(megahertz: int, stages: int) -> None:
    clock = f"clock.frequency_megahertz={megahertz}"
    arch = load_arch("anda-hpca25", [clock, f"mxu.pipeline_cycles={stages}"])
    cost = arch.cost.pe
    bits = (stages - 5) * cost.stage_bits
    pe = processing_element(arch)
    energy = cost.energy_picojoules_per_cycle + bits * arch.cost.logic.flip_flop_femtojoules_per_cycle / 1000
    assert pe.picojoules == pytest.approx(energy, rel=ROUNDING)
    assert pe.square_millimetres == pytest.approx(cost.area_square_millimetres + flip_flops(arch, bits), rel=ROUNDING)
    with pytest.raises(InputError) as caught:
        processing_element(load_arch("anda-hpca25", [clock, f"mxu.pipeline_cycles={stages - 1}"]))
    assert str(caught.value.facts["needed"]).startswith(f"{stages}, as 5 at 285 MHz")


@pytest.mark.parametrize(("megahertz", "further"), [(100, 0), (285, 0), (286, 1), (571, 2), (1000, 3)])
def test_lanes_and_fpus_are_cut_where_the_clock_is_higher_than_described(megahertz: int, further: int) -> None:
    arch = load_arch("anda-hpca25", [f"clock.frequency_megahertz={megahertz}", "mxu.pipeline_cycles=20"])
    assert arch.cost.bpc is not None
    assert further_stages(arch, arch.cost.bpc.describes) == further_stages(arch, arch.cost.vector.describes) == further
    found = area_square_millimetres(arch)
    assert found["bpc"] == pytest.approx(0.07 + flip_flops(arch, 16 * 160 * further), rel=ROUNDING)
    assert found["vector"] == pytest.approx(0.05 + flip_flops(arch, 64 * 64 * further), rel=ROUNDING)


@pytest.mark.parametrize(
    ("override", "component", "bits"),
    [
        ("collector.port_bits=2048", "mxu", 1024),
        ("activation_dispatcher.exponent_port_bits=160", "mxu", 80),
        ("buffers.weight.fill_port_bits=4096", "weight_buffer", -4096),
        ("buffers.activation.fill_port_bits=16384", "activation_buffer", 8192),
        ("buffers.weight.banks=4", "weight_buffer", 3 * 1024),
        ("dram.outstanding_loads=10", "controller", 6 * 64 * 2),  # two loaders
        ("controller.launch_cycles=1", "controller", 256 - 64),
    ],
)
def test_a_port_is_its_flip_flops(override: str, component: str, bits: int) -> None:
    arch, before, after = load_arch("anda-hpca25", [override]), area("anda-hpca25"), area("anda-hpca25", override)
    added = {name: after[name] - before[name] for name in before}
    assert added.pop(component) == pytest.approx(flip_flops(arch, bits), rel=1e-9)
    assert set(added.values()) == {0.0}


@pytest.mark.parametrize(
    ("buffer", "bits", "printed"), [("weight", 512, 0.8), ("weight", 2048, 0.8), ("activation", 2048, 0.773333 * 1.125)]
)
def test_a_read_port_is_its_flip_flops_and_the_width_of_its_sram(buffer: str, bits: int, printed: float) -> None:
    override = f"{buffer}_dispatcher.port_bits={bits}"
    arch, before, after = load_arch("anda-hpca25", [override]), area("anda-hpca25"), area("anda-hpca25", override)
    added = {name: after[name] - before[name] for name in before}
    assert added.pop("mxu") == pytest.approx(flip_flops(arch, bits - 1024), rel=1e-9)
    wider = TABLE[16, 2**20, bits]["area_square_millimetres"] / TABLE[16, 2**20, 1024]["area_square_millimetres"]
    assert added.pop(f"{buffer}_buffer") == pytest.approx(printed * (wider - 1), rel=1e-9)
    assert set(added.values()) == {0.0}


def test_ports_stand_at_every_mxu_and_a_larger_array_has_its_share_already() -> None:
    before, after = area("anda-hpca25"), area("anda-hpca25", "mxu.count=4", "collector.port_bits=2048")
    arch = load_arch("anda-hpca25")
    assert after["mxu"] == pytest.approx(4 * (before["mxu"] + flip_flops(arch, 1024)), rel=ROUNDING)
    # Twice the rows with twice the activation and collector ports: the weight port alone is not doubled.
    doubled = ["mxu.rows=32", "activation_dispatcher.port_bits=2048", "collector.port_bits=2048"]
    wide = area("anda-hpca25", *doubled, "activation_dispatcher.exponent_port_bits=160")
    assert wide["mxu"] == pytest.approx(2 * before["mxu"] - flip_flops(arch, 1024), rel=ROUNDING)


def test_blocks_that_wait_for_dram_take_memory() -> None:
    arch = load_arch("anda-hpca25", ["writer.blocks=5"])
    # 16 rows x 64 outputs x FP16 each
    bits = 3 * 16 * 64 * 16
    added = area_square_millimetres(arch)["controller"] - 0.01
    assert added == pytest.approx(bits * arch.cost.controller.block_square_micrometres_per_bit / 1e6, rel=1e-9)


@pytest.mark.parametrize(
    ("fpus", "expected"), [(32, 0.025), (64, 0.05), (65, 0.05 + 0.00174), (96, 0.05 + 32 * 0.00174)]
)
def test_fpus_beyond_the_published_have_the_area_of_a_multiply_accumulate(fpus: int, expected: float) -> None:
    assert area("anda-hpca25", f"vector.fpus={fpus}")["vector"] == pytest.approx(expected, rel=ROUNDING)


def test_the_datacenter_has_as_many_fpus_as_hide_its_softmax() -> None:
    assert load_arch("anda-datacenter").vector.fpus == 1024


def test_an_idle_compressor_takes_its_standing_power_only() -> None:
    arch = load_arch("anda-datacenter")
    assert arch.cost.bpc is not None
    second = int(arch.clock.hertz)
    idle = energy_picojoules(arch, {}, second)["bpc"]
    lane = arch.cost.bpc.power_milliwatts_per_lane + registers(arch, 3 * arch.cost.bpc.stage_bits).milliwatts
    assert idle == pytest.approx(480 * 16 * lane * 1e9, rel=ROUNDING)  # a millijoule is 1e9 pJ
    group = energy_picojoules(arch, {"bpc.groups": 1}, 0)["bpc"]
    expected = arch.cost.bpc.energy_picojoules_per_group + registers(arch, 3 * arch.cost.bpc.stage_bits).picojoules
    assert group == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize(
    ("name", "lanes", "bits"),
    [("FIGNA-M11", 6, 11), ("FIGNA-M8", 8, 8), ("FIGNA-M11 of 4 lanes", 4, 11), ("FIGNA-M8 of 4 lanes", 4, 8)],
)
def test_the_rule_for_figna_finds_the_synthesised_ones(
    synthesis: dict[str, Any], name: str, lanes: int, bits: int
) -> None:
    base = synthesis["processing_elements"]["FIGNA"]["gate_equivalents"]
    found = (synthesis["processing_elements"] | synthesis["parts"])[name]["gate_equivalents"]
    figna = load_arch("figna", ["cost.pe=rtl"])
    other = figna.model_copy(update={"mxu": figna.mxu.model_copy(update={"lanes": lanes, "mantissa_bits": bits})})
    predicted = base * processing_element(other).square_millimetres / figna.cost.pe.area_square_millimetres
    assert predicted == pytest.approx(found, rel=0.03)
