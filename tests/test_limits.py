"""The named limit is the largest loss, told with the key that makes it smaller; phases are told apart."""

from __future__ import annotations

from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.laws.waterfall import LOSSES, Waterfall
from sim.limits import NEGLIGIBLE, limit_of, loss_of
from sim.result import Limit, Result
from sim.simulation import simulate
from sim.units.catalogue import unit_kinds
from sim.workload.load import load_workload


def run(arch: str, *overrides: str, model: str = "llama-7b", **options: object) -> Result:
    return simulate(load_arch(arch, overrides), load_workload(model, **options))  # type: ignore[arg-type]


def limit(useful: int, **losses: int) -> Limit:
    return limit_of(Waterfall(1, useful + sum(losses.values()), useful, losses), rows=16)


def written(arch: str, key: str) -> object:
    """What stands at a key of a shipped machine, with what its MXUs split spelled out."""
    value: Any = load_arch(arch, ["schedule.split={outputs: 1}"]).model_dump()
    for part in key.split("."):
        value = value[part]
    return value


def test_every_loss_is_named_for_one_unit_in_the_order_of_the_waterfall() -> None:
    declared = [name for unit in unit_kinds() for name in unit.losses]
    assert sorted(declared) == sorted(LOSSES)
    assert loss_of().keys() == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_the_key_of_a_loss_is_one_that_a_user_can_set(name: str) -> None:
    _, loss = loss_of()[name]
    assert loss.key in loss.advice
    if loss.key != "batch":
        machine = "int8" if loss.key.startswith("quantiser") else "anda-hpca25"
        assert written(machine, loss.key) is not None


def test_exactly_half_is_named() -> None:
    found = limit(8, rows_without_tokens=8)
    assert (found.unit, found.cause, found.key) == ("mxu", "row occupancy", "batch")
    assert "50.0 % of the multipliers' time is lost to rows without a token" in found.text
    assert "8 of 16 rows work" in found.text


def test_losses_with_one_cause_count_together_and_the_largest_says_what_to_do() -> None:
    found = limit(40, weights_channel_busy=18, activations_channel_busy=19, columns_without_outputs=23)
    assert (found.unit, found.cause) == ("dram", "bandwidth")
    assert "37.0 % of the multipliers' time is lost, mostly to waits for activations" in found.text
    assert "buffers.activation.bytes" in found.text


def test_what_is_negligible_leaves_compute() -> None:
    whole = 1000
    at_limit = int(NEGLIGIBLE * whole)
    assert limit(whole - at_limit, k_padding=at_limit).cause == "padding of K"
    below = limit(whole - at_limit + 1, k_padding=at_limit - 1)
    assert (below.unit, below.cause, below.key) == ("mxu", "compute", "mxu.count")
    assert "90.1 % of the multipliers' time is useful, 9.9 % lost to values of K that are padding" in below.text


@pytest.mark.parametrize(
    ("pinned", "cause", "key"),
    [
        (("schedule.token_block=16",), "row occupancy", "schedule.token_block"),
        (
            ("schedule.token_block=32", "activation_dispatcher.port_bits=1024"),
            "activation port",
            "activation_dispatcher.port_bits",
        ),
    ],
)
def test_a_larger_array_on_the_ports_and_blocks_of_a_smaller_one_says_so(
    pinned: tuple[str, ...], cause: str, key: str
) -> None:
    found = run("fp-fp", "mxu.rows=32", "mxu.columns=32", *pinned)
    assert found.waterfall.multipliers == 4096
    assert found.totals.utilisation == pytest.approx(0.5, abs=0.001)
    assert (found.limit.cause, found.limit.key) == (cause, key)


def test_twice_the_rows_are_told_by_how_they_are_fed() -> None:
    as_shipped, fed = run("anda-hpca25"), run("anda-hpca25", "mxu.rows=32")
    starved = run("anda-hpca25", "mxu.rows=32", "activation_dispatcher.port_bits=1024")
    assert as_shipped.totals.cycles / fed.totals.cycles == pytest.approx(2, rel=0.01)
    assert fed.totals.utilisation > 0.99
    assert starved.totals.utilisation == pytest.approx(0.5, abs=0.01)
    assert starved.limit.key == "activation_dispatcher.port_bits"


def test_decode_on_many_mxus_is_not_well_used() -> None:
    found = run("anda-datacenter", model="llama2-70b", phase="decode", scope="all", context=4096)
    assert found.totals.utilisation < 0.01
    assert found.totals.share_of_what_ports_allow > found.totals.utilisation


def test_a_phase_hides_behind_no_other() -> None:
    found = run("anda-hpca25", phase="both", steps=1)
    assert found.totals.utilisation > 0.9
    assert found.phases["prefill"].utilisation > 0.99
    decode = found.phases["decode"]
    assert decode.utilisation == pytest.approx(1 / 16, rel=0.02)
    assert (decode.limit.cause, decode.limit.key) == ("row occupancy", "batch")
    assert "1 of 16 rows work" in decode.limit.text


@pytest.mark.parametrize(("arch", "scope"), [("anda-hpca25", "all"), ("fp-fp", "all"), ("anda-datacenter", "fp-int")])
def test_totals_phases_modules_and_layers_are_one_waterfall(arch: str, scope: str) -> None:
    found = run(arch, model="opt-125m", phase="both", steps=3, scope=scope)
    parts = {
        "phases": [(1, phase.waterfall) for phase in found.phases.values()],
        "modules": [(1, module.waterfall) for module in found.modules.values()],
        "layers": [(layer.count, layer.waterfall) for layer in found.layers],
    }
    whole = found.waterfall
    assert whole.cycles == found.totals.cycles
    assert whole.useful + sum(whole.losses.values()) == whole.cycles * whole.multipliers
    for level, counted in parts.items():
        for name in ("cycles", "useful"):
            assert sum(count * getattr(one, name) for count, one in counted) == getattr(whole, name), level
        for name in LOSSES:
            assert sum(count * one.losses.get(name, 0) for count, one in counted) == whole.losses.get(name, 0), name
