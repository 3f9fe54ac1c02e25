"""What a run or a comparison leaves beside its result.json: one exporter a format (sim/plugins.py)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sim.errors import InputError, nearest_name
from sim.plugins import Seam
from sim.report.markup import Html
from sim.result import Result
from sim.runs.runs import Tracer

USUAL = ("csv", "page")
"""What is written unless told otherwise."""


@dataclass(frozen=True)
class Export:
    """What an exporter may write about.

    Attributes
    ----------
    results
        Of one machine, or of several that did the same work.
    folder
        Where to write.
    machines
        The folder of each result: `folder` itself, or one inside it.
    rows
        A line a machine of a comparison with `results[baseline]`; none for one machine.
    sections
        Parts of the page that plug in.
    """

    results: Sequence[Result]
    folder: Path
    machines: Sequence[Path]
    rows: Sequence[Mapping[str, Any]] = ()
    baseline: int = 0
    sections: Sequence[Html] = ()


class Exporter(ABC):
    """One format.

    Attributes
    ----------
    name, summary
        A word for `--export`, and one line for `sim.py list`.
    files
        Names of the files that it writes; `--overwrite` replaces no others.
    """

    plugs_into: ClassVar[str] = "exporters"
    name: ClassVar[str]
    summary: ClassVar[str]
    files: ClassVar[tuple[str, ...]]

    def recorder(self, folder: Path) -> AbstractContextManager[Tracer | None]:
        """What takes the spans of all units during the simulation, which one process then does alone; None for none."""
        return nullcontext()

    @abstractmethod
    def write(self, export: Export) -> None:
        """Write into the folder."""


EXPORTERS: Seam[type[Exporter]] = Seam("exporters", "exporter", "sim.report.exporters")


def exporters(names: Iterable[str]) -> list[Exporter]:
    """The exporters of these names, each once.

    Raises
    ------
    InputError
        For a name that none has.
    """
    made = []
    for name in dict.fromkeys(names):
        exporter = EXPORTERS.find(name)
        if exporter is None:
            known = EXPORTERS.names()
            facts = {"allowed": ", ".join(known)}
            raise InputError(f"no exporter {name!r}", field="--export", nearest=nearest_name(name, known), facts=facts)
        made.append(exporter())
    return made


class Recorders:
    """Several recorders as one."""

    def __init__(self, recorders: Sequence[Tracer]) -> None:
        self._recorders = recorders

    def begin(self, name: str, offset_cycles: int) -> None:
        for recorder in self._recorders:
            recorder.begin(name, offset_cycles)

    def span(self, unit: str, state: str, start_cycle: int, end_cycle: int) -> None:
        for recorder in self._recorders:
            recorder.span(unit, state, start_cycle, end_cycle)
