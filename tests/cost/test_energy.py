"""Energy is counts times the table, and standing power times time: done again from a result alone."""

from __future__ import annotations

from functools import cache

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.machine.costs import by_group, components, energy_picojoules
from sim.result import Result
from sim.simulation import simulate
from sim.workload.gemm import Gemm, Phase, VectorWork, Workload
from tests.cost.cacti import TABLE

ROUNDING = 1e-12
"""Of sums and products of doubles."""
NAMES = ("anda-hpca25", "fp-fp", "figna-m8")
WORK = Workload(
    "mixed",
    (
        Phase(
            "prefill",
            (
                Gemm("up", "up", m=40, k=1000, n=200, count=3, mantissa_bits=5, output_mantissa_bits=7),
                Gemm("down", "down", m=7, k=100, n=300, count=2, mantissa_bits=9),
                VectorWork("softmax", "softmax", operations=30_000, read_bytes=20_000, write_bytes=9_000, count=5),
            ),
        ),
    ),
)


@cache
def result(name: str) -> Result:
    return simulate(load_arch(name), WORK)


def expected(found: Result) -> dict[str, float]:
    """Energy by component, from the counters and the description in a result, and the table's rows."""
    arch, counters = found.arch, found.counters
    cost, mxu = arch["cost"], arch["mxu"]
    seconds = found.totals.cycles / (arch["clock"]["frequency_megahertz"] * 1e6)

    def standing(milliwatts: float) -> float:
        return milliwatts * 1e-3 * seconds * 1e12

    def row(size: int, width: int) -> dict[str, float]:
        return TABLE[cost["sram"]["node_nanometres"], size, width]

    def access(bits: int, width: int, picojoules: float) -> float:
        return bits / width * picojoules

    activation_port = arch["activation_dispatcher"]["port_bits"]
    weight_port = arch["weight_dispatcher"]["port_bits"]
    activation = row(arch["buffers"]["activation"]["bytes"], activation_port)
    weight = row(arch["buffers"]["weight"]["bytes"], weight_port)
    energy = {
        "mxu": counters["mxu.pe_cycles"] * cost["pe"]["energy_picojoules_per_cycle"],
        "bpc": 0.0,
        "vector": counters["vector.operations"] * cost["vector"]["energy_picojoules_per_operation"]
        + standing(cost["vector"]["power_milliwatts_per_fpu"] * arch["vector"]["fpus"]),
        "controller": standing(cost["controller"]["power_milliwatts"]),
        "activation_buffer": access(
            counters["activation_dispatcher.read_bits"], activation_port, activation["read_picojoules"]
        )
        + access(8 * counters["activation_buffer.filled_bytes"], activation_port, activation["write_picojoules"])
        + access(counters["vector.read_bits"], activation_port, activation["read_picojoules"])
        + access(counters.get("vector.written_bits", 0), activation_port, activation["write_picojoules"]),
        "weight_buffer": access(counters["weight_dispatcher.read_bits"], weight_port, weight["read_picojoules"])
        + access(8 * counters["weight_buffer.filled_bytes"], weight_port, weight["write_picojoules"]),
        "leakage": standing(activation["leakage_milliwatts"] + weight["leakage_milliwatts"]),
        "dram": 8
        * sum(counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))
        * cost["dram"]["energy_picojoules_per_bit"],
    }
    if arch["bpc"]:
        exponent_port = arch["activation_dispatcher"]["exponent_port_bits"]
        exponent = row(arch["buffers"]["activation"]["exponent_bytes"], exponent_port)
        energy["bpc"] = standing(cost["bpc"]["power_milliwatts_per_lane"] * arch["bpc"]["lanes"] * mxu["count"])
        energy["bpc"] += counters["bpc.groups"] * cost["bpc"]["energy_picojoules_per_group"]
        energy["activation_buffer"] += access(
            counters["activation_dispatcher.exponent_read_bits"], exponent_port, exponent["read_picojoules"]
        ) + access(8 * counters["activation_buffer.filled_side_bytes"], exponent_port, exponent["write_picojoules"])
        energy["leakage"] += standing(exponent["leakage_milliwatts"])
    return energy


