"""Runs steps, each in a process of its own, and goes on whatever becomes of them.

a process dies, or says that its card no longer answers     its item gets the reason; a new process does the rest
no word for as long as the job allows                       it is killed, its item gets the reason
two processes lost on a subject, or four on a family        its other items get the reason, and are not tried
the time is up                                              what was not begun gets that reason; `--resume` goes on
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from gpu_ref.card import Card
from gpu_ref.contact.job import Job
from gpu_ref.contact.journal import Entry, Journal
from gpu_ref.contact.process import GRACE_SECONDS, Worker
from gpu_ref.contact.steps import STAGES, ContactStep, Item, first_steps, steps
from gpu_ref.contact.worker import LOST, MARK

TIME_IS_UP = "the time is up"
_LOSSES, _FAMILY_LOSSES = 2, 4
# Of the minutes, what a stage may take before the next has had its turn; what is left goes to the first unfinished.
_SHARES = {"card": 0.05, "ceilings": 0.05, "smoke": 0.2, "sanitize": 0.15, "verify": 0.2, "bench": 0.5}


class Supervisor:
    """One sitting of first contact.

    Parameters
    ----------
    journal
        Where everything goes; what it holds already is not done again.
    seconds
        For this sitting.
    stages
        Those wanted; the card and its ceilings always are.
    """

    def __init__(
        self,
        job: Job,
        journal: Journal,
        seconds: float,
        stages: Sequence[str] = STAGES,
        say: Callable[[str], None] = lambda _: None,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.job, self.journal, self._say, self._log = job, journal, say, log
        self._stages = stages
        self._begun = time.monotonic()
        self._seconds = seconds
        self._settled: dict[tuple[str, str], str] = {}
        self._lost: Counter[str] = Counter()
        self._lost_by_family: Counter[str] = Counter()
        for entry in journal.entries:
            self._remember(entry)

    def run(self) -> None:
        """Everything that is planned: afterwards each item is done or has a reason."""
        for step in first_steps():
            self._do(step, self._seconds)
        if self._card() is None:
            return
        planned = [step for step in self.planned() if _stage(step) in self._stages]
        for stage in STAGES:
            until = min(self._seconds, self._elapsed() + _SHARES.get(stage, 1.0) * self._seconds)
            for step in planned:
                if _stage(step) == stage:
                    self._do(step, until)
        for step in planned:  # what had to stand back
            self._do(step, self._seconds)
        for step in planned:
            for item in self._open(step):
                self._settle(step, item, TIME_IS_UP)

    def planned(self) -> list[ContactStep]:
        """All steps, as far as they are known."""
        card = self._card()
        return first_steps() if card is None else steps(self.job, card)

    def reasons(self) -> dict[tuple[str, str], str]:
        """Outcome by step and item: empty for what was done."""
        return dict(self._settled)

    def _do(self, step: ContactStep, until: float) -> None:
        while self._open(step) and self._elapsed() < until:
            for item in self._open(step):
                if self._lost[item.subject] >= _LOSSES:
                    self._settle(step, item, f"skipped: {_LOSSES} processes were lost on {item.subject}")
                elif self._lost_by_family[step.family] >= _FAMILY_LOSSES:
                    self._settle(step, item, f"skipped: {_FAMILY_LOSSES} processes were lost on {step.family}")
            if not self._open(step):
                return
            prefix = step.tool.command() if step.tool else []
            if prefix is None:
                assert step.tool is not None
                for item in self._open(step):
                    self._settle(step, item, f"{step.tool.program} is not installed")
                return
            count = len(self._open(step))
            self._say(f"{self._elapsed() / 60:5.1f} min  {step.name}: {count} item{'s' * (count > 1)}")
            self._one_process(step, prefix, until)

    def _one_process(self, step: ContactStep, prefix: list[str], until: float) -> None:
        """One worker, until it ends, hangs or runs out of time."""
        before = len(self._open(step))
        worker = Worker([*prefix, sys.executable, "-m", "gpu_ref.contact.worker"], self._request(step))
        current: str | None = None
        ending = "ended without a word"
        try:
            while True:
                if current is None and self._elapsed() >= until:
                    return
                allowed = step.patience * self.job.settings.patience_seconds
                patience = allowed if self._open(step) else GRACE_SECONDS
                line = worker.line(patience)
                if line is None:
                    ending = f"hung: no word for {patience:.0f} s"
                    break
                if line == "":
                    ending = worker.ending()
                    break
                if not line.startswith(MARK):
                    self._log(f"{step.name}: {line}")
                    if step.tool and any(text in line for text in step.tool.shown):
                        self._add({"kind": "tool", "step": step.name, "content": line})
                    continue
                kind, content = json.loads(line[len(MARK) :])
                current = self._hear(step, kind, content, current)
        finally:
            worker.kill()
        self._after(step, current, ending, worker, progressed=len(self._open(step)) < before)

    def _after(self, step: ContactStep, current: str | None, ending: str, worker: Worker, progressed: bool) -> None:
        item = next((one for one in self._open(step) if one.name == current), None)
        if item is not None:
            reason = f"{ending}{worker.last_words()}"
            self._say(f"           {item.name}: {reason}")
            self._lose(step, item.subject)
            self._settle(step, item, reason)
        elif not self._open(step) and step.tool and worker.status not in (0, LOST, None):
            self._settle(step, Item("once", step.tool.name), f"{step.tool.program} {ending}{worker.last_words()}")
        elif not progressed and worker.status != LOST:
            for one in self._open(step):
                self._settle(step, one, f"the process {ending}{worker.last_words()}")

    def _hear(self, step: ContactStep, kind: str, content: Any, current: str | None) -> str | None:
        if kind == "begin":
            return str(content)
        if kind in ("end", "failed"):
            name = content if kind == "end" else content["item"]
            item = next(one for one in step.items if one.name == name)
            reason = "" if kind == "end" else str(content["reason"])
            if reason:
                self._say(f"           {item.name}: {reason.splitlines()[0]}")
            self._settle(step, item, reason)
            return None
        if kind == "lost":
            self._lose(step, str(content))
            return current
        self._add({"kind": kind, "step": step.name, "item": current, "content": content})
        return current

    def _open(self, step: ContactStep) -> list[Item]:
        return [item for item in step.items if (step.name, item.name) not in self._settled]

    def _settle(self, step: ContactStep, item: Item, reason: str) -> None:
        sizes = {} if item.shape is None else asdict(item.shape)
        entry = {"kind": "settled", "step": step.name, "item": item.name, "subject": item.subject, "reason": reason}
        self._add({**entry, **sizes})
        self._settled[step.name, item.name] = reason

    def _lose(self, step: ContactStep, subject: str) -> None:
        entry = {"kind": "lost", "content": subject, "family": step.family}
        self._add(entry)
        self._remember(entry)

    def _add(self, entry: Entry) -> None:
        self.journal.add(entry)

    def _remember(self, entry: Entry) -> None:
        """What is done stays done; what has a reason is tried again in this sitting, unless it lost two processes."""
        if entry["kind"] == "settled" and not entry["reason"]:
            self._settled[entry["step"], entry["item"]] = ""
        elif entry["kind"] == "lost":
            self._lost[entry["content"]] += 1
            self._lost_by_family[entry["family"]] += 1

    def _found(self, kind: str) -> Any | None:
        return next((entry["content"] for entry in reversed(self.journal.entries) if entry["kind"] == kind), None)

    def _card(self) -> Card | None:
        found = self._found("card")
        return None if found is None else Card(**found["card"])

    def _request(self, step: ContactStep) -> dict[str, Any]:
        card = self._card() if step.stage not in ("card", "ceilings") else None
        leave = [item.name for item in step.items if item not in self._open(step)]
        plain = {"job": self.job.as_plain(), "card": card.as_dict() if card else None, "step": step.name}
        return {**plain, "ceilings": self._found("ceilings"), "leave": leave}

    def _elapsed(self) -> float:
        return time.monotonic() - self._begun


def _stage(step: ContactStep) -> str:
    return step.stage.split()[0]
