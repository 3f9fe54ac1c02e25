"""Input made to break things: one message each, soon, and never a traceback."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.arch.building import Write, refusal

LONG = "x" * 5000
SETS = [
    *("mxu.rows=2001-99-99", "mxu.rows=[[[", "mxu.rows=" + "[" * 5000, "mxu.rows=&a [*a]", "mxu.rows=" + "9" * 5000),
    *("mxu.rows=0x" + "f" * 5000, "mxu.rows={[1]: 2}", "mxu.rows=!!python/name:os.system", "mxu.rows=" + LONG),
    *("mxu.rows=\udcff", "mxu.rows=\x00", "mxu.rows=- 1\n- 2", "mxu.rows=--- 1\n--- 2", "mxu.rows=2 ** 99 ** 99"),
    *("mxu={1: 2}", "mxu={null: 2}", "mxu={true: 2}", "mxu={2.5: 3}", "mxu={2001-01-01: 3}", "mxu=[]", "mxu=x"),
    *(f"{LONG}=1", f"mxu.{LONG}=1", "a." * 2000 + "a=1", "schedule={token_block: [1]}", "schedule=" + LONG),
    *("dram={}", "dram=[]", "dram.kind={a: 1}", "dram.kind=null", f"dram.kind={LONG}", "dram.arbitration=[1]"),
    *("cost={pe: rtl, vector: rtl}", "cost.pe=" + LONG, "source={a: {b: c}}", "bpc=" + LONG, "mxu.pe=[]"),
    *("mxu.lanes=1 if mxu.rows else", "mxu.rows=max", "mxu.rows=max()", "mxu.rows=lcm(2.5, 3)", "mxu.rows=.5.5"),
]


@pytest.mark.parametrize("assignment", SETS, ids=lambda text: ascii(text[:40]))
def test_no_assignment_is_more_than_a_message(assignment: str) -> None:
    begin = time.process_time()
    error = refusal("anda-hpca25", assignment)
    assert time.process_time() - begin < 2
    assert error.place is not None
    assert all(len(line) < 400 for line in str(error).splitlines())


@pytest.mark.parametrize("name", ["~nosuchuser/x", "~nosuchuser/x.yaml", LONG, f"{LONG}.yaml", "a\0b", "a\0b.yaml", ""])
def test_no_name_is_more_than_a_message(name: str) -> None:
    assert len(str(refusal(name)).splitlines()[0]) < 400


@pytest.mark.parametrize(
    "text",
    [
        "extends: [anda-hpca25]",
        f"extends: {LONG}",
        "extends: ~nosuchuser/x",
        "extends: /etc/passwd",
        "extends: ''",
        "extends: anda-hpca25\nmxu: &a {rows: *a}",
        "extends: anda-hpca25\nmxu: [" + "[" * 9000,
        "extends: anda-hpca25\n? {a: b}\n: c",
        "&a : *a",
        "a: &a {<<: *a}",
        "%YAML 9.9\n---\nname: x",
        "name: !!set {a, b}",
    ],
    ids=lambda text: ascii(text[:50]),
)
def test_no_file_is_more_than_a_message(write: Write, text: str) -> None:
    error = refusal(write(text))
    assert error.place is not None
    assert len(str(error)) < 800
    assert "root:" not in str(error)


def test_a_file_that_is_no_text_or_cannot_be_read_is_named(tmp_path: Path) -> None:
    for name, content in (("zeros", b"\0" * 100), ("binary", bytes(range(256))), ("utf16", "name: x".encode("utf-16"))):
        path = tmp_path / f"{name}.yaml"
        path.write_bytes(content)
        assert str(path) in str(refusal(str(path)))
