"""Mantissa lengths a module: how they are named, whose outputs they encode, and what they save.

    module     qkv  o   up    down
    consumer   -    up  down  qkv      outputs are encoded at the length of their consumer; q, k and v stay FP16

A saving compares bit operations: an FP16 x INT4 multiply-accumulate counts 16 x 4, one of M mantissa bits M x 4
(Anda, HPCA 2025), so the saving is 16 over the mean M weighted by multiply-accumulates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sim import source
from sim.errors import InputError, Place, nearest_name
from sim.section import Section
from sim.workload.gemm import FP16, Gemm
from sim.workload.model import Lengths

Precision = tuple[int, int, int, int]
MODULES = ("qkv", "o", "up", "down")
CONSUMER = {"o": "up", "up": "down", "down": "qkv"}
LONGEST = 16


class PrecisionFile(Section):
    """A precision kept in a YAML file of its own."""

    precision: Lengths
    source: str = ""


def resolve(choice: str, named: Mapping[str, Sequence[int]], place: Place | None = None) -> Precision | None:
    """Mantissa lengths of [qkv, o, up, down] that a choice means; None for `fp16`.

    Parameters
    ----------
    choice
        `fp16`, a name, one length, four lengths separated by commas, or the path of a YAML file.
    named
        The lengths known by name.
    place
        Where the choice stands, for the message.

    Raises
    ------
    InputError
        For an unknown name, a number of lengths other than 1 or 4, or a length outside 1..16.
    """
    if choice == "fp16":
        return None
    if choice in named:
        return _four(named[choice])
    if re.fullmatch(r"[-+\d\s,]+", choice):
        return _listed(choice, place)
    if choice.endswith((".yaml", ".yml")):
        return _four(source.validate(PrecisionFile, source.read(Path(choice))).precision)
    known = ["fp16", *named]
    raise InputError(
        f"unknown precision `{choice}`",
        place=place,
        field="precision",
        nearest=nearest_name(choice, known),
        facts={"allowed": f"{', '.join(known)}, one length, four lengths (7,6,6,6) or a precision file (.yaml)"},
    )


def _listed(choice: str, place: Place | None) -> Precision:
    try:
        lengths = [int(part) for part in choice.split(",")]
    except ValueError:
        lengths = []
    if len(lengths) not in (1, 4):
        raise InputError(
            f"expected one mantissa length or four (qkv,o,up,down), found `{choice}`", place=place, field="precision"
        )
    for length in lengths:
        if not 1 <= length <= LONGEST:
            raise InputError(
                f"mantissa length {length}", place=place, field="precision", facts={"allowed": f"1 to {LONGEST}"}
            )
    return _four(lengths if len(lengths) == 4 else lengths * 4)


def _four(lengths: Sequence[int]) -> Precision:
    qkv, o, up, down = lengths
    return qkv, o, up, down


def mantissa_bits(precision: Precision | None, module: str) -> int | None:
    """Mantissa length of the activations of a module; None: FP16."""
    return precision[MODULES.index(module)] if precision is not None and module in MODULES else None


def output_mantissa_bits(precision: Precision | None, module: str) -> int | None:
    """Mantissa length that a module's outputs are encoded at; None: FP16."""
    return mantissa_bits(precision, CONSUMER.get(module, ""))


def saving(gemms: Iterable[Gemm]) -> float:
    """How many times fewer bit operations than with FP16 activations, over the GeMMs with integer weights."""
    converted = [(gemm.macs, gemm.mantissa_bits or LONGEST) for gemm in gemms if gemm.weights != FP16]
    return LONGEST * sum(macs for macs, _ in converted) / sum(macs * bits for macs, bits in converted)
