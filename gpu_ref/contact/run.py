"""`gpu first-contact`, in the repository and in a bundle alike."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gpu_ref import record as records
from gpu_ref.contact import outcome
from gpu_ref.contact.job import Job
from gpu_ref.contact.journal import Journal
from gpu_ref.contact.steps import STAGES
from gpu_ref.contact.supervisor import Supervisor
from sim.errors import InputError

JOURNAL, RECORD, LOG = "journal.jsonl", "record.json", "log.txt"


def first_contact(
    job: Job,
    folder: Path,
    minutes: float,
    *,
    resume: bool = False,
    stages: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> int:
    """One sitting with the card; the number of rows and verifications it holds afterwards.

    Raises
    ------
    InputError
        For a folder in use without `resume` or of other kernels or settings, and for unknown stages.
    """
    unknown = [stage for stage in stages if stage not in STAGES]
    if unknown:
        raise InputError(f"no stage `{unknown[0]}`", field="--only", facts={"allowed": ", ".join(STAGES)})
    path = folder / JOURNAL
    if path.exists() and not resume:
        facts = {"needed": "--resume to go on with it, or another folder"}
        raise InputError("holds a first contact already", field=str(folder), facts=facts)
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(path)
    if journal.entries:
        job = _continued(job, Job.from_plain(journal.entries[0]["job"]), folder)
    else:
        started = datetime.now(UTC).isoformat(timespec="seconds")
        journal.add({"kind": "begun", "started": started, "job": job.as_plain()})
    begun = time.monotonic()
    try:
        Supervisor(job, journal, 60 * minutes, stages or STAGES, say, _logger(folder / LOG)).run()
    finally:
        journal.add({"kind": "spent", "content": time.monotonic() - begun})
        _save(job, journal, folder, say)
    for line in outcome.lines(journal):
        say(line)
    return sum(entry["kind"] in ("row", "check") for entry in journal.entries)


def _continued(job: Job, begun: Job, folder: Path) -> Job:
    """The job that was begun, if it is the one wanted now."""
    changed = sorted(name for name in job.sources if begun.sources.get(name) != job.sources[name])
    if changed:
        facts = {"changed": ", ".join(changed), "needed": "another folder, or the version that began it"}
        raise InputError("was begun with other kernels", field=str(folder), facts=facts)
    if replace(job, seed=begun.seed) != begun:
        raise InputError("was begun with other settings", field=str(folder), facts={"needed": "another folder"})
    return begun


def _save(job: Job, journal: Journal, folder: Path, say: Callable[[str], None]) -> None:
    """The record; and where the disk refuses the journal, its rest in the only place that is left."""
    found = outcome.record(job, journal)
    try:
        if found is not None:
            records.save(found, folder / RECORD)
            say(f"{folder / RECORD}: {len(found.rows)} rows, {len(found.checks)} verifications")
    except OSError as error:
        say(f"{folder / RECORD}: {error.strerror}")
    if journal.unwritten:
        free = shutil.disk_usage(folder).free
        say(f"{folder / JOURNAL} could not be written, {free} bytes are free; keep the lines that follow")
        for line in journal.unwritten_lines():
            say(line)


def _logger(path: Path) -> Callable[[str], None]:
    """Appends what processes print; where it cannot be written it is dropped, as nothing hangs on it."""

    def add(line: str) -> None:
        with suppress(OSError), open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    return add
