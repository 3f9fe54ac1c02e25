"""YAML within limits: what a text means, and that no text hangs, crashes or fills the memory."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sim.errors import InputError, Place
from sim.yaml_reader import DEEPEST, parse


def read(text: str) -> tuple[Any, dict[Any, Any]]:
    return parse(text, lambda mark: Place("file", mark.line + 1 if mark else None))


def test_values_come_with_the_line_of_every_key() -> None:
    values, places = read("a: 1\nb:\n  c: [x, 2.5]\n  d: {e: null}\n")
    assert values == {"a": 1, "b": {"c": ["x", 2.5], "d": {"e": None}}}
    lines = {path: place.line for path, place in places.items()}
    expected = {("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "c", 0): 3, ("b", "c", 1): 3}
    assert lines == expected | {("b", "d"): 4, ("b", "d", "e"): 4}
    assert read("") == (None, {})


def test_an_alias_stands_for_what_it_names() -> None:
    assert read("a: &x {b: 1}\nc: *x\n")[0] == {"a": {"b": 1}, "c": {"b": 1}}


BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "more than 200,000 values"),
        ("a: &a [*a]", f"more than {DEEPEST} levels"),
        ("a: &a {b: *a}", f"more than {DEEPEST} levels"),
        ("[" * 100_000, f"more than {DEEPEST} levels"),
        ("{a: " * 100_000, f"more than {DEEPEST} levels"),
        ("- " * 100_000, f"more than {DEEPEST} levels"),
        ("a: [" + "1, " * 300_000 + "]", "more than 200,000 values"),
        ("[a, b]: 1", "a list or a section cannot be a key"),
        ("{a: 1}: 2", "a list or a section cannot be a key"),
        ("? [a]\n: 1", "a list or a section cannot be a key"),
        ("a: 2001-99-99", "cannot be read: '2001-99-99'"),
        ("a: " + "9" * 5000, r"cannot be read: '9+\.\.\. \(5,000 characters\)'"),
        ("a: 0x" + "f" * 5000, "a whole number of more than 64 bits: 0xf"),
        ("a: " + "9" * 30, "a whole number of more than 64 bits: 9"),
        ("a: !!python/object:os.system x", "cannot be read"),
        ("a: !!int x", "cannot be read"),
        ("a: \x01", "not YAML"),
        ("a: \udcff", "not YAML"),
        ("a: 1\na: 2", "a: written twice"),
        ("a: *b", "not YAML: found undefined alias"),
        ("a: b: c", "not YAML: mapping values are not allowed"),
        ("--- 1\n--- 2", "not YAML: but found another document"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_beyond_the_limits_is_one_short_message_at_once(text: str, told: str) -> None:
    begin = time.process_time()
    with pytest.raises(InputError, match=told) as caught:
        read(text)
    assert time.process_time() - begin < 10
    assert caught.value.place is not None
    assert len(str(caught.value)) < 300
