"""A sweep file, by path or shipped name, to a validated sweep and the place of each of its keys."""

from __future__ import annotations

from collections.abc import Iterable

from sim import shipped, source
from sim.errors import InputError
from sim.source import Source
from sim.sweep.schema import ONLY_IN, Sweep

FOLDER = "arch_configs/sweeps"


def load_sweep(name: str, overrides: Iterable[str] = ()) -> tuple[Sweep, Source]:
    """Read a sweep file.

    Parameters
    ----------
    name
        Path of a YAML file, or the name of a shipped one.
    overrides
        Assignments such as `mode=random`, laid over the file.

    Raises
    ------
    InputError
        With file, line, key, what was found and what is allowed.
    """
    described = source.with_overrides(source.load(shipped.find(name, FOLDER), FOLDER), overrides)
    sweep = source.validate(Sweep, described)
    for key, modes in ONLY_IN.items():
        if key in sweep.model_fields_set and sweep.mode not in modes:
            allowed = f"with mode {' or '.join(sorted(modes))}"
            raise InputError(
                f"mode `{sweep.mode}` does not take it",
                place=described.place((key,)),
                field=key,
                facts={"allowed": allowed},
            )
    if sweep.mode != "grid" and sweep.points is None:
        raise InputError(f"mode `{sweep.mode}` needs it", place=described.place(("mode",)), field="points")
    return sweep, described
