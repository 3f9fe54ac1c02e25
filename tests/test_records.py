"""What is recorded is of this tree: a part of every record, chosen anew in every run, made again and compared."""

from __future__ import annotations

import random

import pytest

from records.all import RECORDS
from records.record import RESULTS

APART = ("benchmarks", "functional_speed.json", "gpu", "published")
"""Measured on one machine, or printed in a paper."""


@pytest.mark.parametrize("name", RECORDS)
def test_a_random_part_made_again_is_what_is_recorded(name: str) -> None:
    missing = RECORDS[name].missing()
    if missing:
        pytest.skip(missing)
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    samples = list(RECORDS[name].samples(random.Random(seed)))
    assert samples
    for sample in samples:
        told = f"{sample.part} (seed {seed}): {sample.made} against {sample.recorded}; `make records` makes it anew"
        assert sample.same, told


def test_every_file_of_the_results_is_somebody_s() -> None:
    made = {path for record in RECORDS.values() for path in record.files}
    strangers = [
        path
        for path in sorted(RESULTS.rglob("*"))
        if path.is_file() and path.relative_to(RESULTS).parts[0] not in APART and made.isdisjoint((path, *path.parents))
    ]
    assert strangers == []
