"""Mantissa lengths of attention's own activations: queries, and the softmax's weights."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from sim.workload.precision_rules import LONGEST

AttentionLengths = tuple[int, int]
"""Of queries and of the softmax's weights."""


def as_text(value: object) -> object:
    """Let YAML's `6` and `[7, 6, 6, 6]` stand for the texts `6` and `7,6,6,6`."""
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def attention_lengths(text: str) -> AttentionLengths:
    """One length for both, or two.

    Raises
    ------
    ValueError
        For anything else.
    """
    lengths = text.replace(" ", "").split(",")
    if not (1 <= len(lengths) <= 2 and all(one.isdecimal() and 1 <= int(one) <= LONGEST for one in lengths)):
        problem = f"expected one mantissa length or two (queries, softmax) of 1 to {LONGEST}, found {text!r:.40}"
        raise ValueError(problem)
    return int(lengths[0]), int(lengths[-1])


AttentionPrecision = Annotated[
    str,
    BeforeValidator(as_text),
    AfterValidator(lambda text: ",".join(map(str, dict.fromkeys(attention_lengths(text))))),
    WithJsonSchema({"type": ["string", "integer", "array"], "items": {"type": "integer"}}),
]
