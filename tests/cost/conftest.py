import json
from pathlib import Path
from typing import Any

import pytest

RECORD = Path(__file__).parents[2] / "results" / "rtl" / "area.json"


@pytest.fixture(scope="session")
def synthesis() -> dict[str, Any]:
    """What synthesis of sim/rtl recorded."""
    found: dict[str, Any] = json.loads(RECORD.read_text())
    return found
