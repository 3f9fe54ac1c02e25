"""An arch YAML, by path or shipped name, to a machine's description.

file, `extends`, `--set`  ->  expressions evaluated  ->  recorded costs  ->  validated
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from sim import shipped, source
from sim.arch.recorded_cost import asks_for_record, with_recorded_cost
from sim.arch.resolve import check, resolved
from sim.arch.schema import Arch, MxuConfig
from sim.source import Source

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
    return arch_of(source.with_overrides(source.load(shipped.find(name, FOLDER), FOLDER), overrides))


def arch_of(described: Source) -> Arch:
    """The machine of a description as a user writes it, expressions and all.

    Raises
    ------
    InputError
        As `load_arch`.
    """
    complete = with_recorded_cost(resolved(described, TOLD))
    arch = source.validate(Arch, complete)
    arch._source = complete
    return arch


def check_arch(described: Source) -> None:
    """Refuse a description that other values of its other keys could not mend.

    Raises
    ------
    InputError
        As `load_arch`.
    """
    check(described, TOLD, besides={("cost", "pe")} if asks_for_record(described) else set())


class _Array(BaseModel):
    """The one section that a PE is made from; the others may not be resolved yet."""

    mxu: MxuConfig


def _word_bits(described: Source) -> int:
    """Bits of the word that a row takes a cycle, from the keys of `mxu` alone."""
    from sim.units import processing_element

    arch = Arch.model_construct(mxu=source.validate(_Array, described).mxu)  # type: ignore[call-arg]
    arch._source = described
    return processing_element.make(arch).word_bits


TOLD = {"pe.word_bits": _word_bits}
"""What expressions may name beside the keys."""
