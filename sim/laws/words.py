"""A PE takes all bits of a group, and no more than it says: its cycles and its words cannot be chosen apart.

cycles x word_bits = group_bits + padding_bits
"""

from __future__ import annotations

from dataclasses import is_dataclass

from sim.arch.schema import Hardware
from sim.units.processing_element import ProcessingElement

MANTISSA_LENGTHS = range(1, 17)


def check_words(hardware: Hardware, pe: ProcessingElement) -> None:
    """Hold the words of a machine's PE against the bits of a group, at every mantissa length it may get.

    Raises
    ------
    InputError
        For a kind that takes other bits than those of a group; names them. For one whose activations in memory are not
        told by their fields: runs are known by them (sim/mapping/piece.py).
    """
    for length in MANTISSA_LENGTHS if pe.encoded else (None,):
        if not is_dataclass(pe.activations(length)):
            problem = f"activations of PEs of kind {pe.kind} cannot be told apart"
            raise hardware.refuse("mxu.pe", problem, needed="a frozen dataclass, see sim/mapping/operands.py")
        cycles, group, padding = pe.cycles(length), pe.group_bits(length), pe.padding_bits(length)
        taken = cycles * pe.word_bits
        if taken != group + padding or padding < 0:
            at = "" if length is None else f" at M = {length}"
            raise hardware.refuse(
                "mxu.pe",
                f"PEs of kind {pe.kind} take {taken} bits a group{at}",
                needed=f"{group + padding} = {group} of the group + {padding} of padding",
                found=f"{cycles} cycles x {pe.word_bits} bits a word",
            )
