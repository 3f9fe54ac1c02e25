"""Bad input: one message each, with file and line where there is one, and nothing stored is lost."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sim.errors import InputError
from sim.runs.store import VERSION
from sim.sweep.load import load_sweep
from sim.sweep.points import Points
from sim.sweep.run import run_sweep
from sim.sweep.stored import StoredSweeps
from sim.sweep.view import View
from tests.sweep.conftest import InProcess, Write, contents, run, space_of

ROWS = {"arch.mxu.rows": [8, 16]}
SIXTY = {"arch.activation_dispatcher.port_bits": [1024], "arch.mxu.rows": {"range": {"from": 1, "to": 60}}}


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        ({"arch.mxu.row": [8]}, r"mxu\.row: unknown key; did you mean `rows`\?\n  allowed +activation_bits, columns"),
        ({"arch.mxv.rows": [8]}, "mxv: unknown key; did you mean `mxu`"),
        ({"workload.run.token": [8]}, "workload.run.token: unknown key; did you mean `tokens`"),
        ({"workload.hidden": [8]}, "workload.hidden: unknown key"),
        ({"mxu.rows": [8]}, "expected a key of a machine or a workload"),
        ({"arch.": [8]}, "expected a key of a machine or a workload"),
        ({"arch.mxu.rows.more": [8]}, "single value, not a section"),
        ({"arch.mxu.rows": []}, "an empty axis"),
        ({"arch.mxu.rows": {"range": {"from": 9, "to": 8}}}, "an empty axis"),
        ({"arch.mxu.rows": {"powers_of_two": {"from": 5, "to": 7}}}, "an empty axis"),
        ({"arch.mxu.rows": {"range": {"from": 1, "to": 8, "step": 0}}}, "greater than 0"),
        ({"arch.mxu.rows": {"range": {"from": 1}}}, "range.to: missing"),
        ({"arch.mxu.rows": {}}, "takes its values one way"),
        ({"arch.mxu.rows": {"values": [1], "ratio": [1]}}, "takes its values one way"),
        ({"arch.mxu.rows": {"values": [1], "of": "arch.mxu.columns"}}, "`of` stands with `ratio` only"),
        ({"arch.mxu.rows": {"value": [1]}}, "unknown key; did you mean `values`"),
        ({"arch.mxu.rows": [8, 8]}, "8 written twice"),
        ({"arch.mxu.rows": [8, 0]}, "greater than or equal to 1"),
        ({"arch.mxu.rows": [8, "many"]}, r"mxu\.rows: `many` is neither a number nor a key\n  expression many"),
        ({"arch.mxu.rows": [8, "2 *"]}, r"mxu\.rows: not an expression\n  expression 2 \*"),
        ({"arch.mxu.rows": [8, "mxu.colums"]}, "did you mean `mxu.columns`"),
        ({"arch.mxu.rows": [{"a": 1}]}, "a section of keys is no value"),
        ({"arch.mxu.rows": {"ratio": [0.3]}}, "0.3 x 16 is no whole number"),
        ({"arch.mxu.rows": {"ratio": [2], "of": "arch.mxu.rws"}}, "no key of the bases"),
        ({"arch.mxu.rows": {"ratio": [2], "of": "arch.mxu.pe"}}, "a ratio of 'anda'"),
        ({"arch.mxu.rows, arch.mxu.columns": [[8, 8], [8]]}, "expected lists of 2 values"),
        ({"arch.mxu.rows, arch.mxu.columns": {"range": {"from": 1, "to": 2}}}, "a list of values each"),
        ({"arch.mxu.rows": [8], "arch.mxu.rows, arch.mxu.columns": [[4, 4]]}, "also on axis `arch.mxu.rows`"),
    ],
)
def test_an_axis_that_cannot_be_used_is_named_with_its_line(write: Write, axes: dict[str, Any], told: str) -> None:
    path = write(axes)
    lines = path.read_text(encoding="utf-8").splitlines()
    with pytest.raises(InputError, match=told) as caught:
        space_of(path)
    assert caught.value.place is not None
    assert caught.value.place.file == str(path)
    name = list(axes)[-1]
    line = lines.index(next(line for line in lines if re.match(rf" +{re.escape(name)}:", line))) + 1
    assert caught.value.place.line is not None
    assert line <= caught.value.place.line <= line + 4


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"constraints": ["rows ="]}, r"small\.yaml:\d+: constraints\.0: not an expression"),
        ({"constraints": ["rws == 8"]}, r"constraints\.0: `rws` is unknown; did you mean `rows`"),
        ({"constraints": ["bytes > 3"]}, "`bytes` means several keys"),
        ({"objectives": ["__import__('os')"]}, r"objectives\.0: not an expression: `__import__"),
        ({"objectives": []}, "objectives: expected .*at least 1"),
        ({"objectives": ["1/0"]}, r"small\.yaml:\d+: objectives\.0: division by zero\n  expression 1/0"),
        ({"objectives": ["10**1000"]}, r"objectives\.0: a whole number of more than 1023 bits"),
        ({"constraints": ["1 % 0"]}, r"small\.yaml:\d+: constraints\.0: .*zero"),
        ({"derived": {"x": "2**5000"}}, r"small\.yaml:\d+: derived\.x: "),
        ({"derived": {"area": "1"}}, r"derived\.area: a result has this name already"),
        ({"derived": {"a b": "1"}}, "expected a name of letters"),
        ({"derived": {"x": "y", "y": "1"}}, "`y` is unknown"),
        ({"archs": ["andaa"]}, "did you mean `anda-"),
        ({"workloads": ["llama-8b"]}, "neither a file nor a shipped name of workloads"),
        ({"archs": []}, "archs: expected .*at least 1"),
        ({"front_per": ["arch.mxu.row"]}, "no axis `arch.mxu.row`; did you mean `arch.mxu.rows`"),
        ({"mode": "grids"}, "found 'grids'; did you mean `grid`"),
        ({"mode": "random"}, "mode `random` needs it"),
        ({"points": 5}, "mode `grid` does not take it"),
        ({"mode": "random", "points": 5, "sampler": "tpe"}, "mode `random` does not take it"),
        ({"name": "../up"}, "name: expected"),
        ({"axis": {}}, "axis: unknown key; did you mean `axes`"),
    ],
)
def test_a_sweep_file_that_cannot_be_used_is_one_message(write: Write, keys: dict[str, Any], told: str) -> None:
    path = write(ROWS, **keys) if "name" not in keys else write(ROWS)
    if "name" in keys:
        path.write_text(path.read_text(encoding="utf-8").replace("name: small", f"name: {keys['name']}"))
    with pytest.raises(InputError, match=told):
        space_of(path)


def test_more_than_a_million_points_need_consent(write: Write, tmp_path: Path) -> None:
    axes = {"arch.mxu.rows": {"range": {"from": 1, "to": 1001}}, "arch.mxu.columns": {"range": {"from": 1, "to": 1000}}}
    space = space_of(write(axes))
    with StoredSweeps(tmp_path / "s.sqlite", make=True) as store:
        with pytest.raises(InputError, match=r"very large\n  found +1,001,000 points\n  allowed +1,000,000, or --yes"):
            Points(space, store, InProcess(), lambda tally: None)
        assert Points(space, store, InProcess(), lambda tally: None, many=True).tally.total == 1_001_000
        few = space_of(write(axes, mode="random", points=10))
        assert Points(few, store, InProcess(), lambda tally: None).tally.total == 10


def test_a_sweep_that_is_there_is_not_begun_again_without_consent(write: Write, tmp_path: Path) -> None:
    run(write(ROWS), tmp_path / "s.sqlite")
    with pytest.raises(InputError, match=r"sweep `small` is there\n  found +2 points of it\n  allowed +--resume"):
        run(write(ROWS), tmp_path / "s.sqlite")


@pytest.mark.parametrize(("version", "age"), [(VERSION - 1, "an older"), (VERSION + 1, "a newer")])
def test_a_store_of_another_version_is_refused_and_left_alone(
    write: Write, tmp_path: Path, version: int, age: str
) -> None:
    path = tmp_path / "s.sqlite"
    run(write(ROWS), path)
    with sqlite3.connect(path) as raw:
        raw.execute(f"PRAGMA user_version = {version}")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"a store of {age} version of this tool\n  found +version {version}"):
        StoredSweeps(path, make=True)
    assert path.read_bytes() == before


def test_a_cache_of_the_first_kind_is_refused_by_its_version(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    with sqlite3.connect(path) as raw:
        raw.execute("create table runs (key text primary key, code text, run text)")
    raw.close()
    with pytest.raises(InputError, match=r"--store: a store of an older version of this tool\n  found +version 1"):
        StoredSweeps(path, make=True)


def test_a_damaged_row_is_one_message(write: Write, tmp_path: Path) -> None:
    run(write(ROWS), tmp_path / "s.sqlite")
    with sqlite3.connect(tmp_path / "s.sqlite") as raw:
        raw.execute("UPDATE points SET totals = '{'")
    raw.close()
    with StoredSweeps(tmp_path / "s.sqlite") as store, pytest.raises(InputError, match=r"s\.sqlite: --store: damaged"):
        View(store, "small")


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    text, other = tmp_path / "text.sqlite", tmp_path / "other.sqlite"
    text.write_text("not a database, and longer than the header of one " * 9, encoding="utf-8")
    with pytest.raises(InputError, match="file is not a database"):
        StoredSweeps(text, make=True)
    with sqlite3.connect(other) as raw:
        raw.execute("CREATE TABLE mine (x)")
    raw.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(InputError, match=r"not a database|not a store"):
            StoredSweeps(path, make=True)
        assert path.read_bytes() == before
    with pytest.raises(InputError, match="no such store"):
        StoredSweeps(tmp_path / "none.sqlite")
    with pytest.raises(InputError, match="cannot be used"):
        StoredSweeps(text / "below.sqlite", make=True)


def test_a_disk_that_fills_is_one_message_and_what_was_stored_stays(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    space = space_of(write(SIXTY))
    with StoredSweeps(path, make=True) as store:
        store.begin(space, resume=False)
        pages = store._store._db.execute("PRAGMA page_count").fetchone()[0]
        store._store._db.execute(f"PRAGMA max_page_count = {pages + 6}")  # SQLite's own end of the disk
        with pytest.raises(InputError, match=r"(?s)s\.sqlite: --store: cannot be used: .*full.*--resume"):
            run_sweep(Points(space, store, InProcess(), lambda tally: None))
    with StoredSweeps(path) as store:
        stored = View(store, "small").points
    assert 0 < len(stored) < 60
    assert all(point.verdict.feasible for point in stored)
    tally = run(write(SIXTY), path, resume=True)
    assert (tally.reused, tally.computed) == (len(stored), 60 - len(stored))
    run(write(SIXTY), tmp_path / "undisturbed.sqlite")
    assert contents(path) == contents(tmp_path / "undisturbed.sqlite")


def test_a_sweep_that_the_store_lacks_is_named_with_the_nearest(write: Write, tmp_path: Path) -> None:
    run(write(ROWS), tmp_path / "s.sqlite")
    with StoredSweeps(tmp_path / "s.sqlite") as store, pytest.raises(InputError, match="did you mean `small`"):
        View(store, "smal")


def test_an_override_of_the_command_line_is_checked_like_the_file(write: Write) -> None:
    with pytest.raises(InputError, match="--set mode=best: mode: found 'best'"):
        load_sweep(str(write(ROWS)), ["mode=best"])
