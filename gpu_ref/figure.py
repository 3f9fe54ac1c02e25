"""`compare --gpu CARD`: a measured GPU beside the simulated machines, on the page, in the terminal and as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.errors import InputError
from sim.report.sections import PageSection
from sim.result import Result

if TYPE_CHECKING:
    from rich.console import Console

    from sim.report.markup import Html


class Measured(PageSection):
    """Made with the texts of `--gpu` and `--scale`."""

    name = "gpu"
    title = "Beside a measured GPU"
    files = ("gpu.json", "gpu.csv")
    asked_for = True

    def __init__(self, gpu: str | None = None, scale: str | None = None) -> None:
        from gpu_ref.beside.comparison import request

        if gpu is None:
            raise InputError("needs a card to scale to", field="--scale", facts={"needed": "--gpu H100, or its like"})
        self.request = request(gpu, scale)

    def sections(self, results: Sequence[Result]) -> Sequence[Html]:
        from gpu_ref.beside.page import sections
        from sim.report.comparison import labels

        self.beside = self.request.answer(results, labels(results))
        return sections(self.beside)

    def show(self, console: Console) -> None:
        from gpu_ref.beside.terminal import print_beside

        print_beside(self.beside, console)

    def data(self) -> dict[str, Any]:
        from gpu_ref.beside.files import as_dict

        return as_dict(self.beside)

    def write(self, folder: Path) -> None:
        from gpu_ref.beside.files import write
        from sim.report.folder import writing

        with writing(folder):
            write(self.beside, folder)
