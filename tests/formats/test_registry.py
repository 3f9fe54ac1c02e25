"""The listing of formats; tests/plugins has a new one join it."""

from __future__ import annotations

from sim.formats.registry import FORMATS


def test_the_formats_are_listed_by_name():
    cards = FORMATS.parts()
    assert {"anda", "block-float", "fp16", "int4"} <= set(cards)
    assert list(cards) == sorted(cards)
    assert all(card.bits_a_value(8) > 0 for card in cards.values())
