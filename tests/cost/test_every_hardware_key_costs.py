"""No key makes hardware for nothing: more of anything on the chip has more area."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Arch, Hardware
from sim.errors import InputError
from sim.machine.costs import area_square_millimetres, cost_terms, energy_picojoules
from tests.arch.test_every_arch_key_matters import at, leaves

NO_HARDWARE = {
    ("mxu", "pe"): "its figures name their kind; another is refused",
    ("mxu", "conversion"): "a choice of how sums are rounded; the published figures are for whichever it was",
    ("buffers", "activation", "double_buffered"): "a rule of when chunks may enter; the bytes are the same",
    ("buffers", "weight", "double_buffered"): "a rule of when chunks may enter; the bytes are the same",
}
ON_CHIP = {("dram", "outstanding_loads")}
"""What the loaders need for DRAM; its other keys are its own, off the chip and priced by the bit, or rules of its
arbiter."""
LESS_IS_MORE = {("controller", "launch_cycles")}
"""Fewer cycles for the same work."""
STAGES = ["mxu.pipeline_cycles=40"]
"""Enough for any clock here, so that the clock alone is changed."""
MACHINES = ("anda-hpca25", "figna", "int8")
SPLIT = {
    ("activation_dispatcher", "streams"): ["mxu.count=4", "buffers.activation.banks=4", "schedule=best"],
    ("collector", "reduction_cycles"): ["mxu.count=4", "collector.reduction_cycles=2", "schedule=best"],
}
"""What a machine must have for keys of several MXUs."""
KEYS = [path for path, _ in leaves(Hardware) if path not in NO_HARDWARE and (path[0] != "dram" or path in ON_CHIP)]


@cache
def machine(name: str, *overrides: str) -> Arch:
    return load_arch(name, overrides)


def chip(arch: Arch) -> float:
    return sum(area_square_millimetres(arch).values())


def spent(arch: Arch) -> float:
    """Energy of a thousand of everything that is priced."""
    counters = {counter: 1000 for terms in cost_terms(arch) for counter in terms.picojoules}
    return sum(energy_picojoules(arch, counters, 1_000_000).values())


def owner(path: tuple[str, ...]) -> tuple[str, Any]:
    """A machine that has the key, and its value there."""
    for name in MACHINES:
        value = at(load_arch(name, SPLIT.get(path, [])).model_dump(), path)
        if value is not None and not (path == ("clock", "frequency_megahertz") and name != MACHINES[0]):
            return name, value
    raise AssertionError(f"no machine has {'.'.join(path)}")


@pytest.mark.parametrize("path", KEYS, ids=".".join)
def test_more_hardware_costs_more(path: tuple[str, ...]) -> None:
    name, value = owner(path)
    fixed = STAGES if path == ("clock", "frequency_megahertz") else SPLIT.get(path, [])
    if path == ("mxu", "activation_bits"):
        fixed, value = ["mxu.activation_bits=4"], 4
    more = value // 2 if path in LESS_IS_MORE else value + 1 if path == ("mxu", "mantissa_bits") else 2 * value
    if isinstance(value, bool):
        assert not value
        more = "true"
    before, after = machine(name, *fixed), machine(name, *fixed, f"{'.'.join(path)}={more}")
    assert chip(after) > chip(before)


PORTS = ["weight_dispatcher.port_bits=1024", "activation_dispatcher.port_bits=1024"]
"""As shipped; the ports that 64 lanes ask for are wider than any SRAM."""


@pytest.mark.parametrize(
    "override",
    ["mxu.lanes=64", "mxu.output_registers=64", "mxu.dot_length=128", "mxu.pipeline_cycles=30"],
)
def test_fp_fp_grows_with_its_pes(override: str) -> None:
    before, after = machine("fp-fp"), machine("fp-fp", *PORTS, override)
    assert chip(after) > chip(before)
    assert spent(after) > spent(before)


@pytest.mark.parametrize("name", ["figna", "ifpu"])
def test_longer_mantissas_cost_more_and_shorter_ones_less(name: str) -> None:
    less, shipped, more = (machine(name, f"mxu.mantissa_bits={bits}") for bits in (12, 13, 14))
    assert chip(less) < chip(shipped) < chip(more)
    assert spent(less) < spent(shipped) < spent(more)


FILLS = "weight_dispatcher.fills_planes=true"


@pytest.mark.parametrize(
    "overrides",
    [(), ("mxu.count=3",), ("mxu.columns=32",), ("mxu.dot_length=128",), ("clock.frequency_megahertz=800",)],
)
def test_what_fills_up_planes_stands_at_every_column(overrides: tuple[str, ...]) -> None:
    fixed = (*overrides, *STAGES)
    without, with_it = machine("fp-int", *fixed), machine("fp-int", *fixed, FILLS)
    mxu, cost, logic = with_it.mxu, with_it.cost.plane_fill, with_it.cost.logic
    assert cost is not None
    stages = 2 if "clock" in "".join(overrides) else 0  # 800 MHz is under three times 285
    bits = stages * cost.stage_bits_per_weight
    a_weight = cost.square_micrometres_per_weight + bits * logic.flip_flop_square_micrometres
    a_column = cost.square_micrometres_per_column + mxu.dot_length * a_weight
    assert chip(with_it) - chip(without) == pytest.approx(mxu.columns * mxu.count * a_column * 1e-6)
    counters = {"weight_dispatcher.filled_weights": 10**9}
    energy = cost.energy_picojoules_per_weight + bits * logic.flip_flop_femtojoules_per_cycle * 1e-3
    spent_on_it = energy_picojoules(with_it, counters, 0)["mxu"]
    assert spent_on_it == pytest.approx(10**9 * energy)
    assert "weight_dispatcher.filled_weights" not in {
        name for terms in cost_terms(without) for name in terms.picojoules
    }


def test_a_machine_that_fills_up_planes_says_what_that_costs() -> None:
    with pytest.raises(InputError, match=r"cost\.plane_fill: missing; a machine with weight_dispatcher\.fills_planes"):
        chip(machine("fp-int", FILLS, "cost.plane_fill=null"))


def test_a_clock_beyond_the_rule_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        chip(machine("fp-fp", "clock.frequency_megahertz=2000"))
    assert caught.value.field == "clock.frequency_megahertz"


def test_what_is_no_hardware_costs_nothing() -> None:
    changes = ("buffers.weight.double_buffered=false", "dram.bandwidth_gigabytes_per_second=512", "dram.burst_bytes=32")
    before = machine("anda-hpca25")
    for change in (*changes, "dram.arbitration=priority", "dram.time_quantum=16"):
        after = machine("anda-hpca25", change)
        assert (chip(after), spent(after)) == (chip(before), spent(before))
