"""Mantissa lengths a module: how they are named, whose outputs they encode, and what they save.

By phase, layer and position, and of weights too: sim/workload/precision_rules.py.

    module     qkv  o   up    down
    consumer   -    up  down  qkv      outputs are encoded at the length of their consumer; q, k and v stay FP16

A saving compares bit operations: an FP16 x INT4 multiply-accumulate counts 16 x 4, one of M mantissa bits M x 4
(Anda, HPCA 2025), so the saving is 16 over the mean M weighted by multiply-accumulates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from sim import source
from sim.errors import InputError, Place, nearest_name
from sim.formats.weight import WeightFormat
from sim.formats.weights.integer import IntegerWeights
from sim.workload.attention_precision import AttentionPrecision, attention_lengths
from sim.workload.gemm import FP16, Gemm
from sim.workload.precision_rules import (
    LONGEST,
    LayerPrecision,
    ModuleLengths,
    Precision,
    PrecisionPlan,
    RuledPrecision,
    numbers_of,
)

__all__ = [
    "CONSUMER",
    "HEADS",
    "LONGEST",
    "MODULES",
    "Precision",
    "PrecisionFile",
    "head_bits",
    "mantissa_bits",
    "of_module",
    "output_mantissa_bits",
    "plan_of",
    "resolve",
    "saving",
]

MODULES = ("qkv", "o", "up", "down")
HEADS: dict[str, WeightFormat] = {"int8": IntegerWeights(8), "fp16": FP16}
"""Weights of the language model's head."""
CONSUMER = {"o": "up", "up": "down", "down": "qkv"}


class PrecisionFile(RuledPrecision):
    """A precision kept in a YAML file of its own."""

    precision: ModuleLengths
    attention_precision: AttentionPrecision | None = None
    """Of queries and of the softmax's weights, one length or two; absent: those of the run."""
    source: str = ""


def plan_of(choice: str, named: Mapping[str, PrecisionPlan], place: Place | None = None) -> PrecisionPlan:
    """The precision that a choice means.

    Parameters
    ----------
    choice
        `fp16`, a name, one mantissa length, four of them separated by commas, or the path of a YAML file.
    named
        The precisions known by name.
    place
        Where the choice stands, for the message.

    Raises
    ------
    InputError
        For an unknown name, a number of lengths other than 1 or 4, or a length outside 1..16.
    """
    if choice == "fp16":
        return PrecisionPlan(None)
    if choice in named:
        return named[choice]
    if re.fullmatch(r"[-+\d\s,]+", choice):
        return PrecisionPlan(_listed(choice, place))
    if choice.endswith((".yaml", ".yml")):
        file = source.validate(PrecisionFile, source.read(Path(choice)))
        asked = file.attention_precision
        return replace(file.plan(file.precision), attention=None if asked is None else attention_lengths(asked))
    known = ["fp16", *named]
    raise InputError(
        f"unknown precision `{choice}`",
        place=place,
        field="precision",
        nearest=nearest_name(choice, known),
        facts={"allowed": f"{', '.join(known)}, one length, four lengths (7,6,6,6) or a precision file (.yaml)"},
    )


def resolve(choice: str, place: Place | None = None) -> Precision | None:
    """Mantissa lengths of [qkv, o, up, down] where nothing else is taken; None for `fp16`.

    Raises
    ------
    InputError
        As `plan_of`, and for bits of weights, or rules over layers and positions.
    """
    plan = plan_of(choice, {}, place)
    if not plan.plain:
        problem = "only mantissa lengths are taken here, neither bits of weights nor rules"
        raise InputError(problem, place=place, field="precision", facts={"found": choice})
    return plan.lengths


def _listed(choice: str, place: Place | None) -> Precision:
    try:
        return numbers_of(choice, LONGEST, "mantissa length")
    except ValueError as error:
        problem, _, allowed = str(error).partition("\n  allowed    ")
        facts = {"allowed": allowed} if allowed else {}
        raise InputError(problem, place=place, field="precision", facts=facts) from None


def of_module(numbers: Precision | None, module: str) -> int | None:
    """The number of a module, out of four; None where there are none, or the module is none of the four."""
    return numbers[MODULES.index(module)] if numbers is not None and module in MODULES else None


def mantissa_bits(precision: Precision | None, module: str) -> int | None:
    """Mantissa length of the activations of a module; None: FP16."""
    return of_module(precision, module)


def output_mantissa_bits(precision: LayerPrecision, module: str) -> int | None:
    """Mantissa length that a module's outputs are encoded at; None: FP16."""
    consumer = CONSUMER.get(module, "")
    return precision.following if consumer == "qkv" else mantissa_bits(precision.lengths, consumer)


def head_bits(precision: Precision | None, head: str) -> int | None:
    """Mantissa length of the head's activations: the longest of the four; None: FP16."""
    return max(precision) if precision is not None and HEADS[head].integers else None


def saving(gemms: Iterable[Gemm]) -> float:
    """How many times fewer bit operations than with FP16 activations, over the GeMMs with integer weights."""
    converted = [
        (gemm.macs, gemm.mantissa_bits or LONGEST) for gemm in gemms if gemm.weights != FP16 and gemm.module != "head"
    ]
    return LONGEST * sum(macs for macs, _ in converted) / sum(macs * bits for macs, bits in converted)
