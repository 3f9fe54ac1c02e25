"""A fault: changes to sources, and the check that is to find it."""

from __future__ import annotations

from dataclasses import dataclass

from sim.rtl.checks.build import Edit


@dataclass(frozen=True)
class Mutation:
    """Changes to SystemVerilog, or to a module of the simulator (`units/mxu.py`), that make one fault.

    Parameters
    ----------
    check
        Name of the check that is to find it.
    equivalent
        Why nothing that works can notice; none where the check has to.
    """

    fault: str
    check: str
    edits: tuple[Edit, ...]
    equivalent: str = ""


def fault(what: str, check: str, file: str, old: str, new: str, equivalent: str = "") -> Mutation:
    """A fault of one change."""
    return Mutation(what, check, (Edit(file, old, new),), equivalent)
