"""The space of a sweep: every point has a number, its levels in mixed radix, the first axis slowest.

number -> levels -> overrides (plain axes, then ratios) -> machine and workload -> key
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from sim.arch.load import arch_of, check_arch
from sim.arch.schema import Arch
from sim.errors import InputError, Place, nearest_name
from sim.machine.costs import area_square_millimetres
from sim.runs.identity import identity
from sim.source import Source
from sim.sweep.axes import Axis, Overrides, axes_of
from sim.sweep.bases import Config, arch_values, assignments, file_beside, load_work, unsourced
from sim.sweep.formulas import Formulas, at, keys_of
from sim.sweep.schema import Sweep
from sim.workload.gemm import Workload
from sim.yaml_reader import Path_


@dataclass(frozen=True)
class ResolvedPoint:
    """A point resolved.

    Parameters
    ----------
    number
        In the space.
    key
        Names its result: a hash of the complete config and the code.
    overrides
        What distinguishes it from its bases.
    config
        Complete, without the texts of `source`.
    arch, workload
        None where the config is refused.
    refusal
        Why it is.
    """

    number: int
    key: str
    overrides: Overrides
    config: Config
    arch: Arch | None
    workload: Workload | None
    refusal: str | None = None


class Space:
    """All points of a sweep.

    Attributes
    ----------
    bases
        A hash of what each base says, by what it is called in messages.
    identity
        Names the sweep: a hash of all that decides its points.
    file
        That describes it.

    Raises
    ------
    InputError
        For bases that cannot be read, and for axes and expressions that do not fit them.
    """

    def __init__(self, sweep: Sweep, described: Source) -> None:
        self.sweep, self._source, self.file = sweep, described, described.file
        self.axes: Sequence[Axis] = axes_of(sweep, described)
        self._archs = [arch_values(name, described.file) for name in sweep.archs]
        self._files = [file_beside(name, described.file) for name in sweep.workloads]
        self._works = [load_work(file, ()).resolved for file in self._files]
        self.keys = sorted(
            {key for values in self._archs for key in keys_of(unsourced(values), "arch.")}
            | {key for values in self._works for key in keys_of(unsourced(values), "workload.")}
            | {key for axis in self.axes for key in axis.keys}
        )
        self.formulas = Formulas(sweep, self.keys, described)
        self.size = math.prod(len(axis.levels) for axis in self.axes)
        self._check()
        machines = zip(sweep.archs, self._archs, strict=True)
        works = zip(sweep.workloads, self._works, strict=True)
        self.bases = {f"machine {name}": identity(unsourced(values)) for name, values in machines}
        self.bases |= {f"workload {name}": identity(unsourced(values)) for name, values in works}
        told = sweep.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"description"})
        self.identity = identity("sweep", told, self.bases)

    def levels(self, number: int) -> list[int]:
        """Index of the level on every axis."""
        return levels_of(self.axes, number)

    def number(self, levels: Sequence[int]) -> int:
        number = 0
        for axis, level in zip(self.axes, levels, strict=True):
            number = number * len(axis.levels) + level
        return number

    def design(self, number: int) -> ResolvedPoint:
        """The point of a number; one that its schemas refuse comes with the reason."""
        levels = self.levels(number)
        overrides: Overrides = {}
        try:
            overrides = self._overrides(levels)
            arch = arch_of(Source(self._laid(levels[0], overrides), {}, ""))
            workload = load_work(self._files[levels[1]], assignments(overrides))
        except InputError as error:
            bases = [axis.levels[level] for axis, level in zip(self.axes[:2], levels, strict=False)]
            refused = {"bases": bases, "levels": levels, "overrides": overrides}
            return ResolvedPoint(number, identity(refused), overrides, refused, None, None, reason(error))
        config = {"arch": unsourced(arch.model_dump(mode="json")), "workload": unsourced(workload.resolved)}
        return ResolvedPoint(number, identity(config), overrides, config, arch, workload)

    def allowed(self, design: ResolvedPoint) -> bool:
        """Whether the constraints that need no simulation hold.

        Raises
        ------
        InputError
            Where one has no value, such as the area of a buffer outside the SRAM table.
        """
        arch = design.arch
        if arch is None:
            return True
        look = self.formulas.lookup(partial(at, design.config), partial(_area, arch))
        return all(constraint(look) for constraint in self.formulas.before)

    def _overrides(self, levels: Sequence[int]) -> Overrides:
        overrides: Overrides = {}
        chosen = list(zip(self.axes, levels, strict=True))
        for axis, level in chosen:
            if not axis.ratio:
                overrides |= axis.settings(level)
        for axis, level in chosen:
            if axis.ratio:
                of = self._value(axis.of or axis.keys[0], levels, overrides)
                overrides[axis.keys[0]] = _multiple(axis, axis.levels[level], of)
        return overrides

    def _value(self, key: str, levels: Sequence[int], overrides: Overrides) -> Any:
        """The value of a key under overrides, expressions evaluated."""
        value = overrides[key] if key in overrides else at(self._base(levels), key)
        if not isinstance(value, str):
            return value
        arch = arch_of(Source(self._laid(levels[0], overrides), {}, ""))
        return at({"arch": arch.model_dump(mode="json")} | {"workload": self._works[levels[1]]}, key)

    def _base(self, levels: Sequence[int]) -> Config:
        return {"arch": self._archs[levels[0]], "workload": self._works[levels[1]]}

    def _laid(self, base: int, overrides: Overrides) -> Config:
        values = self._archs[base]
        for key, value in overrides.items():
            side, *path = key.split(".")
            if side == "arch":
                values = _with(values, path, value, key)
        return values

    def _check(self) -> None:
        """Lay every written level, and the ends of the others, over every base, the other axes at their first level."""
        first: Overrides = {}
        for axis in self.axes:
            first |= {} if axis.ratio else axis.settings(0)
        for axis in self.axes[2:]:
            if axis.of is not None and axis.of not in self.keys:
                raise self._refused(axis, f"of: `{axis.of}` is no key of the bases")
            whole = isinstance(axis.levels, list)
            for level in range(len(axis.levels)) if whole else {0, len(axis.levels) - 1}:
                for base in range(len(self._archs)):
                    for work in range(len(self._works)):
                        self._check_level(first, axis, level, base, work)
        names = [axis.name for axis in self.axes]
        for index, name in enumerate(self.sweep.front_per or ()):
            if name not in names:
                place, nearest = self._source.place(("front_per", index)), nearest_name(name, names)
                raise InputError(f"no axis `{name}`", place=place, field="front_per", nearest=nearest)

    def _check_level(self, first: Overrides, axis: Axis, level: int, base: int, work: int) -> None:
        try:
            if axis.ratio:
                value = _multiple(axis, axis.levels[level], self._value(axis.of or axis.keys[0], (base, work), first))
                overrides = first | {axis.keys[0]: value}
            else:
                overrides = first | axis.settings(level)
            laid = self._laid(base, overrides)
        except InputError as error:
            raise self._refused(self._owner(error.field, axis), error.problem) from None
        places = {path: place for one in self.axes for path, place in self._places(one).items()}
        check_arch(Source(laid, places, self._source.file))
        try:
            load_work(self._files[work], assignments(overrides))
        except InputError as error:
            field = f"workload.{error.field}" if error.field else f"axes.{axis.name}"
            place = self._source.place(("axes", self._owner(field, axis).name))
            nearest, facts = error.nearest, error.facts
            raise InputError(error.problem, place=place, field=field, nearest=nearest, facts=facts) from None

    def _owner(self, key: str | None, axis: Axis) -> Axis:
        """The axis that sets a key, or the one at hand."""
        return next((one for one in self.axes if key in one.keys), axis)

    def _places(self, axis: Axis) -> dict[Path_, Place]:
        return _places(axis.keys, self._source.place(("axes", axis.name)))

    def _refused(self, axis: Axis, problem: str) -> InputError:
        return InputError(problem, place=self._source.place(("axes", axis.name)), field=f"axes.{axis.name}")


def levels_of(axes: Sequence[Axis], number: int) -> list[int]:
    """Index of the level of a point on every axis."""
    levels = []
    for axis in reversed(axes):
        number, level = divmod(number, len(axis.levels))
        levels.append(level)
    return levels[::-1]


def reason(error: InputError) -> str:
    """What is wrong, without the place where it was written: points are shared between files."""
    return InputError(error.problem, field=error.field, nearest=error.nearest, facts=error.facts).render()


def _with(values: Mapping[str, Any] | None, path: Sequence[str], value: Any, key: str) -> Config:
    """Nested sections with one value replaced; what is not on the path is shared."""
    head, *rest = path
    inner = (values or {}).get(head)
    if rest and not isinstance(inner, Mapping | None):
        raise InputError(f"`{head}` is a single value, not a section", field=key)
    return {**(values or {}), head: _with(inner, rest, value, key) if rest else value}


def _places(keys: Sequence[str], place: Place) -> dict[Path_, Place]:
    """One place for keys of a machine and the sections above them."""
    paths = [key.split(".")[1:] for key in keys]
    return {tuple(path[:length]): place for path in paths for length in range(1, len(path) + 1)}


def _multiple(axis: Axis, ratio: float, of: Any) -> int | float:
    if isinstance(of, bool) or not isinstance(of, int | float):
        raise InputError(f"a ratio of {of!r}, which is no number", field=axis.keys[0])
    product = Fraction(str(ratio)) * Fraction(str(of))
    if isinstance(of, int) and product.denominator != 1:
        raise InputError(f"{ratio:g} x {of} is no whole number", field=axis.keys[0])
    return int(product) if isinstance(of, int) else float(product)


def _area(arch: Arch, quantity: str) -> float:
    """The one result that is known before anything is simulated."""
    return sum(area_square_millimetres(arch).values())
