"""The whole reproduction: its sections in the order of the page, run one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sim.errors import InputError, nearest_name
from sim.reproduce.bench import CaseResults
from sim.reproduce.cells import PaperCell, PaperSection, Score, Verdict, score
from sim.reproduce.published import Published, published
from sim.reproduce.remarks import explained
from sim.reproduce.sections import (
    area,
    chip,
    contradictions,
    energy,
    limits,
    pe,
    phases,
    pmpd,
    savings,
    schedule,
    search,
    shares,
    speed,
    storage,
)
from sim.runs.code import code_version
from sim.runs.runs import Runs
from sim.runs.store import Store, default_path


@dataclass(frozen=True)
class Paper:
    """One of the shelf.

    Attributes
    ----------
    sections
        Name, as `--only` takes it, to what makes the section; None where there is nothing to show yet.
    """

    title: str
    sections: Mapping[str, Callable[[CaseResults], PaperSection | None]]


def _of_anda(
    make: Callable[[Published, CaseResults], PaperSection | None],
) -> Callable[[CaseResults], PaperSection | None]:
    return lambda bench: make(published(), bench)


ANDA: dict[str, Callable[[Published, CaseResults], PaperSection | None]] = {
    "speedup": speed.section,
    "area": area.section,
    "energy": energy.section,
    "breakdown": energy.breakdown,
    "savings": savings.section,
    "storage": storage.section,
    "pe": pe.section,
    "chip": chip.section,
    "shares": shares.section,
    "search": search.order,
    "tolerance": search.tolerances,
    "contradictions": contradictions.section,
    "schedule": schedule.section,
    "phases": phases.phases,
    "models": phases.models,
    "contexts": limits.contexts,
    "limits": limits.section,
}
SECTIONS = {name: _of_anda(make) for name, make in ANDA.items()}
SHELF = {
    "anda": Paper("The Anda paper, simulated again", SECTIONS),
    "pmpd": Paper("Progressive mixed-precision decoding, simulated", {"pmpd": pmpd.section}),
}
"""Papers by the name that `reproduce` takes, the one it takes by itself first."""


def paper_of(name: str) -> Paper:
    """A paper of the shelf.

    Raises
    ------
    InputError
        For one that is not on it.
    """
    if name not in SHELF:
        nearest, facts = nearest_name(name, SHELF), {"allowed": ", ".join(SHELF)}
        raise InputError(f"no paper `{name}` on the shelf", field="PAPER", nearest=nearest, facts=facts)
    return SHELF[name]


@dataclass(frozen=True)
class Reproduction:
    """Sections with every cell judged and explained, and the version of the code that simulated them."""

    sections: tuple[PaperSection, ...]
    code: str
    paper: str = "anda"

    @property
    def title(self) -> str:
        """Of the page."""
        return SHELF[self.paper].title

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How many cells of the paper came out how."""
        return Counter(cell.verdict for cell in self.cells)

    @property
    def cells(self) -> list[PaperCell]:
        """Of all tables."""
        return [cell for section in self.sections for table in section.tables for cell in table.cells]

    @property
    def score(self) -> Score | None:
        """How its predictions came out."""
        return score(self.cells)


def reproduce(
    only: Sequence[str] = (),
    *,
    paper: str = "anda",
    jobs: int = 1,
    cache: Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Reproduction:
    """Run a paper's evaluation.

    Parameters
    ----------
    only
        Names of sections; all of them where empty.
    paper
        Its name on the shelf.
    jobs
        Processes.
    cache
        File of runs that need not be simulated again; in the user's cache folder unless given.
    progress
        Called with the section's name and the pieces done and in all, of those simulated together.

    Raises
    ------
    InputError
        For an unknown paper or section, or a cache that cannot be used.
    """
    sections = paper_of(paper).sections
    for name in only:
        if name not in sections:
            nearest, facts = nearest_name(name, sections), {"allowed": ", ".join(sections)}
            raise InputError(f"no section `{name}`", field="--only", nearest=nearest, facts=facts)
    report = progress or (lambda name, done, total: None)
    made = []
    with Store(cache or default_path(), make=True, option="--cache") as store, Runs(jobs=jobs, store=store) as runs:
        bench = CaseResults(runs)
        for name in only or sections:
            bench.progress = partial(report, name)
            section = sections[name](bench)
            if section is not None:
                made.append(explained(section))
    return Reproduction(tuple(made), code_version(), paper)
