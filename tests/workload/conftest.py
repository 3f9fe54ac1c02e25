"""Small files for the readers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    """Write a text under a name into an empty folder; returns its path."""

    def _write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return _write


@pytest.fixture
def write_model(write: Callable[[str, str], str]) -> Callable[[dict[str, Any]], str]:
    """Write a model as YAML, one key a line; returns its path."""
    return lambda values: write("model.yaml", yaml.safe_dump(values, sort_keys=False, default_flow_style=False))
