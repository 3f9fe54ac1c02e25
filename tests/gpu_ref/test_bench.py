"""The whole of bench on a pretended card: order, turns, quartiles, saving, failures, time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pretended import CARDS, Clock, PretendedDevice

from gpu_ref import record
from gpu_ref.bench import Bench, continued
from gpu_ref.card import Card
from gpu_ref.host.executor import HostExecutor
from gpu_ref.kernels.anda import Anda
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.kernels.w4a16 import W4a16
from gpu_ref.plan import Round
from gpu_ref.program import Shape
from gpu_ref.settings import Settings, load_settings
from gpu_ref.verify import selection, verify
from sim.errors import InputError

SHAPES = (Shape(3, 64, 256), Shape(5, 128, 256))
KERNELS = (Fp16(), W4a16(output="float16"), Anda(7))
SAMPLES = 5


@pytest.fixture
def settings() -> Settings:
    found = load_settings()
    return found.model_copy(update={"timing": found.timing.model_copy(update={"samples": SAMPLES, "seconds": 100})})


@pytest.fixture
def device(host: HostExecutor) -> PretendedDevice:
    # A small L2, so that a few copies of small weights are more than it holds.
    return PretendedDevice(replace(CARDS["H200"], l2_bytes=2**16), host, Clock())


def plan() -> list[Round]:
    return [
        Round(shape, KERNELS, frozenset({W4a16(output="float16")}), ("some layer",), with_energy=True)
        for shape in SHAPES
    ]


def run(device: PretendedDevice, settings: Settings, path: Path, begun: record.Record | None = None) -> record.Record:
    return Bench(device, settings, path, begun, device.clock).run(plan=plan())


def test_a_full_run_measures_verifies_and_records_everything(
    device: PretendedDevice, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "gpu" / "card.json"
    found = run(device, settings, path)
    assert record.load(path) == found
    assert found.complete
    assert not found.failures
    assert [(row.shape, row.source) for row in found.rows] == [(s, k.source) for s in SHAPES for k in KERNELS]
    assert all(check.passed for check in found.checks)
    assert all(item.released for item in device.prepared)
    row = found.rows[1]
    # samples 1, 2, 3, 4, 5 us
    assert (row.lower_quartile_seconds, row.median_seconds, row.upper_quartile_seconds) == pytest.approx(
        (2e-6, 3e-6, 4e-6)
    )
    assert row.speedup_over_fp16 == pytest.approx(4)
    assert row.energy_joules == 2e-3
    assert row.is_choice
    assert row.instruction == "native"
    assert found.rows[0].instruction == "library"
    assert row.state.throttle_reasons == ["power cap"]
    # A and C in FP16; 4 bits a weight, 16 + 4 more a group of 128
    assert row.bytes == 2 * 3 * 256 + 2 * 3 * 64 + 64 * 256 // 2 + 64 * 2 * 20 // 8
    assert row.roofline_share == pytest.approx(row.roofline_seconds / 3e-6)


def test_kernels_of_a_round_are_sampled_in_turns(device: PretendedDevice, settings: Settings, tmp_path: Path) -> None:
    run(device, settings, tmp_path / "card.json")
    ceilings, first = device.log[: 2 * SAMPLES], device.log[2 * SAMPLES : 5 * SAMPLES]
    assert ceilings == ["copy"] * SAMPLES + ["fp16"] * SAMPLES
    assert first == ["fp16", "w4a16", "anda"] * SAMPLES


def test_weights_are_rotated_through_three_times_the_l2(
    device: PretendedDevice, settings: Settings, tmp_path: Path
) -> None:
    found = run(device, settings, tmp_path / "card.json")
    timed = {item.name: item for item in device.prepared if item.copies > 1}
    streamed = timed["w4a16"].program.streamed_bytes
    assert streamed * timed["w4a16"].copies >= 3 * device.card.l2_bytes > streamed * (timed["w4a16"].copies - 1)
    assert timed["w4a16"].runs % timed["w4a16"].copies == 0
    assert found.rows[1].weight_copies in {item.copies for item in device.prepared if item.name == "w4a16"}


def test_a_kernel_that_fails_costs_only_itself(device: PretendedDevice, settings: Settings, tmp_path: Path) -> None:
    def fail(name: str, step: str) -> None:
        if (name, step) == ("anda", "sample"):
            raise RuntimeError("launch failed")

    device.fail = fail
    found = run(device, settings, tmp_path / "card.json")
    assert [row.source for row in found.rows] == ["fp16", "w4a16"] * 2
    assert [(one.kernel, one.message) for one in found.failures] == [("anda M=7", "RuntimeError: launch failed")] * 2
    assert found.complete


def test_a_card_that_no_longer_answers_ends_the_run(
    device: PretendedDevice, settings: Settings, tmp_path: Path
) -> None:
    def fail(name: str, step: str) -> None:
        if len(device.log) >= 2 * SAMPLES + 3:
            raise RuntimeError("illegal address")

    device.fail = fail
    path = tmp_path / "card.json"
    told: list[str] = []
    found = Bench(device, settings, path, None, device.clock).run(told.append, [*plan(), *plan()])
    assert not found.complete
    assert "no longer answers" in told[-1]
    assert record.load(path).failures


def test_a_wrong_result_is_not_timed(
    device: PretendedDevice, settings: Settings, tmp_path: Path, compiled: Path
) -> None:
    from gpu_ref import sources

    device.host = HostExecutor(compiled, lambda name: sources.text(name).replace("zeros >> 4 * j & 15", "7"))
    found = run(device, settings, tmp_path / "card.json")
    assert {row.source for row in found.rows} == {"fp16", "anda"}
    assert "differs from its golden model" in found.failures[0].message
    assert any(not check.passed for check in found.checks)


def test_time_that_is_up_ends_the_run_and_it_can_be_continued(
    device: PretendedDevice, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "card.json"
    # The ceilings take 2 x 5 samples, a round 3 x 5: after one round 25 > 20 seconds are gone.
    device.sample_seconds = 1.0
    short = settings.model_copy(update={"timing": settings.timing.model_copy(update={"seconds": 20})})
    found = run(device, short, path)
    assert not found.complete
    assert {row.shape for row in found.rows} == {SHAPES[0]}
    assert found.spent_seconds == 25

    again = run(device, settings, path, continued(record.load(path), device, path))
    assert again.complete
    assert [row.shape for row in again.rows] == [SHAPES[0]] * 3 + [SHAPES[1]] * 3
    assert again.spent_seconds == 25 + 15


def test_a_record_of_another_card_or_other_kernels_is_not_continued(
    device: PretendedDevice, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "card.json"
    found = run(device, settings, path)
    other = replace(device, card=CARDS["A100"])
    with pytest.raises(InputError, match="another card"):
        continued(found, other, path)
    found.sources["w4a16"] = "0" * 16
    with pytest.raises(InputError, match="kernels have changed since: w4a16"):
        continued(found, device, path)


def test_verify_checks_what_is_selected(device: PretendedDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [(kernel, SHAPES[0]) for kernel in KERNELS]
    monkeypatch.setattr("gpu_ref.verify.selection", lambda card, shapes: iter(chosen))
    checks = list(verify(device, seed=1))
    assert [check.case for check in checks] == ["random", "one-hot", "random", "contract"]
    assert all(check.passed for check in checks)


def test_the_selection_has_every_kernel_length_and_pair_of_bits(card: Card) -> None:
    labels = {kernel.label for kernel, _ in selection(card)}
    assert {f"anda M={bits}" for bits in range(1, 16)} | {f"anda_fp16 M={bits} z" for bits in range(1, 15)} <= labels
    assert {f"bipolar {a}x{b}" for a in range(1, 9) for b in range(1, 9)} <= labels
    assert {"fp16", "dequantise", "w4a16", "w4a16_awq", "int8", "llm_int8"} <= labels
    if card.is_hopper:
        assert {f"anda_wgmma M={bits}" for bits in range(1, 16)} <= labels
        assert {"w4a16_wgmma", "fp8_wgmma"} <= labels
