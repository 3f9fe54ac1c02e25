"""What the README says is what a run gives."""

from __future__ import annotations

import re

from records import readme_comparison as readme
from sim.arch.load import load_arch
from sim.simulation import simulate_all
from sim.workload.load import load_workload


def test_the_table_and_the_picture_are_those_of_make_run() -> None:
    work = load_workload("llama-13b", tokens=2048, precision="wikitext2-1%")
    results = simulate_all([load_arch(name) for name in readme.MACHINES], work)
    ranking = readme.ranked(results)
    written = (readme.ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.table(ranking) in written
    assert (readme.ROOT / "results" / "llama-13b.svg").read_text(encoding="utf-8") == readme.picture(ranking)


def test_make_run_compares_these_machines() -> None:
    makefile = (readme.ROOT / "Makefile").read_text(encoding="utf-8")
    assert " ".join(readme.MACHINES) in makefile


def test_every_file_that_the_readme_links_exists() -> None:
    written = (readme.ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", written)
    assert links
    assert not [link for link in links if not (readme.ROOT / link).exists()]
