"""Precision as a function of phase, layer and position: rules over lengths of mantissas and bits of weights.

    rules:                                                   a rule without a condition holds everywhere
      - {phase: decode, layers: 4-, steps: 128-511, weight_bits: 3, precision: [7, 6, 6, 6]}
      - {positions: 2048-, weight_bits: 2}                   of rules that hold the last one decides, key by key

layers     counted from 0
steps      of decoding, counted from 0; a prompt's tokens go through together and have none
positions  tokens before the one that is decoded: the context, and the steps before
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from sim.section import Section

Precision = tuple[int, int, int, int]
"""Of the modules qkv, o, up and down."""
LONGEST = 16
WIDEST = 8


def four(numbers: Sequence[int]) -> Precision:
    """One number for all modules, or four."""
    qkv, o, up, down = numbers if len(numbers) == 4 else [*numbers] * 4
    return qkv, o, up, down


def numbers_of(value: object, most: int, what: str) -> Precision:
    """One number or four, each 1 to `most`, written as numbers or as a text such as `7,6,6,6`.

    Raises
    ------
    ValueError
        For anything else.
    """
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    texts = [str(part).strip() for part in parts]
    if len(texts) not in (1, 4) or not all(re.fullmatch(r"[-+]?[0-9]{1,9}", text) for text in texts):
        found = ",".join(texts)
        raise ValueError(f"expected one {what} or four (qkv,o,up,down), found `{found[:40]}`")
    for text in texts:
        if not 1 <= int(text) <= most:
            raise ValueError(f"{what} {int(text)}\n  allowed    1 to {most}")
    return four([int(text) for text in texts])


def _ranges(text: object) -> str:
    if isinstance(text, list):
        text = ",".join(map(str, text))
    parts = [part.strip() for part in str(text).split(",")]
    for part in parts:
        if not re.fullmatch(r"[0-9]{1,9}(-([0-9]{1,9})?)?", part):
            raise ValueError(f"expected numbers and ranges such as 0,3,8-15 or 16-, found `{part[:40]}`")
    for first, last in _parsed(",".join(parts)):
        if last is not None and last < first:
            raise ValueError(f"expected a range that ends after it begins, found `{first}-{last}`")
    return ",".join(parts)


@lru_cache(1024)
def _parsed(text: str) -> tuple[tuple[int, int | None], ...]:
    """First and last of each range; None: without end."""
    parts = [part.partition("-") for part in text.split(",")]
    return tuple((int(first), int(last) if last else None if dash else int(first)) for first, dash, last in parts)


def _within(value: int | None, ranges: str | None) -> bool:
    if ranges is None:
        return True
    if value is None:
        return False
    return any(first <= value and (last is None or value <= last) for first, last in _parsed(ranges))


_SCHEMA = WithJsonSchema({"type": ["string", "integer", "array"], "items": {"type": "integer"}})
ModuleLengths = Annotated[
    Precision | Literal["fp16"],
    BeforeValidator(lambda value: value if value == "fp16" else numbers_of(value, LONGEST, "mantissa length")),
    _SCHEMA,
]
ModuleBits = Annotated[Precision, BeforeValidator(lambda value: numbers_of(value, WIDEST, "width of weights")), _SCHEMA]
Ranges = Annotated[str, BeforeValidator(_ranges), _SCHEMA]


class PrecisionRule(Section):
    """Lengths of mantissas, bits of weights, and where they hold."""

    phase: Literal["prefill", "decode"] | None = None
    layers: Ranges | None = None
    """Layers of the model, from 0: `0,3,8-15`, `16-`."""
    steps: Ranges | None = None
    """Steps of decoding, from 0."""
    positions: Ranges | None = None
    """Tokens before the one that is decoded."""
    precision: ModuleLengths | None = None
    """`fp16`, one mantissa length, or four for qkv, o, up and down."""
    weight_bits: ModuleBits | None = None
    """Bits of a weight, one number or four: planes that are read, or the width of the integers of these layers."""

    @model_validator(mode="after")
    def _says_something(self) -> PrecisionRule:
        if self.precision is None and self.weight_bits is None:
            raise ValueError("a rule gives `precision`, `weight_bits` or both")
        if self.phase == "prefill" and (self.steps or self.positions):
            raise ValueError("steps and positions are those of decoding")
        return self

    @property
    def over_time(self) -> bool:
        """Whether it holds at some times only."""
        return any(one is not None for one in (self.phase, self.steps, self.positions))

    def holds(self, moment: Moment, layer: int) -> bool:
        """Whether it holds for a layer at a moment."""
        return (
            self.phase in (None, moment.phase)
            and _within(layer, self.layers)
            and _within(moment.step, self.steps)
            and _within(moment.position, self.positions)
        )


class RuledPrecision(Section):
    """What a precision may say beside its mantissa lengths."""

    weight_bits: ModuleBits | None = None
    """Bits of a weight, one number or four (qkv, o, up, down); absent: as stored."""
    rules: list[PrecisionRule] = Field(default=[], max_length=1000)
    """Where other lengths or bits hold; of rules that hold the last one decides."""

    def plan(self, lengths: Precision | Literal["fp16"]) -> PrecisionPlan:
        """The whole precision, with these lengths where no rule holds."""
        return PrecisionPlan(None if lengths == "fp16" else lengths, self.weight_bits, tuple(self.rules))


@dataclass(frozen=True)
class Moment:
    """When a layer works: the phase, and in decoding the step and the tokens before, which a prompt has not."""

    phase: str
    step: int | None = None
    position: int | None = None


@dataclass(frozen=True)
class LayerPrecision:
    """Precision of a layer at a moment.

    Parameters
    ----------
    lengths
        Of mantissas, a module; None: FP16.
    weight_bits
        A module; None: as stored.
    following
        Mantissa length at which the next layer reads this one's outputs; None: FP16.
    """

    lengths: Precision | None
    weight_bits: Precision | None
    following: int | None


def everywhere(lengths: Precision | None) -> LayerPrecision:
    """One precision for all layers, weights as stored."""
    return LayerPrecision(lengths, None, lengths and lengths[0])


@dataclass(frozen=True)
class PrecisionPlan:
    """A precision for every layer at every moment.

    Parameters
    ----------
    lengths, weight_bits
        Where no rule says otherwise; None: FP16, and bits as stored.
    attention
        Mantissa lengths of queries and of the softmax's weights; None: those of the run.
    """

    lengths: Precision | None
    weight_bits: Precision | None = None
    rules: tuple[PrecisionRule, ...] = ()
    attention: tuple[int, int] | None = None

    @property
    def plain(self) -> bool:
        """Whether there are mantissa lengths of modules, and neither rules nor bits of weights."""
        return self.weight_bits is None and not self.rules

    @property
    def over_time(self) -> bool:
        """Whether bits of weights change while the model runs."""
        return any(rule.over_time and rule.weight_bits is not None for rule in self.rules)

    def at(self, moment: Moment, layer: int, count: int) -> LayerPrecision:
        """What holds for one of `count` layers; the last one's outputs are read at its own lengths.

        Rules about layers leave out a layer of unknown number, -1 of 0.
        """
        lengths, bits = self._of(moment, layer)
        then = lengths if layer + 1 >= count else self._of(moment, layer + 1)[0]
        return LayerPrecision(lengths, bits, then and then[0])

    def _of(self, moment: Moment, layer: int) -> tuple[Precision | None, Precision | None]:
        lengths, bits = self.lengths, self.weight_bits
        for rule in self.rules:
            if rule.holds(moment, layer):
                if rule.precision is not None:
                    lengths = None if rule.precision == "fp16" else rule.precision
                bits = rule.weight_bits or bits
        return lengths, bits

    def widths(self) -> Iterator[tuple[str, int]]:
        """Bits of weights that it speaks of, and where."""
        for number, rule in enumerate(self.rules):
            yield from ((f"rules.{number}.weight_bits", bits) for bits in rule.weight_bits or ())
        yield from (("weight_bits", bits) for bits in self.weight_bits or ())

    def written(self) -> dict[str, Any]:
        """As a model YAML's `precision` holds it, `source` aside."""
        told: dict[str, Any] = {"mantissa_bits": "fp16" if self.lengths is None else list(self.lengths)}
        if self.weight_bits:
            told["weight_bits"] = list(self.weight_bits)
        if self.rules:
            told["rules"] = [rule.model_dump(mode="json", exclude_none=True) for rule in self.rules]
        return told

    def layers(self, moment: Moment, count: int) -> list[range]:
        """Neighbouring layers of one precision at a moment."""
        edges = _edges(rule.layers for rule in self.rules)
        edges |= {edge - 1 for edge in edges}  # outputs that the next layer reads otherwise
        return _stretches(count, edges, lambda layer: self.at(moment, layer, count))

    def steps(self, context: int, count: int, layers: int) -> list[range]:
        """Neighbouring steps of decoding that are alike in all of `layers`; before the first stand `context` tokens."""
        edges = _edges(rule.steps for rule in self.rules)
        edges |= {edge - context for edge in _edges(rule.positions for rule in self.rules)}

        def told(step: int) -> list[tuple[range, LayerPrecision]]:
            moment = Moment("decode", step, context + step)
            return [(own, self.at(moment, own.start, layers)) for own in self.layers(moment, layers)]

        return _stretches(count, edges, told)

    def first_layer_beyond(self, count: int) -> tuple[int, str] | None:
        """The number of a rule about layers that a model of so many does not have, and what it says."""
        for number, rule in enumerate(self.rules):
            for first, last in _parsed(rule.layers) if rule.layers else ():
                if max(first, last or 0) >= count:
                    return number, str(rule.layers)
        return None


def layer_of(name: str) -> int:
    """The number of the layer that a part of a model belongs to; -1 where its name holds none."""
    found = re.search(r"(?:^|\.)(\d+)(?=\.)", name)
    return int(found[1]) if found else -1


def _edges(ranges: Iterable[str | None]) -> set[int]:
    """Where a range begins, or has just ended."""
    parsed = [part for text in ranges if text is not None for part in _parsed(text)]
    return {first for first, _ in parsed} | {last + 1 for _, last in parsed if last is not None}


def _stretches(count: int, edges: set[int], kind: Callable[[int], object]) -> list[range]:
    """0 to `count`, cut at the edges where the kind changes."""
    begins = [0]
    for edge in sorted(edges):
        if 0 < edge < count and kind(edge) != kind(begins[-1]):
            begins.append(edge)
    return [range(begin, end) for begin, end in zip(begins, [*begins[1:], count], strict=True)]
