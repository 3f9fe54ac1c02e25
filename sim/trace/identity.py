"""What a model and the code that runs it are, by their bytes: no size, name or time stands for a file's content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from sim.errors import InputError, Place
from sim.runs.code import PACKAGE, hash_of

DECIDING = ("accuracy", "formats", "trace", "workload")
"""The parts of this package that decide what a model computes."""
LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "gguf")
"""Those of them that are installed."""


def of_files(files: Iterable[Path]) -> str:
    """SHA-256 of the names and every byte of files.

    Raises
    ------
    InputError
        For a file that cannot be read.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        try:
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
        except OSError as error:
            raise InputError(error.strerror or "cannot be read", place=Place(str(file))) from None
        digest.update(file.name.encode() + b"\0" + content)
    return digest.hexdigest()


@cache
def of_code() -> str:
    """SHA-256 of the code that decides what a model computes, and of the versions of the libraries it rests on."""
    libraries = "".join(f"{name} {version(name)}\0" for name in LIBRARIES if find_spec(name) is not None)
    files = hash_of((path for part in DECIDING for path in (PACKAGE / part).rglob("*.py")), PACKAGE)
    return hashlib.sha256(f"{libraries}{files}".encode()).hexdigest()
