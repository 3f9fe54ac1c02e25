"""The listing of formats, and how a new one joins it."""

from __future__ import annotations

import sim.formats
from sim.formats.registry import formats


def test_the_formats_are_listed_by_name():
    names = [card.name for card in formats()]
    assert {"anda", "block-float", "fp16", "int4"} <= set(names)
    assert names == sorted(names)
    assert all(card.bits_a_value(8) > 0 for card in formats())


def test_a_new_format_joins_by_one_file(tmp_path, monkeypatch):
    (tmp_path / "posit8.py").write_text(
        "from sim.formats.registry import FormatCard\nFORMAT = FormatCard('posit8', 'tapered', lambda _: 8)\n"
    )
    monkeypatch.setattr(sim.formats, "__path__", [*sim.formats.__path__, str(tmp_path)])
    assert "posit8" in [card.name for card in formats()]
