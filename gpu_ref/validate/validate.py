"""Every witness on every part of a trace, and whether all of them agree on every bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpu_ref.validate import rtl, witnesses
from gpu_ref.validate.parts import GemmPart, parts
from gpu_ref.validate.speed import Speed, speed
from gpu_ref.validate.witnesses import KernelRunner, Witness
from sim.arch.load import load_arch
from sim.errors import InputError, Place
from sim.machine.machine import Machine
from sim.workload.precision import resolve
from sim.workload.trace_file import open_trace


@dataclass(frozen=True, eq=False)
class Checked:
    """A part and what its witnesses say; the first witness is the golden model."""

    part: GemmPart
    witnesses: tuple[Witness, ...]
    speed: Speed

    @property
    def asked(self) -> tuple[Witness, ...]:
        """Those that could be."""
        return tuple(one for one in self.witnesses if one.outputs is not None)

    def wrong(self, witness: Witness) -> int:
        """Outputs that differ in any bit from the golden model's."""
        mine, right = witness.outputs, self.witnesses[0].outputs
        if mine is None or right is None:
            raise ValueError(f"{witness.name} was not asked")
        return int(np.count_nonzero(mine.view(np.uint16) != right.view(np.uint16)))

    @property
    def agree(self) -> bool:
        return all(not self.wrong(one) for one in self.asked) and not any(one.differences for one in self.witnesses)


@dataclass(frozen=True)
class ValidationRequest:
    """What is validated, and how much of it; see `parts`."""

    trace: Path
    machine: str = "anda-hpca25"
    precision: str = "8"
    tokens: int = 64
    outputs: int = 1024
    every: bool = False


def validate(
    request: ValidationRequest, runner: KernelRunner, say: Callable[[str], None] = lambda text: None
) -> Iterator[Checked]:
    """Ask all witnesses about the GeMMs of a trace, one after the other.

    Parameters
    ----------
    runner
        Runs the CUDA kernel: on a card, or on the host.
    say
        Told what is being done.

    Raises
    ------
    InputError
        For a damaged trace or one without tensors, and for a machine whose PEs are not Anda's.
    """
    arch = load_arch(request.machine, ())
    machine = Machine(arch)
    if machine.pe.kind != "anda":
        raise arch.refuse("mxu.pe", f"{machine.pe.kind}: only Anda has its RTL, its kernel and its contract in one")
    precision = resolve(request.precision, Place("--precision"))
    if precision is None:
        raise InputError("Anda needs a mantissa length", field="--precision", facts={"allowed": "1 to 16, one or four"})
    for part in parts(open_trace(request.trace), precision, request.tokens, request.outputs, request.every):
        say(f"{part.record.name}: golden model, simulator")
        told = [witnesses.golden(part, arch.mxu.dot_length), witnesses.simulator(part, machine)]
        say(f"{part.record.name}: RTL")
        told.append(rtl.rtl(part, machine))
        say(f"{part.record.name}: CUDA kernel")
        told.append(witnesses.kernel(part, runner, arch.mxu.dot_length))
        yield Checked(part, tuple(told), speed(part, arch, runner))
