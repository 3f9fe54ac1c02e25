"""Axes: the levels that a spread means, and which keys a level sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sim.errors import InputError
from sim.source import Source
from sim.sweep.schema import Range, Spread, Sweep

SIDES = ("arch", "workload")
Overrides = dict[str, Any]
"""Value by key, `arch.` or `workload.` in front."""


@dataclass(frozen=True)
class Axis:
    """One dimension of the space.

    Parameters
    ----------
    name
        As the sweep file writes it; `arch` and `workload` for the bases.
    keys
        What a level sets; none for the bases.
    levels
        The values; with several keys, a list each.
    ratio
        Whether levels are multiples of the value of `of`, or of the base's where that is None.
    """

    name: str
    keys: tuple[str, ...]
    levels: Sequence[Any]
    ratio: bool = False
    of: str | None = None

    def settings(self, index: int) -> Overrides:
        """Values of the keys at a level that is no ratio."""
        if len(self.keys) > 1:
            return dict(zip(self.keys, self.levels[index], strict=True))
        return dict.fromkeys(self.keys, self.levels[index])


def axes_of(sweep: Sweep, source: Source) -> list[Axis]:
    """The axes of a sweep, the bases first.

    Raises
    ------
    InputError
        For an axis without levels, a value written twice, or a key on two axes.
    """
    axes = [Axis("arch", (), sweep.archs), Axis("workload", (), sweep.workloads)]
    owner: dict[str, str] = {}
    for name, spread in sweep.axes.items():
        axis = _Reader(name, spread, source).axis()
        for key in axis.keys:
            if key in owner:
                raise InputError(f"also on axis `{owner[key]}`", place=source.place(("axes", name)), field=key)
            owner[key] = name
        axes.append(axis)
    return axes


class _Reader:
    """One axis of the file."""

    def __init__(self, name: str, spread: Spread, source: Source) -> None:
        self.name, self.spread = name, spread
        self.place = source.place(("axes", name))

    def axis(self) -> Axis:
        keys = tuple(key.strip() for key in self.name.split(","))
        for key in keys:
            check_side(key, self.place, f"axes.{self.name}")
        ways = [way for way in ("values", "range", "powers_of_two", "ratio") if getattr(self.spread, way) is not None]
        if len(ways) != 1:
            found = " and ".join(ways) or "none"
            raise self._refused("takes its values one way", found=found, allowed="values, range, powers_of_two, ratio")
        if self.spread.of is not None and ways != ["ratio"]:
            raise self._refused("`of` stands with `ratio` only")
        levels = self._levels(ways[0])
        if not len(levels):
            raise self._refused("an empty axis")
        if isinstance(levels, list):
            self._check_list(levels, keys)
        if len(keys) > 1 and ways != ["values"]:
            raise self._refused("several keys take a list of values each", allowed="[[1, 2], [2, 4]]")
        return Axis(self.name, keys, levels, ratio=ways == ["ratio"], of=self.spread.of)

    def _levels(self, way: str) -> Sequence[Any]:
        spread = self.spread
        if spread.range is not None:
            return _steps(spread.range)
        if spread.powers_of_two is not None:
            first, last = spread.powers_of_two.first, spread.powers_of_two.last
            return tuple(1 << bit for bit in range((first - 1).bit_length(), last.bit_length()))
        levels: list[Any] = getattr(spread, way)
        return levels

    def _check_list(self, levels: list[Any], keys: tuple[str, ...]) -> None:
        for index, level in enumerate(levels):
            if level in levels[:index]:
                raise self._refused(f"{level!r} written twice")
            if isinstance(level, dict):
                raise self._refused("a section of keys is no value; write its keys as axes")
            if len(keys) > 1 and (not isinstance(level, list) or len(level) != len(keys)):
                raise self._refused(f"expected lists of {len(keys)} values, found {level!r}")

    def _refused(self, problem: str, **facts: object) -> InputError:
        return InputError(problem, place=self.place, field=f"axes.{self.name}", facts=facts)


def check_side(key: str, place: object, field: str) -> None:
    """Refuse a key that is neither the machine's nor the workload's."""
    side, _, rest = key.partition(".")
    if side not in SIDES or not all(rest.split(".")):
        problem = "expected a key of a machine or a workload"
        raise InputError(problem, place=place, field=field, facts={"such as": "arch.mxu.rows, workload.run.batch"})  # type: ignore[arg-type]


def _steps(spread: Range) -> Sequence[Any]:
    first, last, step = (Fraction(str(value)) for value in (spread.first, spread.last, spread.step))
    count = max(0, (last - first) // step + 1)
    if all(isinstance(value, int) for value in (spread.first, spread.step)):
        return range(int(first), int(first + count * step), int(step))
    return _Decimals(first, step, int(count))


@dataclass(frozen=True)
class _Decimals(Sequence[float]):
    """Equal steps of decimal fractions, each rounded once."""

    first: Fraction
    step: Fraction
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self.length:
            raise IndexError(index)
        return float(self.first + index * self.step)
