"""A kind of DRAM and an arbitration policy from outside the tree: the same result however they are simulated."""

from __future__ import annotations

import pytest

from sim import plugins
from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.errors import InputError
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.mapping.operands import ceil_div
from sim.units.dram import model_of
from sim.workload.gemm import Gemm
from tests.plugins.conftest import TOY

LINE = "dram={kind: toy_line, outstanding_loads: 3, bytes_per_cycle: 48, cycles: 11}"
GEMM = Gemm("up", "up", m=150, k=640, n=384, mantissa_bits=6, output_mantissa_bits=5)


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parts, as files."""
    monkeypatch.setenv(plugins.FILES, "")
    plugins.use([TOY / "toy_package" / "dram.py", TOY / "toy_package" / "arbitration.py"])


def machine(*overrides: str) -> Arch:
    return load_arch("anda-hpca25", ["schedule.k_block=128", *overrides])


@pytest.mark.parametrize(
    "overrides",
    [
        [LINE],
        [LINE, "dram.bytes_per_cycle=1", "buffers.weight.bytes=16384"],
        ["dram.arbitration=toy_largest", "dram.bandwidth_gigabytes_per_second=6", "dram.transaction_bytes=256"],
    ],
)
def test_both_grains_and_fast_forward_agree(overrides: list[str]) -> None:
    built = Machine(machine(*overrides))
    tile, plain, beat = (
        built.run(GEMM, options)
        for options in (
            SimulationOptions(),
            SimulationOptions(fast_forward=False),
            SimulationOptions(grain="beat", fast_forward=False),
        )
    )
    assert tile.cycles == plain.cycles == beat.cycles
    assert tile.counters == plain.counters == beat.counters
    assert tile.states == plain.states == beat.states
    assert tile.skips or overrides[0] != LINE


def test_the_laws_ask_the_kind() -> None:
    arch = machine(LINE)
    run = Machine(arch).run(GEMM)
    moved = sum(run.counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))
    requests = sum(run.counters[name] for name in ("weight_loader.requests", "activation_loader.requests"))
    requests += run.counters["writer.blocks"]
    # No byte comes with another request's: 11 cycles each, and whole cycles for the bytes.
    least = 11 * requests + ceil_div(moved, 48)
    assert least <= run.counters["dram.busy_cycles"] < least + requests
    assert run.counters["dram.busy_cycles"] <= run.cycles
    assert model_of(arch).bus_bytes(1) == 1


def test_a_policy_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    scarce = ["dram.bandwidth_gigabytes_per_second=6", "dram.transaction_bytes=256"]
    runs = {
        name: Machine(machine(f"dram.arbitration={name}", *scarce)).run(GEMM) for name in ("toy_largest", "priority")
    }
    assert runs["toy_largest"].counters["dram.weight_bytes"] == runs["priority"].counters["dram.weight_bytes"]
    assert runs["toy_largest"].cycles != runs["priority"].cycles


@pytest.mark.parametrize(
    ("override", "field", "told"),
    [
        (f"{LINE[:-1]}, burst_bytes: 64}}", "dram.burst_bytes", "unknown key"),
        ("dram.kind=toy_line", "dram.bandwidth_gigabytes_per_second", "unknown key"),
        (LINE.replace("48", "0"), "dram.bytes_per_cycle", "greater than or equal to 1, found 0"),
        (LINE.replace("48", "mxu.row"), "dram.bytes_per_cycle", "`mxu.row` is neither a number nor a key"),
        (LINE.replace("48", "dram.cycles / 2"), "dram.bytes_per_cycle", "expected integer, found 5.5"),
        (LINE.replace(", cycles: 11", ""), "dram.cycles", "missing"),
        ("dram.kind=toy_lime", "dram.kind", "found 'toy_lime'"),
        ("dram.kind=[channel]", "dram.kind", "found ['channel']"),
        ("dram.arbitration=toy_larger", "dram.arbitration", "found 'toy_larger'"),
    ],
)
def test_the_keys_are_those_of_the_kind(override: str, field: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        machine(override)
    assert (caught.value.field, told in caught.value.problem) == (field, True), caught.value
    assert caught.value.place is not None


def test_a_wrong_choice_names_the_plug_ins_too() -> None:
    for override, nearest, allowed in (
        ("dram.kind=toy_lime", "toy_line", "banks, channel or toy_line"),
        ("dram.arbitration=toy_larger", "toy_largest", "first_come, priority, round_robin or toy_largest"),
    ):
        with pytest.raises(InputError) as caught:
            machine(override)
        assert (caught.value.nearest, caught.value.facts["allowed"]) == (nearest, allowed)


def test_an_expression_may_name_and_set_keys_of_the_kind() -> None:
    arch = machine(LINE.replace("48", "3 * mxu.rows"), "writer.blocks=dram.bytes_per_cycle // 16")
    assert (arch.dram.bytes_per_cycle, arch.writer.blocks) == (48, 3)  # type: ignore[attr-defined]
    assert arch.model_dump()["dram"]["bytes_per_cycle"] == 48
