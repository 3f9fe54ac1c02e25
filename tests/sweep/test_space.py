"""Axes, ratios and expressions: which designs a space holds, and what makes two of them the same."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from sim.arch.load import load_arch
from sim.sweep.axes import axes_of
from sim.sweep.load import load_sweep
from sim.sweep.space import Space
from sim.workload.load import load_workload
from tests.sweep.conftest import SMALL_WORK, Write, space_of


def levels(write: Write, spread: Any) -> list[Any]:
    sweep, source = load_sweep(str(write({"arch.mxu.rows": spread})))
    return list(axes_of(sweep, source)[-1].levels)


@pytest.mark.parametrize(
    ("spread", "expected"),
    [
        ([4, 8, 6], [4, 8, 6]),
        ({"values": [16]}, [16]),
        ({"range": {"from": 2, "to": 9, "step": 3}}, [2, 5, 8]),
        ({"range": {"from": 4, "to": 6}}, [4, 5, 6]),
        ({"range": {"from": 0.1, "to": 0.5, "step": 0.1}}, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"range": {"from": 1, "to": 2, "step": 0.5}}, [1.0, 1.5, 2.0]),
        ({"powers_of_two": {"from": 4, "to": 32}}, [4, 8, 16, 32]),
        ({"powers_of_two": {"from": 5, "to": 33}}, [8, 16, 32]),
        ({"powers_of_two": {"from": 1, "to": 1}}, [1]),
        ({"ratio": [0.5, 2]}, [0.5, 2]),
    ],
)
def test_a_spread_means_these_levels(write: Write, spread: Any, expected: list[Any]) -> None:
    assert levels(write, spread) == expected


def test_numbers_go_through_all_combinations_with_the_first_axis_slowest(write: Write) -> None:
    axes = {"arch.mxu.rows": [8, 16], "arch.writer.blocks": [1, 2, 3]}
    space = space_of(write(axes, archs=["anda-hpca25", "figna"]))
    found = [
        (design.config["arch"]["name"], design.config["arch"]["mxu"]["rows"], design.config["arch"]["writer"]["blocks"])
        for design in map(space.design, range(space.size))
    ]
    assert found == list(product(["anda-hpca25", "figna"], [8, 16], [1, 2, 3]))
    assert [space.number(space.levels(number)) for number in range(space.size)] == list(range(space.size))


def test_a_design_is_the_machine_and_the_work_that_its_overrides_describe(write: Write) -> None:
    axes = {
        "arch.mxu.rows, arch.schedule.token_block": [[8, 16], [16, 48]],
        "arch.buffers.weight.bytes": {"ratio": [0.25], "of": "arch.buffers.activation.bytes"},
        "arch.buffers.activation.bytes": [524288],
        "workload.run.precision": [[7, 6, 6, 6]],
    }
    design = space_of(write(axes)).design(1)
    arch = load_arch(
        "anda-hpca25",
        [
            "mxu.rows=16",
            "schedule.token_block=48",
            "buffers.weight.bytes=131072",
            "buffers.activation.bytes=524288",
            "activation_dispatcher.port_bits=1024",
        ],
    )
    work = load_workload(
        "opt-125m",
        overrides=["layers=1", "run.tokens=32", "run.phase=both", "run.precision=[7, 6, 6, 6]"],
    )
    assert design.arch is not None
    assert design.arch.model_dump() == arch.model_dump()
    assert design.workload == work


def test_a_ratio_without_of_multiplies_the_value_of_the_base(write: Write) -> None:
    bytes_ = space_of(write({"arch.buffers.weight.bytes": {"ratio": [1.5]}})).design(0).arch.buffers.weight.bytes  # type: ignore[union-attr]
    assert bytes_ == load_arch("anda-hpca25").buffers.weight.bytes * 3 // 2


def test_the_key_tells_designs_apart_and_knows_equal_ones(write: Write, tmp_path: Path) -> None:
    space = space_of(write({"arch.mxu.rows": [8, 16], "arch.cost.controller.power_milliwatts": [0.01, 0.02]}))
    keys = [space.design(number).key for number in range(space.size)]
    assert len(set(keys)) == space.size
    base = tmp_path / "mine.yaml"
    base.write_text("extends: anda-hpca25\nmxu: {rows: 8, source: 'another text'}\n", encoding="utf-8")
    other = space_of(write({}, name="other", archs=[str(base)]))
    assert other.design(0).key == keys[0]


def test_the_key_changes_with_the_code(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    space = space_of(write())
    before = space.design(0).key
    monkeypatch.setattr("sim.runs.identity.code_version", lambda: "other")
    assert space.design(0).key != before


def test_names_may_be_any_unique_ending_of_a_key(write: Write) -> None:
    space = space_of(write(constraints=["rows * mxu.columns == 256", "arch.mxu.count == 1", "layers == 1"]))
    allowed = [design.arch.mxu.rows for design in map(space.design, range(2)) if space.allowed(design)]  # type: ignore[union-attr]
    assert allowed == [16]


def test_a_constraint_on_area_prunes_before_anything_is_simulated(write: Write) -> None:
    from sim.machine.costs import area_square_millimetres

    space = space_of(write({"arch.mxu.rows": [8, 16, 24]}, constraints=["area <= limit"], derived={"limit": "2.2"}))
    areas = [sum(area_square_millimetres(space.design(number).arch).values()) for number in range(3)]  # type: ignore[arg-type]
    assert min(areas) <= 2.2 < max(areas)
    assert [space.allowed(space.design(number)) for number in range(3)] == [area <= 2.2 for area in areas]


def test_keys_that_follow_others_follow_them_at_every_point(write: Write) -> None:
    space = space_of(write({"arch.mxu.rows": [8, 32], "arch.mxu.columns": [16, 24]}, archs=["anda-hpca25", "fp-fp"]))
    for number in range(space.size):
        arch = space.design(number).arch
        assert arch is not None
        rows, columns, anda = arch.mxu.rows, arch.mxu.columns, arch.mxu.pe == "anda"
        plain = load_arch(arch.name, [f"mxu.rows={rows}", f"mxu.columns={columns}"])
        assert arch.model_dump() == plain.model_dump()
        assert arch.activation_dispatcher.port_bits == 64 * rows  # one plane, or four FP16
        assert arch.activation_dispatcher.exponent_port_bits == (max(80, 5 * rows) if anda else None)
        assert arch.schedule.output_block == {16: 64, 24: 192}[columns]  # type: ignore[union-attr]


def test_a_level_may_be_an_expression(write: Write) -> None:
    space = space_of(write({"arch.schedule.token_block": ["3 * mxu.rows", 16], "arch.mxu.rows": [8, 16]}))
    blocks = [space.design(number).arch.schedule.token_block for number in range(4)]  # type: ignore[union-attr]
    assert blocks == [24, 48, 16, 16]
    assert space.design(1).overrides["arch.schedule.token_block"] == "3 * mxu.rows"
    assert space.design(1).config["arch"]["schedule"]["token_block"] == 48


def test_a_ratio_of_a_key_that_follows_others_is_of_its_value_at_the_point(write: Write) -> None:
    axes = {
        "arch.mxu.rows": [16, 32],
        "arch.collector.port_bits": {"ratio": [0.5], "of": "arch.activation_dispatcher.port_bits"},
    }
    space = space_of(write(axes))
    assert [space.design(number).arch.collector.port_bits for number in range(2)] == [512, 1024]  # type: ignore[union-attr]


def test_a_level_that_only_another_axis_makes_possible_is_left_to_its_points(write: Write) -> None:
    axes = {"arch.mxu.lanes": [None, 4], "arch.mxu.pe": ["anda", "fp_int"]}
    space = space_of(write(axes))
    refusals = [space.design(number).refusal for number in range(4)]
    assert [bool(refusal) for refusal in refusals] == [False, True, True, False]
    assert "mxu.lanes: missing; a PE of kind fp_int needs it" in (refusals[1] or "")


def test_a_base_with_recorded_costs_has_those_of_each_point(write: Write, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: figna\ncost: {pe: rtl}\n", encoding="utf-8")
    space = space_of(write({"arch.mxu.lanes, arch.mxu.mantissa_bits": [[4, 13], [8, 8], [5, 13]]}, archs=["mine.yaml"]))
    costs = [design.arch and design.arch.cost.pe.area_square_millimetres for design in map(space.design, range(3))]
    assert costs[0] == load_arch("figna", ["cost.pe=rtl"]).cost.pe.area_square_millimetres
    assert costs[1] == load_arch("figna-m8", ["cost.pe=rtl"]).cost.pe.area_square_millimetres
    assert "was not synthesised" in (space.design(2).refusal or "")


def test_a_space_far_too_large_to_list_costs_nothing(write: Write) -> None:
    axes = {f"arch.{key}": {"range": {"from": 1, "to": 10**9}} for key in ("mxu.rows", "mxu.columns", "vector.fpus")}
    space = space_of(write(axes))
    assert space.size == 10**27
    assert space.design(space.size - 1).arch.vector.fpus == 10**9  # type: ignore[union-attr]
    assert isinstance(space, Space)
    assert len(SMALL_WORK) + 2 + 3 == len(space.axes)


def test_a_level_is_checked_beside_the_other_axes(write: Write) -> None:
    # A prefill, which the base does, takes no context.
    path = write({"workload.run.context": [128, 256]})
    text = path.read_text(encoding="utf-8").replace("- both", "- decode").replace("tokens", "steps")
    path.write_text(text, encoding="utf-8")
    contexts = [space_of(path).design(number).config["workload"]["run"]["context"] for number in range(2)]
    assert contexts == [128, 256]
