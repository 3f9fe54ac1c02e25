"""Operands whose block, over all of K, their buffer does not hold: they are loaded anew for every output tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sim.explain.again import machine_of, work_of
from sim.laws.expectation import GemmExpectation, expect
from sim.machine.machine import Machine
from sim.result import Result
from sim.runs.best_schedule import blocks_of
from sim.simulation import items_of
from sim.workload.gemm import Gemm


@dataclass(frozen=True)
class Overflow:
    """An operand of the GeMMs of a module that does not stay in its buffer; bytes of a block, and of the buffer."""

    module: str
    operand: str
    needed_bytes: int
    buffer_bytes: int

    @property
    def key(self) -> str:
        return f"buffers.{'activation' if self.operand == 'activations' else 'weight'}.bytes"


def overflows(result: Result) -> list[Overflow]:
    """The largest of each module and operand.

    Raises
    ------
    InputError
        Where the result holds no model.
    """
    found: dict[tuple[str, str], Overflow] = {}
    for one in _all(result):
        known = found.get((one.module, one.operand))
        if known is None or one.needed_bytes > known.needed_bytes:
            found[one.module, one.operand] = one
    return list(found.values())


def _all(result: Result) -> Iterator[Overflow]:
    machine = Machine(machine_of(result))
    buffers = machine.arch.buffers
    for item in machine.steps(items_of(work_of(result))):
        expected = expect(blocks_of(machine.piece(item))) if isinstance(item, Gemm) else None
        if not isinstance(expected, GemmExpectation):
            continue
        plan = expected.plan
        for operand, resident, of, extent, buffer in (
            ("activations", plan.activations_resident, plan.activations, plan.tokens, buffers.activation),
            ("weights", plan.weights_resident, plan.weights, plan.outputs, buffers.weight),
        ):
            if not resident:
                needed = of.data_bytes(min(extent.block, extent.size), plan.groups, plan.gemm.k)
                yield Overflow(item.module, operand, needed, buffer.bytes)
