"""A piece of work in canonical form, with all of the machine that it can see.

Two pieces with one key take the same time with the same counters: equal layers of a model, GeMMs of machines that
differ in costs only, or in buffers that are larger than the piece can fill. A buffer never holds more than the block in
use and the next (sim/units/buffer.py), so what lies beyond is seen by no unit.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from sim.arch.schema import Arch, Hardware, Objective, Schedule
from sim.arch.section import MachineSection
from sim.mapping.attention import AttentionPace, AttentionPlan, make_attention_plan
from sim.mapping.operands import GroupedWeights, Operand
from sim.mapping.pace import Pace
from sim.mapping.plan import Extent, Plan, make_plan
from sim.mapping.split import check_split
from sim.mapping.uses import used
from sim.workload.gemm import FusedAttention, Gemm, Quantisation, VectorWork

AnySection = TypeVar("AnySection", bound=MachineSection)


@dataclass(frozen=True, eq=False)
class Piece:
    """One instance of work on one machine.

    Parameters
    ----------
    work
        Without a name, a module and a count.
    hardware
        Without names and sources; a whole Arch where the schedule is searched for the least energy.
    pace
        What the machine's PEs tell the units; None for other work than GeMMs.
    schedule
        Blocks, or what they are searched for; None for other work than GeMMs.
    name
        What people call it; not part of the key.
    """

    work: Gemm | FusedAttention | VectorWork | Quantisation
    hardware: Hardware
    pace: Pace | AttentionPace | None
    schedule: Schedule | Objective | None
    name: str = field(default="", compare=False)

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that the timing depends on."""
        schedule = self.schedule.model_dump_json() if isinstance(self.schedule, Schedule) else self.schedule
        seen = [repr(self.work), self.hardware.model_dump_json(), repr(self.pace), schedule]
        return hashlib.sha256(json.dumps(seen).encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Piece) and self.key == other.key

    @property
    def size(self) -> int:
        """Operations: the larger, the longer it is likely to take."""
        return self.work.operations if isinstance(self.work, VectorWork | Quantisation) else self.work.macs

    def plan(self) -> Plan:
        """A GeMM cut as its schedule says.

        Raises
        ------
        InputError
            Where it does not fit the machine.
        """
        if (
            not isinstance(self.work, Gemm)
            or not isinstance(self.pace, Pace)
            or not isinstance(self.schedule, Schedule)
        ):
            raise TypeError("only a GeMM whose blocks are known has a plan")
        weights = GroupedWeights(self.work.weights)
        return make_plan(self.hardware, self.work, self.pace.activations, weights, self.schedule, self.pace.passes)

    def attention_plan(self) -> AttentionPlan:
        """An attention cut for the machine.

        Raises
        ------
        InputError
            Where it does not fit the machine.
        """
        if not isinstance(self.work, FusedAttention) or not isinstance(self.pace, AttentionPace):
            raise TypeError("only attention has a plan of attention")
        return make_attention_plan(self.hardware, self.work, self.pace)

    def scheduled(self, schedule: Schedule | None) -> Piece:
        """The same piece with these blocks, on what they use of the machine."""
        hardware = self.hardware if schedule is None else used(self.hardware, schedule)
        return replace(self, schedule=schedule, hardware=hardware)


class Pieces:
    """Makes the pieces of one machine."""

    def __init__(self, arch: Arch) -> None:
        self._arch, self._visible = arch, _visible(arch)

    def of_gemm(self, gemm: Gemm, pace: Pace) -> Piece:
        """The piece of one instance of a GeMM.

        Raises
        ------
        InputError
            Where it does not fit the machine.
        """
        arch, work, name = self._arch, replace(gemm, name="", module="other", count=1), f"{self._arch.name} {gemm.name}"
        if not isinstance(arch.schedule, Schedule):
            seen = _nameless(arch) if arch.schedule in ("best-energy", "best-energy-delay") else self._visible
            return Piece(work, seen, pace, arch.schedule, name)
        schedule = unsourced(arch.schedule)
        check_split(arch, schedule)
        seen = used(arch, schedule)
        plan = Piece(gemm, seen, pace, schedule).plan()  # as the user knows it, for the message where it does not fit
        return Piece(work, _filled(used(self._visible, schedule), plan), pace, schedule, name)

    def whole(self, piece: Piece) -> Piece:
        """A piece on all of the machine, whose buffers it shares with others."""
        return replace(piece, hardware=self._visible)

    def of_attention(self, attention: FusedAttention, pace: AttentionPace) -> Piece:
        """The piece of one instance of attention.

        Raises
        ------
        InputError
            Where it does not fit the machine.
        """
        arch, work = self._arch, replace(attention, name="", count=1)
        Piece(attention, arch, pace, None).attention_plan()  # as the user knows it, for the message
        return Piece(work, self._visible, pace, None, f"{arch.name} {attention.name}")

    def of_vector_work(self, work: VectorWork | Quantisation) -> Piece:
        """The piece of one instance of vector work, or of tokens to quantise."""
        name = f"{self._arch.name} {work.name or 'vector work'}"
        return Piece(replace(work, name="", module="other", count=1), self._visible, None, None, name)


def unsourced(section: AnySection) -> AnySection:
    """A section, and those in it, without the texts that nothing computes with."""
    inner = {name: getattr(section, name) for name in type(section).model_fields}
    changed = {name: unsourced(value) for name, value in inner.items() if isinstance(value, MachineSection)}
    return section.model_copy(update={**changed, "source": ""})


def _nameless(arch: Arch) -> Arch:
    bare = unsourced(arch).model_copy(update={"name": ""})
    bare._source = None
    return bare


def _visible(arch: Arch) -> Hardware:
    """What units can see; the PE stands in the pace."""
    bare = unsourced(arch)
    sections = {name: getattr(bare, name) for name in Hardware.model_fields}
    of_the_pe = dict.fromkeys(("lanes", "mantissa_bits", "activation_bits"))
    sections["mxu"] = bare.mxu.model_copy(update={"pe": "", **of_the_pe})
    return Hardware.model_construct(None, **sections)


def _filled(hardware: Hardware, plan: Plan) -> Hardware:
    """The machine with its buffers cut down to what the plan can fill; the number of banks is a matter of cost."""
    activation, weight = hardware.buffers.activation, hardware.buffers.weight
    data, side = _most(plan, plan.activations, plan.tokens, plan.activations_resident, activation.double_buffered)
    weights, _ = _most(plan, plan.weights, plan.outputs, plan.weights_resident, weight.double_buffered)
    cut = {"bytes": min(activation.bytes, data), "exponent_bytes": min(activation.exponent_bytes, side), "banks": 1}
    buffers = {
        "activation": activation.model_copy(update=cut),
        "weight": weight.model_copy(update={"bytes": min(weight.bytes, weights), "banks": 1}),
    }
    return hardware.model_copy(update={"buffers": hardware.buffers.model_copy(update=buffers)})


def _most(plan: Plan, operand: Operand, extent: Extent, resident: bool, double_buffered: bool) -> tuple[int, int]:
    """Bytes of the largest block, or tile where tiles are streamed, once or twice: in the buffer, and beside it."""
    lanes = min(extent.tile, extent.size)
    tiles = extent.tiles(min(extent.block, extent.size)) if resident else 1
    blocks = (2 if double_buffered else 1) * tiles
    chunks = [plan.chunk(index) for index in range(plan.chunks)]
    data = sum(operand.data_bytes(lanes, *chunk) for chunk in chunks)
    return blocks * data, blocks * sum(operand.side_bytes(lanes, *chunk) for chunk in chunks)
