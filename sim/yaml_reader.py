"""YAML text to plain data and the place of every key, within limits that no description of a machine comes near.

The events of the text are counted before it is composed, since libyaml composes by recursion; aliases are counted as
what they stand for. Keys are single values; whole numbers have at most 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from sim.errors import InputError, Place, shortened
from sim.reading import DEEPEST, LARGEST_BITS, MOST_VALUES

Path_ = tuple[str | int, ...]
LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, several times faster, where PyYAML was built with it."""
OPENING, CLOSING = (yaml.SequenceStartEvent, yaml.MappingStartEvent), (yaml.SequenceEndEvent, yaml.MappingEndEvent)
Placer = Callable[[Any], Place]
"""Takes a mark of PyYAML's or libyaml's, or None."""


def parse(text: str, place: Placer) -> tuple[Any, dict[Path_, Place]]:
    """Read a YAML text.

    Parameters
    ----------
    place
        Gives the place of a mark in the text, or of the text as a whole.

    Raises
    ------
    InputError
        For text that is not YAML, a key written twice, and what goes beyond the limits.
    """
    try:
        _measure(text, place)
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        problem = shortened(f"not YAML: {error.problem}")
        raise InputError(problem, place=place(error.problem_mark or error.context_mark)) from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise InputError(shortened(f"not YAML: {error}"), place=place(None)) from None
    builder = _Builder(place)
    values = None if node is None else builder.build(node, ())
    return values, builder.places


def _measure(text: str, place: Placer) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=LOADER)):
        depth += isinstance(event, OPENING) - isinstance(event, CLOSING)
        if depth > DEEPEST or count > MOST_VALUES:
            _check(depth, count, place(event.start_mark))


def _check(depth: int, count: int, place: Place) -> None:
    if depth > DEEPEST:
        raise InputError(f"more than {DEEPEST} levels of lists and sections", place=place)
    if count > MOST_VALUES:
        raise InputError(f"more than {MOST_VALUES:,} values", place=place)


class _Builder:
    """Nodes to data; remembers where each key stands."""

    def __init__(self, place: Placer) -> None:
        self.places: dict[Path_, Place] = {}
        self._place = place
        self._count = 0

    def build(self, node: yaml.Node, path: Path_) -> Any:
        here = self._place(node.start_mark)
        self._count += 1
        _check(len(path), self._count, here)
        if path:
            self.places.setdefault(path, here)
        if isinstance(node, yaml.MappingNode):
            return self._section(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _section(self, node: yaml.MappingNode, path: Path_) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            here = self._place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError("a list or a section cannot be a key", place=here)
            key = self._scalar(key_node)
            if key in result:
                raise InputError("written twice", place=here, field=shortened(".".join(map(str, (*path, key)))))
            self.places[(*path, key)] = here
            result[key] = self.build(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.Node) -> Any:
        here = self._place(node.start_mark)
        try:
            value = yaml.constructor.SafeConstructor().construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError):  # of `!!tag text`
            raise InputError(f"cannot be read: {shortened(node.value)!r}", place=here) from None
        if isinstance(value, int) and value.bit_length() > LARGEST_BITS:
            raise InputError(f"a whole number of more than {LARGEST_BITS} bits: {shortened(node.value)}", place=here)
        return value
