"""One step on the card, in a process of its own: `python -m gpu_ref.contact.worker`.

A request comes as the first line of standard input; the end of standard input ends this process, so that it never
outlives who asked. What is found goes to standard output, a line each, behind a mark that no library prints.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from gpu_ref.card import Card, Device
from gpu_ref.contact.job import Job
from gpu_ref.contact.steps import ContactStep, Item, first_steps, steps
from gpu_ref.goldens import Goldens
from gpu_ref.peers.timing import torch_answers
from gpu_ref.record import Ceilings, GoldenCheck
from gpu_ref.timing import NOMINAL, KernelTimer, measure_ceilings, reading

MARK = "@contact "
LOST = 3
"""Exit status of a worker whose card no longer answers."""

Tell = Callable[[str, Any], None]


def main() -> int:
    """Do the items of a step that the request does not leave out."""
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_asker, daemon=True).start()
    job = Job.from_plain(request["job"])
    card = Card(**request["card"]) if request["card"] else None
    planned = first_steps() if card is None else steps(job, card)
    step = next(one for one in planned if one.name == request["step"])
    ceilings = Ceilings(**request["ceilings"]) if request["ceilings"] else NOMINAL
    return _work(step, set(request["leave"]), _Hands(job, ceilings))


def _work(step: ContactStep, leave: set[str], hands: _Hands) -> int:
    for item in step.items:
        if item.name in leave:
            continue
        _tell("begin", item.name)
        try:
            hands.do(item)
        except Exception as error:  # whatever the card, its compiler or a library raises
            _tell("failed", {"item": item.name, "reason": f"{type(error).__name__}: {error}"})
            if not hands.device_answers():
                _tell("lost", item.subject)
                return LOST
        else:
            _tell("end", item.name)
    return 0


class _Hands:
    """Does items; the card is opened with the first."""

    def __init__(self, job: Job, ceilings: Ceilings) -> None:
        self._job, self._ceilings, self._goldens = job, ceilings, Goldens.of_this_machine()
        self._device: Device | None = None
        self._bench: KernelTimer | None = None

    def device(self) -> Device:
        if self._device is None:
            from gpu_ref.cupy_card import open_card

            self._device = open_card()
        return self._device

    def device_answers(self) -> bool:
        return (self._device is None or self._device.answers()) and torch_answers(sys.modules.get("torch"))

    def do(self, item: Item) -> None:
        tasks = {"card": self._see, "ceilings": self._measure, "check": self._check, "time": self._time}
        later = {"energy": self._count_energy, "once": self._once, "peer": self._peer}
        {**tasks, **later}[item.task](item)

    def _see(self, _: Item) -> None:
        device = self.device()
        found = {"card": device.card.as_dict(), "versions": device.versions, "state": asdict(reading(device.state()))}
        _tell("card", found)

    def _measure(self, _: Item) -> None:
        _tell("ceilings", asdict(measure_ceilings(self.device(), self._job.settings)))

    def _check(self, item: Item) -> None:
        from gpu_ref.verify import check

        assert item.kernel is not None
        assert item.shape is not None
        for found in check(self.device(), item.kernel, item.shape, self._job.seed, self._goldens):
            _tell_check(found)

    def _time(self, item: Item) -> None:
        assert item.kernel is not None
        assert item.shape is not None
        row = self._timer().row(item.kernel, item.shape, item.layers, item.is_choice)
        _tell("row", asdict(row))

    def _count_energy(self, item: Item) -> None:
        assert item.kernel is not None
        assert item.shape is not None
        joules = self._timer().energy(item.kernel, item.shape)
        if joules is None:
            raise RuntimeError("the card does not count energy")
        found = {"kernel": item.kernel.label, "configuration": item.kernel.configuration, **asdict(item.shape)}
        _tell("energy", {**found, "joules": joules})

    def _once(self, item: Item) -> None:
        assert item.kernel is not None
        assert item.shape is not None
        self._timer().once(item.kernel, item.shape)

    def _peer(self, item: Item) -> None:
        from gpu_ref.peers.timing import find, row

        assert item.shape is not None
        found = row(find(item.subject), item.shape, self._job.settings, self._ceilings, item.layers)
        _tell("row", asdict(found))

    def _timer(self) -> KernelTimer:
        if self._bench is None:
            settings, seed = self._job.settings, self._job.seed
            self._bench = KernelTimer(self.device(), settings, self._ceilings, seed, self._goldens, _tell_check)
        return self._bench


def _tell_check(found: GoldenCheck) -> None:
    _tell("check", asdict(found))


def _tell(kind: str, content: Any) -> None:
    os.write(1, (MARK + json.dumps([kind, content]) + "\n").encode())


def _end_with_the_asker() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
