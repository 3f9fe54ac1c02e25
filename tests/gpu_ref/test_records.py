"""Records read back, shown and compared; what a user can get wrong is one line."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gpu_ref import cli, record, show, sources
from gpu_ref.compare import compare, least_bytes, print_entries, speedup_figure
from gpu_ref.cupy_card import read_card
from gpu_ref.program import Shape
from sim.errors import InputError
from sim.result import Result
from sim.workload.gemm import Gemm, VectorWork
from tests.results import simulated, with_layer, work_of

SHAPE = Shape(16, 4096, 11008)


def row(kernel: str, seconds: float, **more: Any) -> dict[str, Any]:
    values = {
        **{"kernel": kernel, "source": kernel.split(" ")[0], "configuration": kernel},
        **{"operand": "f16", "instruction": "native", "is_choice": False, "mantissa_bits": None},
        **asdict(SHAPE),
        **{"median_seconds": seconds, "lower_quartile_seconds": seconds, "upper_quartile_seconds": seconds},
        **{"samples": 3, "weight_copies": 2, "bytes": 10, "operations": SHAPE.operations, "passes": 1},
        **{
            "memory_seconds": seconds / 2,
            "compute_seconds": seconds / 4,
            "roofline_share": 0.5,
            "limited_by": "memory",
        },
        **{"speedup_over_fp16": None, "energy_joules": None, "error": 0.0, "error_limit": 0.0},
        "layers": ["llama-7b down"],
        "state": dict.fromkeys(record.Reading.model_fields),
    }
    return {**values, **more}


def made(**more: Any) -> record.Record:
    card = {"multiprocessors": 1, "l2_bytes": 1, "memory_bytes": 1, "shared_bytes": 1}
    anda = row("anda M=6", 1e-5, mantissa_bits=6, speedup_over_fp16=4.0)
    content = {
        "device": {"name": "Pretended", "architecture": "sm_80", **card},
        "versions": {"driver": "1.2"},
        "started": "2026-01-02T03:04:05+00:00",
        "spent_seconds": 1.0,
        "complete": True,
        "sources": {name: sources.fingerprint(name) for name in sources.names()},
        "tensor_core_rates": {"f16": 1},
        "state_before": dict.fromkeys(record.Reading.model_fields),
        "ceilings": {"bytes_per_second": 2e12, "fp16_operations_per_second": 4e14},
        "checks": [],
        "failures": [],
        "rows": [row("fp16", 4e-5, speedup_over_fp16=1.0), anda],
    }
    return record.Record.model_validate({**content, **more})


def result(cycles: int, macs_per_cycle: float, mantissa_bits: int | None) -> Result:
    """A result of vector work and a GeMM of the measured shape, its figures round numbers."""
    gemm = Gemm("up", "up", SHAPE.tokens, SHAPE.depth, SHAPE.columns, mantissa_bits=mantissa_bits)
    norm = VectorWork("norm", "norm", operations=100, read_bytes=100, write_bytes=100)
    made = simulated("anda-hpca25" if mantissa_bits else "fp-fp", work=work_of(norm, gemm))
    figures = {"cycles": cycles, "peak_macs_per_cycle": macs_per_cycle, "energy_picojoules": 3e9}
    peak = replace(made.peak, macs_per_cycle=macs_per_cycle, dram_bytes_per_cycle=1000.0)
    return replace(with_layer(made, 1, **figures), clock_hertz=10**9, peak=peak)


def test_a_record_survives_being_saved(tmp_path: Path) -> None:
    record.save(made(), tmp_path / "deep" / "a.json")
    assert record.load(tmp_path / "deep" / "a.json") == made()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.json"]


def test_the_newest_record_is_the_one_started_last(tmp_path: Path) -> None:
    record.save(made(), tmp_path / "b.json")
    record.save(made(started="2026-02-01T00:00:00+00:00"), tmp_path / "a.json")
    assert record.newest(tmp_path).name == "a.json"


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[]", "not a record"), ('{"device": 3}', "device: not a record")],
)
def test_a_file_that_is_no_record_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        record.load(path)


def test_missing_records_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        record.load(tmp_path / "a.json")
    with pytest.raises(InputError, match="no GPU measurements are recorded"):
        record.newest(tmp_path)


def test_show_says_card_date_and_what_changed_since(tmp_path: Path) -> None:
    content = made().model_dump()
    content["sources"]["anda"] = "0" * 16
    content["sources"]["gone"] = "0" * 16
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    shown = CliRunner().invoke(cli.app, ["show", str(path), "--html", str(tmp_path / "a.html")], env={"COLUMNS": "160"})
    assert shown.exit_code == 0, shown.output
    assert "Pretended, 2026-01-02T03:04:05+00:00, driver 1.2" in shown.output
    assert "kernels changed since: anda, gone" in shown.output
    assert "4.00x" in shown.output
    assert "kernels changed since" in (tmp_path / "a.html").read_text()


def test_the_figure_draws_measured_and_allowed_speedups() -> None:
    traces = show.speedup_figure(made(), SHAPE.columns, SHAPE.depth)["data"]
    by_name = {trace["name"]: trace for trace in traces}
    assert by_name["anda M=6"]["y"] == pytest.approx([4.0])
    # rooflines: half the measured time of each
    assert by_name["anda M=6, roofline"]["y"] == pytest.approx([4.0])
    assert by_name["anda M=6"]["x"] == [16]


def test_machines_and_kernels_stand_side_by_side() -> None:
    base, anda = result(4_000_000, 1000.0, None), result(2_000_000, 2000.0, 6)
    entries = compare([base, anda], ["fp-fp", "anda"], made())
    assert [(one.platform, one.kernel) for one in entries] == [
        ("fp-fp", "simulated"), ("anda", "simulated"), ("Pretended", "fp16"), ("Pretended", "anda M=6"),
    ]  # fmt: skip
    machine = entries[1]
    macs = SHAPE.tokens * SHAPE.columns * SHAPE.depth
    assert machine.seconds == 2e-3
    assert machine.operations_per_second == pytest.approx(2 * macs / 2e-3)
    assert machine.speedup_over_fp16 == 2
    assert machine.energy_joules == pytest.approx(3e-3)
    # 2000 MAC a cycle take longer than 1000 bytes a cycle for 4 bits and a bit a weight
    assert machine.roofline_seconds == pytest.approx(macs / 2000 / 1e9)
    assert machine.roofline_share == pytest.approx(macs / 2000 / 1e9 / 2e-3)
    # fp-fp's 2 TFLOP/s become the card's 400, anda stays twice as fast; the card's 2 TB/s are then the limit
    scaled = max(2 * macs / 8e14, least_bytes(SHAPE, 6) / 2e12)
    assert machine.normalised_seconds == pytest.approx(scaled / machine.roofline_share)
    kernel = entries[3]
    assert kernel.speedup_over_fp16 == 4
    assert kernel.normalised_seconds == kernel.seconds


def test_the_figure_of_a_comparison_has_machines_as_points_among_the_kernels() -> None:
    entries = compare([result(4_000_000, 1000.0, None), result(2_000_000, 2000.0, 6)], ["fp-fp", "anda"], made())
    traces = speedup_figure(entries, made(), SHAPE.columns, SHAPE.depth)["data"]
    points = {trace["name"]: (trace["x"], trace["y"]) for trace in traces if trace["mode"] == "markers"}
    assert points == {"fp-fp, simulated": ([16], [1.0]), "anda, simulated": ([16], [2.0])}
    assert {"anda M=6", "anda M=6, roofline"} <= {trace["name"] for trace in traces}


def test_a_comparison_is_printed_with_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    entries = compare([result(4_000_000, 1000.0, None)], ["fp-fp"], made())
    print_entries(entries, Console(width=140))
    printed = capsys.readouterr().out
    assert "16 x 4096 x 11008" in printed
    assert "simulated" in printed
    assert "anda M=6" in printed


def test_the_least_bytes_count_weights_activations_and_outputs_once() -> None:
    shape = Shape(2, 128, 256)
    weights, outputs = 128 * 256 / 2 + 128 * 2 * 20 / 8, 2 * 128 * 2
    assert least_bytes(shape, None) == weights + outputs + 2 * 256 * 2
    # Anda, M = 6: 7 words of 64 bits and a 5-bit exponent a group of 64
    assert least_bytes(shape, 6) == weights + outputs + 2 * 256 / 64 * (7 * 64 + 5) / 8


def test_a_comparison_without_a_common_gemm_names_both_sides() -> None:
    other = with_layer(result(1, 1.0, None), 1, m=3)
    with pytest.raises(InputError, match="no GeMM was both simulated and measured") as caught:
        compare([other], ["fp-fp"], made())
    assert caught.value.facts == {"simulated": "3 x 4096 x 11008", "measured": "16 x 4096 x 11008"}


def properties(major: int, minor: int) -> dict[str, Any]:
    sizes = {"multiProcessorCount": 1, "l2CacheSize": 2, "totalGlobalMem": 3, "sharedMemPerBlockOptin": 4}
    return {"name": b"Some card", "major": major, "minor": minor, **sizes}


def test_cards_are_read_and_old_ones_refused() -> None:
    assert read_card(properties(8, 0)).architecture == "sm_80"
    assert read_card(properties(9, 0)).architecture == "sm_90a"
    assert read_card(properties(12, 0)).architecture == "sm_120"
    with pytest.raises(InputError, match="Some card is sm_75"):
        read_card(properties(7, 5))


@pytest.mark.parametrize("command", [["verify"], ["bench"]])
def test_without_cupy_a_command_says_what_is_needed(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cupy", None)
    outcome = CliRunner().invoke(cli.app, command)
    assert isinstance(outcome.exception, InputError)
    assert "CuPy cannot be loaded" in str(outcome.exception)
    assert "cupy-cuda13x" in outcome.exception.facts["needed"]


def test_compare_sets_measured_kernels_beside_the_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.cli import app

    monkeypatch.chdir(tmp_path)
    (tmp_path / "record.json").write_text(made().model_dump_json())
    (tmp_path / "gemms.csv").write_text(f"down,{SHAPE.tokens},{SHAPE.columns},{SHAPE.depth}\n")
    arguments = ["compare", "fp-fp", "anda-hpca25", "--workload", "gemms.csv", "--gpu", "record.json"]
    done = CliRunner().invoke(app, [*arguments, "--out", "c", "--jobs", "1"])
    assert done.exit_code == 0, done.output
    # A narrow terminal folds long cells, so that the names of kernels may be cut in two.
    for words in ("Pretended", "anda M=6", "2026-01-02"):
        assert words in done.output
    page = (tmp_path / "c" / "report.html").read_text(encoding="utf-8")
    assert "Beside measured GPU kernels" in page
    assert "Pretended" in page
