"""A sweep to look at: its points with derived quantities, constraints, and which of them are on the front."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.source import Source
from sim.sweep.axes import Axis, axes_of
from sim.sweep.formulas import Formulas
from sim.sweep.front import front
from sim.sweep.judge import PointVerdict, judge
from sim.sweep.schema import Sweep
from sim.sweep.space import levels_of
from sim.sweep.stored import Stored, StoredSweeps

PRECISION = "workload.run.precision"
Group = tuple[Any, ...]


@dataclass(frozen=True)
class Point:
    """A stored point, its level on every axis by the axis' name, and the verdict on it."""

    stored: Stored
    levels: dict[str, Any]
    verdict: PointVerdict

    @property
    def objectives(self) -> tuple[float, ...]:
        """Of a point that did not fail."""
        assert self.verdict.objectives is not None
        return self.verdict.objectives

    def command(self) -> str:
        """The command that runs this point again."""
        words = ["python", "sim.py", "run", str(self.levels["arch"]), str(self.levels["workload"])]
        for key, value in self.stored.overrides.items():
            side, _, rest = key.partition(".")
            words += ["--set" if side == "arch" else "--set-workload", f"{rest}={yaml_flow(value)}"]
        return shlex.join(words)


class View:
    """The points of a sweep in a store.

    Attributes
    ----------
    name
        What the store has the sweep under: its name and identity.
    points
        Those that are done, by number.
    groups
        The front of every group of comparable points, by the group's levels on `group_axes`.
    short
        Names of axes, and of the keys that follow them, as short as can be told apart.
    """

    def __init__(self, store: StoredSweeps, name: str) -> None:
        found = store.definition(name)
        self.sweep, self.code, self.name = found.sweep, found.code, found.title
        nowhere = Source({}, {}, f"{store.path}: {name}")
        self.axes = axes_of(self.sweep, nowhere)
        self.formulas = Formulas(self.sweep, found.keys, nowhere)
        self.group_axes = _group_axes(self.sweep, self.axes)
        self.short = short_names([*(axis.name for axis in self.axes), *self._following()])
        wanted = {"arch.name", *self._following(), *self.formulas.read}
        self.points = [self._point(stored) for stored in store.points(name, wanted)]
        self.groups: dict[Group, list[Point]] = {}
        for group, points in self.comparable().items():
            objectives = np.array([point.objectives for point in points], dtype=np.float64)
            self.groups[group] = [points[index] for index in front(objectives)]

    @property
    def varied(self) -> list[Axis]:
        """Axes with more than one level."""
        return [axis for axis in self.axes if len(axis.levels) > 1]

    def comparable(self) -> dict[Group, list[Point]]:
        """The feasible points of every group, equal designs once."""
        groups: dict[Group, dict[str, Point]] = {}
        for point in self.points:
            if point.verdict.feasible:
                groups.setdefault(self.group(point), {}).setdefault(point.stored.key, point)
        return {group: list(points.values()) for group, points in groups.items()}

    def group(self, point: Point) -> Group:
        return tuple(_hashable(point.levels[axis]) for axis in self.group_axes)

    def title(self, group: Group) -> str:
        """A group in words; empty where there is only one."""
        return ", ".join(
            str(value) if name in ("arch", "workload") else f"{self.short[name]} {value}"
            for name, value in zip(self.group_axes, group, strict=True)
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every point as a flat row for a table."""
        on_front = {point.stored.number for points in self.groups.values() for point in points}
        for point in self.points:
            row: dict[str, Any] = {"number": point.stored.number, "key": point.stored.key}
            row |= {name: plain(value) for name, value in point.levels.items()}
            row |= {key: plain(point.stored.values[key]) for key in self._following()}
            row |= {**(point.stored.totals or {}), **point.verdict.derived}
            row |= {
                "broken": "; ".join(point.verdict.broken) or None,
                "failure": point.verdict.failure,
                "on_front": point.stored.number in on_front,
                "seconds_to_simulate": point.stored.seconds,
            }
            yield row

    def _following(self) -> list[str]:
        """Keys whose values no level shows: those of ratios."""
        return [key for axis in self.axes if axis.ratio for key in axis.keys]

    def choices(self, point: Point) -> dict[str, str]:
        """A point's levels on the varied axes, in words: `rows` to `8`."""
        return {self.short[axis.name]: level_words(axis.name, point.levels[axis.name]) for axis in self.varied}

    def choices_in_group(self, point: Point) -> dict[str, str]:
        """Those that points of a group may differ in."""
        shared = {self.short[name] for name in self.group_axes}
        return {name: level for name, level in self.choices(point).items() if name not in shared}

    def consequences(self, point: Point) -> dict[str, str]:
        """The keys that follow the axes, in words."""
        return {self.short[key]: level_words(key, point.stored.values[key]) for key in self._following()}

    def _point(self, stored: Stored) -> Point:
        indices = levels_of(self.axes, stored.number)
        levels = {axis.name: axis.levels[index] for axis, index in zip(self.axes, indices, strict=True)}
        return Point(stored, levels, judge(self.formulas, stored.values.__getitem__, stored.totals, stored.failure))


def _group_axes(sweep: Sweep, axes: list[Axis]) -> list[str]:
    if sweep.front_per is not None:
        return list(sweep.front_per)
    work = [axis.name for axis in axes[2:] if any(key.startswith("workload.") for key in axis.keys)]
    names = ["workload", *(name for name in work if name != PRECISION)]
    return [axis.name for axis in axes if axis.name in names and len(axis.levels) > 1]


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """A level as a cell of a table."""
    return yaml_flow(value) if isinstance(value, list) else value


def yaml_flow(value: Any) -> str:
    """A value as YAML on one line, as `--set` reads it."""
    return value if isinstance(value, str) else json.dumps(value)


def level_words(name: str, value: Any) -> str:
    """The value of a key, or of an axis, for people: sizes in KiB and MiB, all else as YAML."""
    if name.endswith("bytes") and isinstance(value, int) and value and value % 1024 == 0:
        return f"{value >> 20} MiB" if value % (1 << 20) == 0 else f"{value >> 10} KiB"
    return yaml_flow(value)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Every key, or axis of several, by its ending: as short as tells it from the others."""
    endings = dict.fromkeys(names, 1)

    def ending(name: str) -> str:
        return ", ".join(".".join(key.strip().split(".")[-endings[name] :]) for key in name.split(","))

    while True:
        told = {name: ending(name) for name in names}
        shared = [name for name in names if list(told.values()).count(told[name]) > 1 and endings[name] < 9]
        if not shared:
            return told
        endings |= {name: endings[name] + 1 for name in shared}
