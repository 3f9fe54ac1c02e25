"""Sections that plug into the page (sim/plugins.py): figures under a heading of their own, after the roofline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sim.plugins import Seam
from sim.report.document import drawn
from sim.report.figures.frame import Figure
from sim.report.markup import Html, tag
from sim.result import Result

if TYPE_CHECKING:
    from rich.console import Console


class PageSection(ABC):
    """What is shown of results beside what every page has.

    Attributes
    ----------
    name, title
        A word, and the heading on the page.
    files
        Names of the files that `write` makes; `--overwrite` replaces no others.
    asked_for
        Whether it is left out unless options of a command ask for it, whose texts it then is made with.
    """

    plugs_into: ClassVar[str] = "figures"
    name: ClassVar[str]
    title: ClassVar[str]
    files: ClassVar[tuple[str, ...]] = ()
    asked_for: ClassVar[bool] = False

    def __init__(self, *asked: str | None) -> None:
        """Made before time is spent on simulation: the place to refuse what is asked."""
        self.asked = asked

    @abstractmethod
    def sections(self, results: Sequence[Result]) -> Sequence[Html]:
        """What stands on the page, headings included; none where the results have nothing to show."""

    def show(self, console: Console) -> None:  # noqa: B027  (a hook: most have no text)
        """The same as text for the terminal; called after `sections`."""

    def data(self) -> object:
        """The same for `--json`, beside the results; None for nothing. Called after `sections`."""
        return None

    def write(self, folder: Path) -> None:  # noqa: B027  (a hook: most have no files)
        """The same as files; called after `sections`."""


class PageFigure(PageSection):
    """Figures of one kind."""

    @abstractmethod
    def draw(self, results: Sequence[Result]) -> list[tuple[str, Figure]]:
        """Captions and figures."""

    def sections(self, results: Sequence[Result]) -> Sequence[Html]:
        figures = self.draw(results)
        return [tag("h2", self.title), *(drawn(figure, caption) for caption, figure in figures)] if figures else []


FIGURES: Seam[type[PageSection]] = Seam("figures", "figure")


def page_sections() -> list[PageSection]:
    """Every one that need not be asked for."""
    return [section() for section in FIGURES.parts().values() if not section.asked_for]


def sections_of(plugged: Sequence[PageSection], results: Sequence[Result]) -> list[Html]:
    """What all of them show."""
    return [part for section in plugged for part in section.sections(results)]
