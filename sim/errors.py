"""The one kind of error that reaches a user, and the one place that renders it.

    arch_configs/mine.yaml:14: bpc.lane: unknown key; did you mean `lanes`?
      allowed    lanes, port_bits

Raise :class:`InputError` for anything a user can cause and mend. Everything else is a defect and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LONGEST = 1000
"""Characters of a part of a message, however long what it quotes may be."""


@dataclass(frozen=True)
class Place:
    """Where an input stands: a file (or `--set`) and, where there is one, its line, counted from 1."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class InputError(Exception):
    """Input that cannot be used: where it stands, which field, what is wrong, what would be right.

    Parameters
    ----------
    problem
        One clause: what was found and why it is refused.
    place, field
        The file and line, and the dotted key, as far as they are known.
    nearest
        The known name closest to what was written.
    facts
        Labelled lines under the message, such as `needed`, `available`, `allowed`.
    """

    def __init__(
        self,
        problem: str,
        *,
        place: Place | None = None,
        field: str | None = None,
        nearest: str | None = None,
        facts: Mapping[str, object] | None = None,
    ) -> None:
        self.problem, self.place, self.field, self.nearest = problem, place, field, nearest
        self.facts = dict(facts or {})
        super().__init__(self.render())

    def at(self, place: Place) -> InputError:
        """The same error, with the place that only a caller knows."""
        return InputError(self.problem, place=place, field=self.field, nearest=self.nearest, facts=self.facts)

    def render(self) -> str:
        parts = [shortened(str(part), LONGEST) for part in (self.place, self.field, self.problem) if part]
        head = ": ".join(parts)
        if self.nearest:
            head += f"; did you mean `{self.nearest}`?"
        return "\n".join(
            [head, *(f"  {label:<10} {shortened(str(value), LONGEST)}" for label, value in self.facts.items())]
        )


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None where none is alike."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def shortened(text: str, most: int = 80) -> str:
    """A text for a message: what is longer is cut, and its length told."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"
