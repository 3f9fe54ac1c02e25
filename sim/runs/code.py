"""The version of the code behind a result: a hash of every file of the package that can change one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from sim import program

PACKAGE = Path(__file__).resolve().parents[1]
SUFFIXES = (".py", ".csv", ".yaml")
WITHOUT_INFLUENCE = frozenset(
    (
        "cli.py",
        "commands",
        "report",
        "explain",
        "reproduce",
        "sweep",
        "precision_search",
        "accuracy",
        "trace",
        "rtl",
        "shipped_data",
    )
)
"""What only shows, chooses or checks; the shipped configs are part of a point's own config."""
OF_THE_SWEEP = ("sweep/evaluate.py", "sweep/results.py")


@cache
def code_version() -> str:
    """Hash of the simulator, the same wherever it is installed."""
    top = {path for path in PACKAGE.iterdir() if path.name not in WITHOUT_INFLUENCE}
    files = {path for path in top if path.suffix in SUFFIXES}
    for folder in top - files:
        files.update(Path(at, name) for at, _, names in os.walk(folder) for name in names if name.endswith(SUFFIXES))
    return hash_of(files | {PACKAGE / name for name in OF_THE_SWEEP})[:16]


def hash_of(files: Iterable[Path], package: Path = PACKAGE) -> str:
    """Hash of files of a package, by their places in it and every byte."""
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(package).as_posix(), path) for path in files):
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def made_by() -> str:
    """The version that makes a page or a document, as it stands in it."""
    return f"{program.PACKAGE} {program.version()}, code {code_version()}"
