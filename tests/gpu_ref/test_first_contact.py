"""First contact rehearsed on the strict card: whatever goes wrong, each item ends as a row or with a reason."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rehearsal import CARD, prepared_code

from gpu_ref import record
from gpu_ref.contact import outcome
from gpu_ref.contact import run as contact
from gpu_ref.contact.job import Job
from gpu_ref.contact.journal import Journal
from gpu_ref.contact.steps import ContactStep, steps
from gpu_ref.contact.supervisor import Supervisor
from sim.errors import InputError

Strict = Callable[..., Any]


def stage(step: ContactStep) -> str:
    return step.stage.split()[0]


def meet(job: Job, folder: Path, stages: Iterable[str], minutes: float = 10, **more: Any) -> record.BenchRecord:
    told: list[str] = []
    contact.first_contact(job, folder, minutes, stages=list(stages), say=told.append, **more)
    found = record.load(folder / contact.RECORD)
    assert told
    return found


def unsettled(planned: list[ContactStep], stages: Iterable[str], folder: Path) -> set[tuple[str, str]]:
    entries = Journal(folder / contact.JOURNAL).entries
    settled = {(entry["step"], entry["item"]) for entry in entries if entry["kind"] == "settled"}
    return {(step.name, item.name) for step in planned if stage(step) in stages for item in step.items} - settled


def test_everything_ends_as_a_row_or_with_a_reason(
    strict: Strict, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict()
    monkeypatch.setattr("gpu_ref.contact.tools.Tool.command", lambda _: None)
    planned = prepared_code(job)
    stages = ("card", "ceilings", "smoke", "sanitize", "verify", "bench", "energy", "peers", "counters")
    found = meet(job, tmp_path / "a", stages)
    assert unsettled(planned, stages, tmp_path / "a") == set()
    timed = {
        (item.kernel.label, str(item.shape))
        for step in planned
        if stage(step) == "bench"
        for item in step.items
        if item.kernel
    }
    assert {(row.kernel, str(row.shape)) for row in found.rows} >= timed
    assert {row.source for row in found.rows} >= {"fp16", "w4a16", "anda", "bipolar"}
    assert all(row.launches == "graph" for row in found.rows)
    assert all(row.speedup_over_fp16 for row in found.rows)
    assert all(check.passed for check in found.checks)
    assert found.complete
    # No sanitizer, no counter of energy, no peer is here: each is said, and nothing else failed.
    reasons = {failure.message.split(": ", 1)[1].splitlines()[0] for failure in found.failures}
    missing = ("compute-sanitizer is not installed", "does not count energy", "PyTorch", "GemLite is not installed")
    assert all(any(part in reason for part in missing) for reason in reasons), reasons


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("illegal", "illegal memory access"), ("hang", "hung: no word for"), ("abort", "died of SIGABRT")],
)
def test_a_bad_kernel_costs_no_row_of_another(
    strict: Strict, job: Job, tmp_path: Path, fault: str, reason: str
) -> None:
    strict(**{fault: ["w4a16"]})
    job = replace(job, settings=replace(job.settings, patience_seconds=6))
    planned = prepared_code(job)
    stages = ("card", "ceilings", "bench")
    found = meet(job, tmp_path / "a", stages)
    assert unsettled(planned, stages, tmp_path / "a") == set()
    timed = {item.kernel.label for step in planned if stage(step) == "bench" for item in step.items if item.kernel}
    assert {row.kernel for row in found.rows} == timed - {"w4a16"}
    assert [failure.kernel for failure in found.failures] == ["w4a16"]
    assert reason in found.failures[0].message


def test_a_subject_on_which_two_processes_were_lost_is_not_tried_again(
    strict: Strict, job: Job, tmp_path: Path
) -> None:
    strict(abort=["int8"])
    prepared_code(job)
    found = meet(job, tmp_path / "a", ("smoke", "verify", "bench"))
    reasons = [failure.message for failure in found.failures if failure.kernel == "int8"]
    assert sum("died of SIGABRT" in reason for reason in reasons) == 2
    assert all("skipped: 2 processes were lost on int8" in reason for reason in reasons[2:])
    assert len(reasons) > 2
    assert "int8" not in {row.kernel for row in found.rows}


def test_without_ceilings_the_rows_are_kept_and_the_best_of_them_is_the_roofline(
    strict: Strict, job: Job, tmp_path: Path
) -> None:
    job = replace(job, settings=replace(job.settings, ceilings=replace(job.settings.ceilings, product_size=2**18)))
    strict()
    prepared_code(job)
    found = meet(job, tmp_path / "a", ("bench",))
    assert "too little memory" in found.failures[0].message
    assert found.rows
    assert found.ceilings is not None
    assert found.ceilings.bytes_per_second == max(row.bytes / row.median_seconds for row in found.rows)
    assert max(row.memory_seconds / row.median_seconds for row in found.rows) == pytest.approx(1)
    work = [max(row.compute_seconds, row.contract_seconds) / row.median_seconds for row in found.rows]
    assert max(work) == pytest.approx(1)


def test_a_family_on_which_four_processes_were_lost_is_given_up(strict: Strict, job: Job, tmp_path: Path) -> None:
    strict(abort=["bipolar"])
    prepared_code(job)
    found = meet(job, tmp_path / "a", ("smoke", "bench"))
    reasons = [failure.message for failure in found.failures if failure.kernel.startswith("bipolar")]
    assert sum("died of SIGABRT" in reason for reason in reasons) == 4
    assert any("skipped: 4 processes were lost on bipolar" in reason for reason in reasons)


def test_a_wrong_result_is_recorded_and_not_timed(strict: Strict, job: Job, tmp_path: Path) -> None:
    strict(wrong=["int8"])
    prepared_code(job)
    found = meet(job, tmp_path / "a", ("bench",))
    assert "int8" not in {row.source for row in found.rows}
    [failure] = [one for one in found.failures if one.kernel == "int8"]
    assert "differs from its golden model" in failure.message
    assert not all(check.passed for check in found.checks)


def test_time_that_is_up_is_a_reason_and_resume_goes_on(strict: Strict, job: Job, tmp_path: Path) -> None:
    strict()
    planned = prepared_code(job)
    first = meet(job, tmp_path / "a", ("smoke",), minutes=0.05)
    assert not first.complete
    told = outcome.lines(Journal(tmp_path / "a" / contact.JOURNAL))
    late = [line for line in told if line.endswith(": the time is up")]
    assert 0 < len(late) <= len([step for step in planned if stage(step) == "smoke"])  # one a step, not one a kernel
    assert unsettled(planned, ("smoke",), tmp_path / "a") == set()
    again = meet(job, tmp_path / "a", ("smoke",), resume=True)
    assert again.complete
    assert len(again.checks) >= len([item for step in planned if stage(step) == "smoke" for item in step.items])
    third = meet(job, tmp_path / "a", ("smoke",), resume=True)
    assert third.checks == again.checks  # nothing is done twice


def test_a_kill_loses_nothing_that_was_found(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.add({"kind": "row", "content": 1})
    with open(tmp_path / "j", "ab") as file:
        file.write(b'{"kind":"row","con')  # killed while it wrote
    again = Journal(tmp_path / "j")
    assert again.entries == [{"kind": "row", "content": 1}]
    again.add({"kind": "row", "content": 2})
    assert [entry["content"] for entry in Journal(tmp_path / "j").entries] == [1, 2]


def test_a_worker_ends_with_who_asked_even_while_a_launch_hangs(strict: Strict, job: Job) -> None:
    strict(hang=["fill"])
    prepared_code(job)
    request = {"job": job.as_plain(), "card": None, "step": "ceilings", "ceilings": None, "leave": []}
    command = [sys.executable, "-m", "gpu_ref.contact.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(request) + "\n")
        worker.stdin.flush()
        assert "begin" in worker.stdout.readline()
        worker.stdin.close()
        assert worker.wait(timeout=30) == 1


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "j")
    journal.add({"n": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    journal.add({"n": 2})
    journal.add({"n": 3})
    assert [json.loads(line)["n"] for line in journal.unwritten_lines()] == [2, 3]
    monkeypatch.undo()
    journal.add({"n": 4})
    assert [entry["n"] for entry in Journal(tmp_path / "j").entries] == [1, 2, 3, 4]
    assert not journal.unwritten


def test_lines_that_no_disk_took_are_printed(
    strict: Strict, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    monkeypatch.setattr("gpu_ref.record.save", full)
    told: list[str] = []
    contact.first_contact(job, tmp_path / "a", 0.05, stages=["card"], say=told.append)
    kept = [json.loads(line)["kind"] for line in told if line.startswith("{")]
    assert "card" in kept
    assert "ceilings" in kept
    assert any("No space left on device" in line for line in told)


def test_a_folder_in_use_or_of_other_kernels_is_refused(strict: Strict, job: Job, tmp_path: Path) -> None:
    strict()
    Journal(tmp_path / contact.JOURNAL).add({"kind": "begun", "started": "2026-01-01", "job": job.as_plain()})
    with pytest.raises(InputError, match="holds a first contact already"):
        contact.first_contact(job, tmp_path, 1)
    other = replace(job, sources={**job.sources, "w4a16": "0" * 16})
    with pytest.raises(InputError, match="was begun with other kernels") as caught:
        contact.first_contact(other, tmp_path, 1, resume=True)
    assert caught.value.facts["changed"] == "w4a16"
    with pytest.raises(InputError, match="was begun with other settings"):
        contact.first_contact(replace(job, layers={}), tmp_path, 1, resume=True)
    with pytest.raises(InputError, match="no stage `bensh`"):
        contact.first_contact(job, tmp_path, 1, stages=["bensh"])


def test_a_machine_without_cupy_says_so_and_goes_on_once_it_is_there(
    strict: Strict, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with monkeypatch.context() as without:
        without.setenv("PYTHONPATH", str(tmp_path))
        (tmp_path / "cupy.py").write_text("raise ImportError('no CuPy here')")
        assert contact.first_contact(job, tmp_path / "a", 1, say=told.append) == 0
    assert any("CuPy cannot be loaded: no CuPy here" in line for line in told)
    assert not (tmp_path / "a" / contact.RECORD).exists()
    strict()
    prepared_code(job)
    assert not meet(job, tmp_path / "a", ("card",), resume=True).failures


def test_a_job_survives_being_written(job: Job) -> None:
    assert Job.from_plain(json.loads(json.dumps(job.as_plain()))) == job


def test_steps_begin_with_the_leading_layer_at_one_token_and_come_in_the_order_of_their_stages() -> None:
    from gpu_ref.contact.job import job as shipped
    from gpu_ref.contact.steps import STAGES

    planned = steps(shipped(1), CARD)
    stages = [step.stage.split()[0] for step in planned]
    assert [stage for stage in STAGES if stage in stages] == list(dict.fromkeys(stages))
    first = next(step for step in planned if step.stage.startswith("bench"))
    assert str(first.items[0].shape) == "1 x 28672 x 8192"


def test_the_supervisor_does_not_open_the_card(strict: Strict, job: Job, tmp_path: Path) -> None:
    strict(abort=["fill"])  # a process that opened the card and filled a buffer would be gone
    prepared_code(job)
    journal = Journal(tmp_path / "j")
    Supervisor(job, journal, 60, ("card",)).run()
    assert any("died of SIGABRT" in entry.get("reason", "") for entry in journal.entries)
