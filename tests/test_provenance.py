"""Every page, every document that a program writes and every result names the version that made it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from records.record import ROOT, unversioned
from sim.report.document import document
from sim.report.markup import Html
from sim.runs.code import code_version, made_by

NAMED = re.compile(r"anda-sim (\d+(\.\d+)+|not installed), code [0-9a-f]{16}")


def test_the_version_is_that_of_the_package_and_of_the_code() -> None:
    assert NAMED.fullmatch(made_by())
    assert code_version() in made_by()
    assert unversioned(f"made by {made_by()}.") == "made by anda-sim."


@pytest.mark.parametrize(
    "words",
    [
        "run anda-hpca25 work.csv --out out --jobs 1",
        "compare fp-fp anda-hpca25 --workload work.csv --out out --jobs 1",
        "reproduce --only storage --out out --jobs 1",
    ],
)
def test_pages_and_results_of_a_command_name_the_version(words: str, tmp_path: Path) -> None:
    (tmp_path / "work.csv").write_text("name,M,N,K\na,16,64,128\n")
    subprocess.run([sys.executable, str(ROOT / "sim.py"), *words.split()], cwd=tmp_path, check=True, timeout=120)
    [page] = (tmp_path / "out").rglob("*.html")
    assert f"<footer>Page made by {made_by()}</footer>" in page.read_text(encoding="utf-8")
    for path in (tmp_path / "out").rglob("result.json"):
        assert json.loads(path.read_text())["provenance"]["versions"]["code"] == code_version()


def test_every_page_has_the_foot_of_the_frame() -> None:
    frames = [path for folder in ("sim", "gpu_ref") for path in (ROOT / folder).rglob("*.py") if _frames(path)]
    assert len(frames) == 2  # with scripts, and without
    assert all("{foot()}" in path.read_text(encoding="utf-8") for path in frames)
    assert made_by() in document("a page", Html(""))


def _frames(path: Path) -> bool:
    return "</html>" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", ["README.md", "docs/dram.md", "docs/microarchitecture.md", "results/llama-13b.svg"])
def test_documents_that_programs_write_name_the_version(path: str) -> None:
    assert NAMED.search((ROOT / path).read_text(encoding="utf-8"))
