"""A PE's cycles and words take the bits of a group: all of them, and no more than it says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sim import shipped
from sim.arch.load import load_arch
from sim.errors import InputError
from sim.laws.words import check_words
from sim.machine.machine import Machine
from sim.mapping.operands import Operand
from sim.units import processing_element
from sim.units.pe.anda import AndaPe
from sim.units.pe.figna import FignaPe

FIGNA = load_arch("figna")


@pytest.mark.parametrize("name", shipped.names("arch_configs"))
def test_shipped_pes_take_a_group_as_it_stands_in_the_paper(name: str) -> None:
    arch = load_arch(name)
    check_words(arch, processing_element.make(arch))


@pytest.mark.parametrize("lanes", [1, 3, 6, 63, 64, 65, 200])
def test_lanes_that_do_not_divide_a_group_fill_the_rest_of_their_last_word(lanes: int) -> None:
    arch = load_arch("figna", [f"mxu.lanes={lanes}"])
    pe = processing_element.make(arch)
    check_words(arch, pe)
    # 64 values of 16 bits in words of `lanes` values, the last one filled up
    assert pe.padding_bits(None) == (-64 % lanes) * 16


class HalfWords(FignaPe):
    """Says it takes 8 bits a value a cycle, so that its activations seem to cost half."""

    @property
    def word_bits(self) -> int:
        return self.lanes * 8


class Hurried(FignaPe):
    def cycles(self, mantissa_bits: int | None) -> int:
        return super().cycles(mantissa_bits) - 1


class Generous(FignaPe):
    def padding_bits(self, mantissa_bits: int | None) -> int:
        return -16


class LateAtSeven(AndaPe):
    def cycles(self, mantissa_bits: int | None) -> int:
        return super().cycles(mantissa_bits) + (mantissa_bits == 7)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (HalfWords, ["512 bits a group", "1024 of the group", "16 cycles x 32 bits"]),
        (Hurried, ["960 bits a group", "15 cycles x 64 bits"]),
        (Generous, ["1024 bits a group", "-16 of padding"]),
    ],
)
def test_a_kind_that_takes_other_bits_than_a_group_has_is_refused(kind: type[FignaPe], words: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        check_words(FIGNA, kind(FIGNA))
    for word in ("mxu.pe", "figna", *words):
        assert word in refused.value.render()


def test_every_mantissa_length_is_looked_at() -> None:
    arch = load_arch("anda-hpca25")
    with pytest.raises(InputError, match="576 bits a group at M = 7"):
        check_words(arch, LateAtSeven(arch))


def test_a_machine_is_held_against_the_law_when_it_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing_element, "KINDS", SimpleNamespace(find=lambda name: Hurried))
    with pytest.raises(InputError, match="960 bits a group"):
        Machine(FIGNA)


def test_activations_that_are_not_told_by_their_fields_are_refused() -> None:
    class Somehow(FignaPe):
        def activations(self, mantissa_bits: int | None) -> Operand:
            return type("Hidden", (), {"data_bytes": lambda *_: 1, "side_bytes": lambda *_: 0})()

    with pytest.raises(InputError, match="cannot be told apart"):
        check_words(FIGNA, Somehow(FIGNA))


def test_stated_padding_is_taken_as_it_is() -> None:
    class Padded(FignaPe):
        """Each group ends with an empty word."""

        def cycles(self, mantissa_bits: int | None) -> int:
            return super().cycles(mantissa_bits) + 1

        def padding_bits(self, mantissa_bits: int | None) -> int:
            return self.word_bits

    check_words(FIGNA, Padded(FIGNA))
