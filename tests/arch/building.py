"""Load, build and price a machine, or catch the one error of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.errors import InputError
from sim.machine.costs import area_square_millimetres
from sim.machine.machine import Machine

Write = Callable[..., str]


def build(file: str, *overrides: str) -> Arch:
    arch = load_arch(file, overrides)
    Machine(arch)
    area_square_millimetres(arch)
    return arch


def refusal(file: str, *overrides: str) -> InputError:
    """The error of a machine that cannot be built."""
    with pytest.raises(InputError) as caught:
        build(file, *overrides)
    return caught.value
