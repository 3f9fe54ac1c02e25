"""What a record is: files that a program makes, and that a test makes again in part."""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from sim import shipped
from sim.program import PACKAGE

ROOT = shipped.ROOT
RESULTS = ROOT / "results"
FLOATING = 1e-5
"""Relative tolerance of perplexities: float32 products in an order that BLAS chooses."""
LIBM = 1e-12
"""Relative tolerance of costs, whose interpolation takes logarithms."""


@dataclass(frozen=True)
class Sample:
    """A part of a record as it stands there, and as this tree makes it.

    Parameters
    ----------
    relative
        How far floats may lie apart: what sums of another processor's BLAS, or another libm, may differ by.
    """

    part: str
    recorded: Any
    made: Any
    relative: float = 0.0

    @property
    def same(self) -> bool:
        return _same(self.recorded, self.made, self.relative)


def _same(recorded: Any, made: Any, relative: float) -> bool:
    if isinstance(recorded, float) and isinstance(made, float):
        return math.isclose(recorded, made, rel_tol=relative, abs_tol=0)
    if isinstance(recorded, dict) and isinstance(made, dict):
        return recorded.keys() == made.keys() and all(_same(recorded[key], made[key], relative) for key in recorded)
    return bool(recorded == made)


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


def unversioned(text: str) -> str:
    """A text without the version that made it: every commit changes that, and few what is made."""
    return re.sub(rf"{PACKAGE} (\S+|not installed), code [0-9a-f]+", PACKAGE, text)


def as_read(value: Any) -> Any:
    """The value as it comes back from JSON."""
    return json.loads(written(value))
