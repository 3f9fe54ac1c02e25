"""What was found, one JSON object a line, on disk before the next thing is tried.

A line that a kill cut short is ignored when the journal is read. Where the disk is full, lines wait in memory and are
written once there is room; `unwritten` holds what never was.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """An append-only file of entries."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries = _read(path)
        self.unwritten: list[Entry] = []
        self._whole = sum(len(_line(entry)) for entry in self.entries)  # bytes up to which the file is good

    def add(self, entry: Entry) -> None:
        """Append and flush to the disk; never raises for a disk that is full."""
        self.entries.append(entry)
        self.unwritten.append(entry)
        try:
            text = b"".join(_line(one) for one in self.unwritten)
            with open(self._path, "r+b" if self._path.exists() else "wb") as file:
                file.truncate(self._whole)
                file.seek(self._whole)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return
        self._whole += len(text)
        self.unwritten.clear()

    def unwritten_lines(self) -> list[str]:
        """As they would stand in the file."""
        return [_line(entry).decode().rstrip() for entry in self.unwritten]


def _line(entry: Entry) -> bytes:
    return (json.dumps(entry, separators=(",", ":")) + "\n").encode()


def _read(path: Path) -> list[Entry]:
    if not path.exists():
        return []
    entries: list[Entry] = []
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            entries.append(json.loads(line))
    return entries