@pytest.mark.parametrize("name", NAMES)
def test_the_energy_of_a_result_follows_from_its_counters(name: str) -> None:
    found = result(name)
    assert found.energy == pytest.approx(expected(found), rel=ROUNDING, abs=0)
    assert all(energy > 0 for component, energy in found.energy.items() if component != "bpc" or name == NAMES[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_add_up_over_components_groups_and_layers(name: str) -> None:
    found = result(name)
    total = found.totals.energy_picojoules
    assert sum(found.energy_groups.values()) == pytest.approx(total, rel=ROUNDING)
    layers = sum(layer.count * layer.energy_picojoules for layer in found.layers)
    assert layers == pytest.approx(total, rel=ROUNDING)
    modules = sum(module.energy_picojoules for module in found.modules.values())
    assert modules == pytest.approx(total, rel=ROUNDING)


def test_every_component_belongs_to_one_group() -> None:
    elsewhere = {component for component in components() if component.startswith("dram_")} | {
        "quantiser",
        "streams",
        "reduction",
    }
    assert [component for component in components() if component not in elsewhere] == list(result("anda-hpca25").energy)
    assert set(result("int8").energy) == set(result("anda-hpca25").energy) | {"quantiser"}
    parts = {component: 2.0**i for i, component in enumerate(components())}
    groups = by_group(parts)
    assert sum(groups.values()) == sum(parts.values())
    assert groups["dram"] == sum(price for component, price in parts.items() if component.startswith("dram"))


@pytest.mark.parametrize("name", ["anda-hpca25", "fp-fp"])
def test_energy_grows_with_each_count_by_the_price_of_one(name: str) -> None:
    arch = load_arch(name)
    counters = dict.fromkeys(result(name).counters, 0)
    nothing = energy_picojoules(arch, counters, 0)
    assert set(nothing.values()) == {0.0}
    for counter, component, price in prices(arch):
        one = energy_picojoules(arch, counters | {counter: 1}, 0)
        assert one.pop(component) == pytest.approx(price, rel=ROUNDING)
        assert set(one.values()) == {0.0}, counter


def prices(arch: Arch) -> list[tuple[str, str, float]]:
    """Counter, the component it is charged to, and picojoules of one."""
    cost = arch.cost
    activation, weight = TABLE[16, 2**20, 1024], TABLE[16, 2**20, 1024]
    found = [
        ("mxu.pe_cycles", "mxu", cost.pe.energy_picojoules_per_cycle),
        ("vector.operations", "vector", cost.vector.energy_picojoules_per_operation),
        ("activation_dispatcher.read_bits", "activation_buffer", activation["read_picojoules"] / 1024),
        ("activation_buffer.filled_bytes", "activation_buffer", activation["write_picojoules"] / 128),
        ("vector.read_bits", "activation_buffer", activation["read_picojoules"] / 1024),
        ("vector.written_bits", "activation_buffer", activation["write_picojoules"] / 1024),
        ("weight_dispatcher.read_bits", "weight_buffer", weight["read_picojoules"] / 1024),
        ("weight_buffer.filled_bytes", "weight_buffer", weight["write_picojoules"] / 128),
        *((f"dram.{side}_bytes", "dram", 8 * 3.9) for side in ("weight", "activation", "output")),
    ]
    if arch.bpc is not None:
        exponent = TABLE[16, 2**17, 80]
        assert cost.bpc is not None
        found += [
            ("bpc.groups", "bpc", cost.bpc.energy_picojoules_per_group),
            ("activation_dispatcher.exponent_read_bits", "activation_buffer", exponent["read_picojoules"] / 80),
            ("activation_buffer.filled_side_bytes", "activation_buffer", exponent["write_picojoules"] / 10),
        ]
    return found


def test_a_unit_that_did_not_take_part_costs_its_standing_power_only() -> None:
    arch = load_arch("anda-hpca25")
    cycles = 285_000_000  # a second
    energy = energy_picojoules(arch, {}, cycles)
    assert arch.bpc is not None
    assert arch.cost.bpc is not None
    milliwatts = arch.cost.bpc.power_milliwatts_per_lane * arch.bpc.lanes
    assert energy["bpc"] == pytest.approx(milliwatts * 1e9, rel=ROUNDING)  # a millijoule is 1e9 pJ
    assert energy["mxu"] == energy["dram"] == 0.0
