"""The kinds of units there are, found by file, as data flows through them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from sim.units.unit import Unit


@cache
def unit_kinds() -> tuple[type[Unit], ...]:
    """Every unit class of this package, upstream first."""
    package = importlib.import_module("sim.units")
    found: list[type[Unit]] = []
    for module in pkgutil.iter_modules(package.__path__, "sim.units."):
        for item in vars(importlib.import_module(module.name)).values():
            if (
                isinstance(item, type)
                and issubclass(item, Unit)
                and item.__module__ == module.name
                and item is not Unit
            ):
                found.append(item)
    return tuple(sorted(found, key=lambda unit: unit.flow))


@cache
def unit_of() -> dict[str, type[Unit]]:
    """The class of every unit by its name, upstream first."""
    return {name: unit for unit in unit_kinds() for name in unit.names}


def unit_label(name: str) -> str:
    """A unit as people write it."""
    unit = unit_of().get(name)
    return (unit.label if unit else "") or name.replace("_", " ")
