"""Small machine files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arch.building import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write lines into a file of the test's folder; returns its path."""

    def _write(*lines: str, name: str = "mine.yaml") -> str:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    return _write
