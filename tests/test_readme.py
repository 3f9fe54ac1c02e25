"""What the README says is what a run gives."""

from __future__ import annotations

import re

from records import readme_comparison as readme
from records.record import ROOT


def test_make_run_compares_these_machines() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert " ".join(readme.MACHINES) in makefile


def test_every_file_that_the_readme_links_exists() -> None:
    written = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", written)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]
