"""An arch YAML, by path or shipped name, to a machine's description."""

from __future__ import annotations

from collections.abc import Iterable

from sim import shipped, source
from sim.arch.recorded_cost import with_recorded_cost
from sim.arch.schema import Arch

FOLDER = "arch_configs"


def load_arch(name: str, overrides: Iterable[str] = ()) -> Arch:
    """Read a machine.

    Parameters
    ----------
    name
        Path of a YAML file, or the name of a shipped one.
    overrides
        Assignments such as `mxu.rows=32`, laid over the file.

    Raises
    ------
    InputError
        With file, line, key, what was found and what is allowed.
    """
    described = source.with_overrides(source.load(shipped.find(name, FOLDER), FOLDER), overrides)
    described = with_recorded_cost(described)
    arch = source.validate(Arch, described)
    arch._source = described
    return arch
