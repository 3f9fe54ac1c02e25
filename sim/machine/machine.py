"""A machine: its description checked, and work put into the form in which it can be run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property

from sim.arch.schema import Arch, Schedule
from sim.engine.activity import Recorder
from sim.laws.words import check_words
from sim.machine.assembly import Run, SimulationOptions
from sim.machine.costs import Costs
from sim.machine.execution import run_piece
from sim.mapping.attention import AttentionPace
from sim.mapping.operands import Fp16Activations, TokenHeads
from sim.mapping.pace import Pace
from sim.mapping.piece import Piece, Pieces
from sim.mapping.program import LayerProgram, LayerStack, Needs, Operation, ProgramStep
from sim.mapping.split import check_split
from sim.units import processing_element
from sim.units.dram import model_of
from sim.units.processing_element import ProcessingElement
from sim.workload.gemm import (
    FP16,
    FusedAttention,
    Gemm,
    Item,
    Quantisation,
    VectorWork,
    as_vector_work,
    products,
)


class Machine:
    """A machine that runs pieces of work, each from an empty pipeline to its last write.

    Raises
    ------
    InputError
        Where parts of the description contradict one another.
    """

    def __init__(self, arch: Arch) -> None:
        self.arch = arch
        self.pe: ProcessingElement = processing_element.make(arch)
        self._check()
        self._made = Pieces(arch)
        self._pieces: dict[Item, Piece] = {}

    @cached_property
    def costs(self) -> Costs:
        """What its units say that they cost."""
        return Costs(self.arch)

    def _check(self) -> None:
        arch, encoded = self.arch, self.pe.encoded
        for field, value in (
            ("bpc", arch.bpc),
            ("activation_dispatcher.exponent_port_bits", arch.activation_dispatcher.exponent_port_bits),
        ):
            if (value is not None) != encoded:
                needs = "needs" if encoded else "has no"
                raise arch.refuse(field, f"a machine with PEs of kind {self.pe.kind} {needs} it")
        if (arch.buffers.activation.exponent_bytes > 0) != encoded:
            problem = f"must be {'above 0' if encoded else '0'} with PEs of kind {self.pe.kind}"
            raise arch.refuse("buffers.activation.exponent_bytes", problem)
        if self.pe.quantised and arch.quantiser is None:
            raise arch.refuse("quantiser", f"a machine with PEs of kind {self.pe.kind} needs it")
        if arch.bpc is not None and arch.bpc.group_size != arch.mxu.dot_length:
            raise arch.refuse(
                "bpc.group_size",
                f"found {arch.bpc.group_size}: the output is the next GeMM's input",
                allowed=f"mxu.dot_length = {arch.mxu.dot_length}",
            )
        for buffer in ("activation", "weight"):
            size, banks = getattr(arch.buffers, buffer).bytes, getattr(arch.buffers, buffer).banks
            if size % banks:
                raise arch.refuse(f"buffers.{buffer}.banks", f"{banks} banks do not divide {size} bytes")
        model_of(arch).check()
        check_words(arch, self.pe)
        self._check_ports()
        if isinstance(arch.schedule, Schedule):
            check_split(arch, arch.schedule)
        streams, banks = arch.activation_dispatcher.streams, arch.buffers.activation.banks
        if streams > banks:
            raise arch.refuse(
                "activation_dispatcher.streams",
                f"found {streams}: each is read from a bank of its own",
                needed=f"buffers.activation.banks of {streams} at least",
                available=f"{banks}",
            )

    def _check_ports(self) -> None:
        arch, row_bits = self.arch, self.pe.word_bits
        port = arch.activation_dispatcher.port_bits
        if port % row_bits and row_bits % port:
            raise arch.refuse(
                "activation_dispatcher.port_bits",
                f"found {port}: rows of {row_bits} bits do not divide the port",
                allowed=f"multiples of {row_bits}",
            )

    def runs_on_mxu(self, gemm: Gemm) -> bool:
        """Whether the MXU can multiply these operands; the vector unit does it otherwise."""
        return gemm.weights != FP16 or self.pe.multiplies_fp16

    def steps(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items as this machine does them.

        Where its PEs take integers, each GeMM of theirs comes after its input's quantisation; beside others a quantiser
        does keys and values, in place of the vector unit.
        """
        for item in items:
            if isinstance(item, VectorWork) and item.quantised and self.arch.quantiser and not self.pe.quantised:
                for one in item.quantised:
                    sizes = (one.tokens, one.values, one.bits)
                    yield Quantisation(item.name, item.module, *sizes, item.count, cached=True)
                continue
            if isinstance(item, Gemm) and self.pe.quantised and self.runs_on_mxu(item):
                bits = self.pe.activation_bits(item.mantissa_bits)
                name = f"{item.name} input"
                yield Quantisation(name, item.module, item.m, item.k, bits, item.count)
            yield item

    def piece(self, item: Item) -> Piece:
        """One instance of an item, as this machine does it.

        Raises
        ------
        InputError
            Where it does not fit the machine, or lacks a mantissa length that the PEs need.
        """
        if item not in self._pieces:
            self._pieces[item] = self._piece(item)
        return self._pieces[item]

    def _piece(self, item: Item) -> Piece:
        if isinstance(item, Gemm) and not self.runs_on_mxu(item):
            item = as_vector_work(item)
        if isinstance(item, Quantisation):
            self._check_quantisation(item)
        if isinstance(item, VectorWork):
            item = replace(item, quantised=())
        if isinstance(item, VectorWork | Quantisation):
            return self._made.of_vector_work(item)
        if isinstance(item, FusedAttention):
            if self.pe.quantised:
                problem = f"PEs of kind {self.pe.kind} do not do {item.name or 'attention'} in one"
                needed = "queries and softmax quantised on the chip"
                raise self.arch.refuse("mxu.pe", problem, needed=needed, allowed="scope fp-int")
            if not self.pe.encoded:
                item = replace(item, query_bits=None, probability_bits=None, output_mantissa_bits=None)
            return self._made.of_attention(item, self._attention_pace(item))
        if not self.pe.encoded:
            item = replace(item, mantissa_bits=None, output_mantissa_bits=None)
        elif item.mantissa_bits is None:
            problem = f"{self.pe.kind} PEs need a mantissa length for {item.name}; give one with --precision"
            raise self.arch.refuse("mxu.pe", problem)
        return self._made.of_gemm(item, self.pace(item))

    def program(
        self, stacks: Iterable[tuple[Iterable[ProgramStep], int]], rounds: int = 1, name: str = ""
    ) -> LayerProgram:
        """Work that follows one another through the units: stacks of equal layers, all of them `rounds` times.

        Raises
        ------
        InputError
            Where one does not fit the machine, or waits for what will not be there; on a machine with integer PEs,
            whose inputs are quantised between GeMMs, and for keys and values that a quantiser takes.
        """
        if self.pe.quantised:
            problem = (
                f"GeMMs on PEs of kind {self.pe.kind} do not follow one another: their inputs are quantised between"
            )
            raise self.arch.refuse("mxu.pe", problem, needed="PEs that take what a GeMM leaves")
        if not isinstance(self.arch.schedule, Schedule):
            problem = f"found {self.arch.schedule}: a program needs blocks"
            raise self.arch.refuse("schedule", problem, allowed="blocks of its own")
        sections = [
            LayerStack(tuple(self._operation(*step, self.arch.schedule.token_block) for step in steps), layers)
            for steps, layers in stacks
        ]
        return LayerProgram(tuple(sections), rounds, name)

    def _operation(self, item: Item, needs: Needs | None, rows: int, rows_a_block: int) -> Operation:
        if isinstance(item, VectorWork) and item.quantised and self.arch.quantiser is not None:
            problem = f"{item.name} in a quantiser does not follow what it reads through the units"
            raise self.arch.refuse(
                "quantiser", problem, needed="a machine whose vector unit does it, such as anda-hpca25"
            )
        piece = self.piece(item)
        if isinstance(piece.work, Gemm):
            return Operation(self._made.whole(piece), item.module, needs, piece.work.m)
        if isinstance(piece.work, FusedAttention):
            return Operation(piece, item.module, needs)
        return Operation(piece, item.module, needs, rows, rows_a_block)

    def _attention_pace(self, attention: FusedAttention) -> AttentionPace:
        scores, context = products(attention)
        if self.pe.encoded and (attention.query_bits is None or attention.probability_bits is None):
            problem = f"{self.pe.kind} PEs need mantissa lengths for the queries and the softmax of {attention.name}"
            raise self.arch.refuse("mxu.pe", problem, needed="run.attention_precision of the workload")
        for product in (scores, context):
            if product.weights == FP16 and not self.pe.multiplies_fp16:
                problem = f"PEs of kind {self.pe.kind} do not multiply the FP16 keys and values of {attention.name}"
                raise self.arch.refuse("mxu.pe", problem, needed="keys and values as integers: --kv int8, int4 or int3")
        return AttentionPace(self.pace(scores), self.pace(context))

    def _check_quantisation(self, work: Quantisation) -> None:
        if not self.pe.quantised and not work.cached:
            raise self.arch.refuse("quantiser", f"{work.name} is to be quantised; PEs of kind {self.pe.kind} take FP16")
        if self.arch.quantiser is None:
            raise self.arch.refuse("quantiser", f"{work.name} is to be quantised, and there is none")
        token, room = Fp16Activations().data_bytes(1, 1, work.values), self.arch.buffers.activation.bytes
        if token > room:
            raise self.arch.refuse(
                "buffers.activation.bytes",
                f"too small for one token of {work.name}",
                needed=f"{token} bytes = {work.values} FP16 values",
                available=f"{room} bytes",
            )

    def pace(self, gemm: Gemm) -> Pace:
        """What the PEs tell the units of a GeMM."""
        if gemm.weights.filled and not self.arch.weight_dispatcher.fills_planes:
            problem = f"{gemm.name} has weights of which only some planes are read: {gemm.weights}"
            needed = "true, which has its area and energy (cost.plane_fill)"
            raise self.arch.refuse("weight_dispatcher.fills_planes", problem, needed=needed)
        mantissa_bits = gemm.output_mantissa_bits if self.pe.encoded else None
        output = self.pe.outputs(mantissa_bits) if gemm.cached is None else TokenHeads(*gemm.cached)
        return Pace(
            words=self.pe.cycles(gemm.mantissa_bits),
            word_bits=self.pe.word_bits,
            activations=self.pe.activations(gemm.mantissa_bits),
            output=output,
            output_group=self.arch.mxu.dot_length,
            compressed_rows=None if mantissa_bits is None else mantissa_bits + 1,
            passes=self.pe.passes(gemm),
            token_scale_bits=self.pe.token_scale_bits,
        )

    def run(
        self, item: Item, options: SimulationOptions = SimulationOptions(), recorder: Recorder | None = None
    ) -> Run:
        """Simulate one instance of an item; see `run_piece`."""
        return run_piece(self.piece(item), options, recorder)
