"""Records read back and shown; what a user can get wrong is one line."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gpu_ref import cli, record, show, sources
from gpu_ref.cupy_card import read_card
from gpu_ref.program import GemmShape
from sim.errors import InputError

SHAPE = GemmShape(16, 4096, 11008)
READING = [field.name for field in fields(record.Reading)]


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
        "state": dict.fromkeys(READING),
    }
    return {**values, **more}


def made(**more: Any) -> record.BenchRecord:
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
        "state_before": dict.fromkeys(READING),
        "ceilings": {"bytes_per_second": 2e12, "fp16_operations_per_second": 4e14},
        "checks": [],
        "failures": [],
        "rows": [row("fp16", 4e-5, speedup_over_fp16=1.0), anda],
    }
    return record.checked(record.BenchRecord, {**content, **more}, Path("made"), "a record")


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
    content = asdict(made())
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


def properties(major: int, minor: int) -> dict[str, Any]:
    sizes = {"multiProcessorCount": 1, "l2CacheSize": 2, "totalGlobalMem": 3, "sharedMemPerBlockOptin": 4}
    return {"name": b"Some card", "major": major, "minor": minor, **sizes}


def test_cards_are_read_and_old_ones_refused() -> None:
    assert read_card(properties(8, 0)).architecture == "sm_80"
    assert read_card(properties(9, 0)).architecture == "sm_90a"
    assert read_card(properties(12, 0)).architecture == "sm_120"
    with pytest.raises(InputError, match="Some card is sm_75"):
        read_card(properties(7, 5))


def test_first_contact_refuses_what_it_cannot_begin(tmp_path: Path) -> None:
    runner = CliRunner()
    outcome = runner.invoke(cli.app, ["first-contact", "--out", str(tmp_path), "--only", "bensh"])
    assert isinstance(outcome.exception, InputError)
    assert "no stage `bensh`" in str(outcome.exception)
    (tmp_path / "journal.jsonl").write_text("{}\n")
    outcome = runner.invoke(cli.app, ["first-contact", "--out", str(tmp_path)])
    assert isinstance(outcome.exception, InputError)
    assert "--resume" in outcome.exception.facts["needed"]


@pytest.mark.parametrize(
    ("was", "now", "message"),
    [("samples: 21", "samples: 1", "greater than or equal to 3"), ("samples: 21", "sample: 21", "unknown key")],
)
def test_settings_that_do_not_fit_are_refused(was: str, now: str, message: str, tmp_path: Path) -> None:
    from gpu_ref.settings import FILE, load_settings

    path = tmp_path / "bench.yaml"
    path.write_text(FILE.read_text(encoding="utf-8").replace(was, now))
    with pytest.raises(InputError, match=message) as caught:
        load_settings(path)
    assert str(caught.value.field).startswith("timing.sample")
