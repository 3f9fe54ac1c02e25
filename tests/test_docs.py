"""Pages that people read: links and anchors lead somewhere, and versions agree."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from records.record import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as hosts of Markdown make them: lower case, spaces to hyphens, no other signs."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def dead(link: str, page: Path) -> bool:
    """Whether a link of a page leads nowhere; those that leave the repository are not followed."""
    if "://" in link or link.startswith("mailto:"):
        return False
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    return not target.exists() or bool(anchor and anchor not in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_anchor_leads_somewhere(page: Path) -> None:
    assert not [link for link in LINK.findall(page.read_text(encoding="utf-8")) if dead(link, page)]


def test_a_dead_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A heading, with signs\n")
    assert [dead(link, page) for link in ("missing.md", "#a-heading-with-signs", "page.md#other")] == [
        True,
        False,
        True,
    ]


def test_versions_agree() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    released = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released[0] == version
    tags = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert all(tag == f"v{version}" for tag in tags.stdout.split() if tag.startswith("v"))


def test_forms_and_workflows_are_yaml() -> None:
    files = [*(ROOT / ".github").rglob("*.yml")]
    assert files
    for file in files:
        assert isinstance(yaml.safe_load(file.read_text()), dict)
