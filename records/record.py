"""What a record is: files that a program makes, and that a test makes again in part."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from sim import shipped

ROOT = shipped.ROOT
RESULTS = ROOT / "results"


@dataclass(frozen=True)
class Sample:
    """A part of a record as it stands there, and as this tree makes it."""

    part: str
    recorded: Any
    made: Any


class Record(ABC):
    """Files that are made together.

    Attributes
    ----------
    name
        As `python -m records NAME` takes it.
    files
        What is made: files, or folders of them.
    """

    name: ClassVar[str]
    files: ClassVar[tuple[Path, ...]]

    @abstractmethod
    def make(self) -> None:
        """Make all files."""

    @abstractmethod
    def samples(self, random: Random) -> Iterator[Sample]:
        """Parts of the files, chosen at random where all of them would take long."""

    def missing(self) -> str | None:
        """What this machine lacks for making it; None where it has everything."""
        return None


def written(value: Any) -> str:
    """JSON as it stands in a record."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def read(path: Path) -> Any:
    """The content of a JSON record."""
    return json.loads(path.read_text(encoding="utf-8"))


def as_read(value: Any) -> Any:
    """The value as it comes back from JSON."""
    return json.loads(written(value))
