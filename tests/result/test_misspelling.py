"""A misspelt field of a result is an error of the type checker, not a KeyError of a user."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

CONFIG = Path(__file__).resolve().parents[2] / "pyproject.toml"


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("result.totals.cylces", '"Totals" has no attribute "cylces"; maybe "cycles"?'),
        ("result.layers[0].limit.reason", '"Limit" has no attribute "reason"'),
        ('result["totals"]', 'Value of type "Result" is not indexable'),
        ("result.totals.cycles", None),
    ],
)
def test_mypy_finds_a_misspelt_field(tmp_path: Path, expression: str, error: str | None) -> None:
    (tmp_path / "reader.py").write_text(
        f"from sim.result import Result\ndef read(result: Result) -> object: return {expression}\n"
    )
    told, broken, code = api.run(["--config-file", str(CONFIG), str(tmp_path / "reader.py")])
    assert not broken
    assert (code != 0) == (error is not None)
    if error:
        assert f"reader.py:2: error: {error}" in told
