"""The bundle, unpacked where none of our dependencies and no network is, on the strict card."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rehearsal import compiled_for_nothing, prepared_code

from gpu_ref import record
from gpu_ref.contact import bundle
from gpu_ref.contact.job import Job
from gpu_ref.contact.journal import Journal
from sim.errors import InputError

HERE = Path(__file__).parent
Strict = Callable[..., Any]


@pytest.fixture
def unpacked(strict: Strict, job: Job, tmp_path: Path) -> Path:
    strict()
    prepared_code(job)
    compiled_for_nothing(bundle.modules(job, "sm_90a"))
    archive = tmp_path / "anda-gpu.tar.gz"
    told = bundle.pack(job, archive, ["sm_90a"])
    assert told.startswith(f"{archive}: ")
    assert archive.stat().st_size < 40e6
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path / bundle.ROOT


def typed(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a user types there."""
    return subprocess.run(**begun(root, *arguments), capture_output=True, text=True, check=False)


def begun(root: Path, *arguments: str) -> dict[str, Any]:
    """How a process is started there."""
    for header in (HERE.parent.parent / "gpu_ref" / "host").glob("*.hpp"):  # the strict card's, not the bundle's
        shutil.copy(header, root / "gpu_ref" / "host")
    paths = os.pathsep.join([str(HERE / "bare"), os.environ["PYTHONPATH"]])
    command = [sys.executable, "first_contact.py", *arguments]
    return {"args": command, "cwd": root, "env": {**os.environ, "PYTHONPATH": paths}}


def rows(root: Path) -> list[Any]:
    """Those that the journal holds by now."""
    path = root / "found" / "journal.jsonl"
    return [one["content"] for one in Journal(path).entries if one["kind"] == "row"] if path.exists() else []


def test_a_bundle_runs_without_our_dependencies_and_without_a_network(unpacked: Path) -> None:
    done = typed(unpacked, "--out", "found", "--minutes", "5", "--only", "bench")
    assert done.returncode == 0, done.stdout + done.stderr
    found = record.load(unpacked / "found" / "record.json")
    assert {row.source for row in found.rows} >= {"fp16", "w4a16", "anda"}
    assert not found.failures
    # Equality is held against digests from the bundle; what has a tolerance, against a product in float64.
    assert {check.golden == "carried" for check in found.checks if check.limit == 0} == {True}
    assert {check.golden == "carried" for check in found.checks if check.limit > 0} == {False}
    again = typed(unpacked, "--out", "found", "--minutes", "5", "--only", "bench", "--resume")
    assert again.returncode == 0
    assert record.load(unpacked / "found" / "record.json").rows == found.rows


def test_a_kill_in_the_middle_costs_no_row(unpacked: Path) -> None:
    asked = ("--out", "found", "--minutes", "5", "--only", "bench")
    with subprocess.Popen(**begun(unpacked, *asked), stdout=subprocess.DEVNULL) as running:
        until = time.monotonic() + 60
        while len(rows(unpacked)) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        running.kill()
    before = rows(unpacked)
    assert len(before) >= 2
    assert not (unpacked / "found" / "record.json").exists()
    done = typed(unpacked, *asked, "--resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(unpacked)[: len(before)] == before
    found = record.load(unpacked / "found" / "record.json")
    assert found.complete
    assert not found.failures
    assert len(found.rows) == len({(row.configuration, row.shape) for row in found.rows}) > len(before)


def test_a_bundle_that_was_changed_on_the_way_is_refused(unpacked: Path) -> None:
    (unpacked / "gpu_ref" / "kernels" / "anda.cu").write_text("// nothing")
    done = typed(unpacked, "--out", "found")
    assert done.returncode == 2
    assert "is not what was packed" in done.stderr
    assert "gpu_ref/kernels/anda.cu" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bundle_has_the_kernels_and_nothing_of_the_simulator_but_its_formats(unpacked: Path) -> None:
    packed = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*.py")}
    folders = {path.split("/")[1] for path in packed if path.startswith("sim/")}
    assert folders >= {"__init__.py", "errors.py", "formats"}
    assert not folders & {"units", "engine", "cost", "report", "rtl", "commands", "arch", "workload"}
    assert list((unpacked / "cubins" / "sm_90a").glob("anda *.cubin"))


def test_an_architecture_that_no_kernel_is_for_is_refused(job: Job, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sm_75") as caught:
        bundle.pack(replace(job, seed=2), tmp_path / "a.tar.gz", ["sm_75"])
    assert "sm_90a" in caught.value.facts["allowed"]
