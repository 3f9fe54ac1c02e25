"""A machine: its description checked, a GeMM or vector work cut for it, simulated, and held against the laws."""

from __future__ import annotations

from sim.arch.schema import Arch, Schedule
from sim.engine.activity import Recorder
from sim.laws.bounds import Pace, dram_floor, gemm_bounds, gemm_traffic, vector_bounds
from sim.laws.conservation import check_floor, check_tally, require_equal
from sim.laws.expected import gemm_tally
from sim.machine.assembly import Assembly, Options, Run
from sim.mapping.nest import LoadCursor, TileCursor
from sim.mapping.operands import GroupedWeights, RawBytes
from sim.mapping.plan import Plan, make_plan
from sim.mapping.vector_blocks import BlockCursor, cut
from sim.units import processing_element
from sim.units.activation_dispatcher import ActivationDispatcher
from sim.units.bpc import Bpc
from sim.units.buffer import Buffer
from sim.units.collector import Collector, Sink
from sim.units.dram import Port
from sim.units.loader import Loader
from sim.units.mxu import Mxu
from sim.units.processing_element import ProcessingElement
from sim.units.vector import Vector
from sim.units.weight_dispatcher import WeightDispatcher
from sim.workload.gemm import Gemm, VectorWork


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

    def _check(self) -> None:
        arch, encoded = self.arch, self.pe.encoded
        for field, value in (
            ("bpc", arch.bpc),
            ("activation_dispatcher.exponent_port_bits", arch.activation_dispatcher.exponent_port_bits),
        ):
            if (value is not None) != encoded:
                needs = "needs" if encoded else "has no"
                raise arch.refuse(field, f"a machine with PEs of kind {self.pe.kind} {needs} it")
        if (arch.cost.bpc is not None) != encoded:
            raise arch.refuse("cost.bpc", "stands with `bpc`, and only with it")
        if (arch.buffers.activation.exponent_bytes > 0) != encoded:
            problem = f"must be {'above 0' if encoded else '0'} with PEs of kind {self.pe.kind}"
            raise arch.refuse("buffers.activation.exponent_bytes", problem)
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
        if arch.dram.transaction_bytes % arch.dram.burst_bytes:
            raise arch.refuse(
                "dram.transaction_bytes",
                f"found {arch.dram.transaction_bytes}: a transaction moves whole bursts",
                allowed=f"multiples of dram.burst_bytes = {arch.dram.burst_bytes}",
            )
        self._check_ports()
        if isinstance(arch.schedule, Schedule):
            self._check_schedule(arch.schedule)

    def _check_schedule(self, schedule: Schedule) -> None:
        run, group = self.arch.run_width, self.arch.mxu.dot_length
        if schedule.output_block % run:
            raise self.arch.refuse(
                "schedule.output_block",
                f"found {schedule.output_block}: a block holds whole tiles, and whole groups of the next input",
                allowed=f"multiples of {run} = lcm(mxu.dot_length, mxu.columns x mxu.count)",
            )
        if schedule.k_block % group:
            raise self.arch.refuse(
                "schedule.k_block",
                f"found {schedule.k_block}: chunks of K hold whole groups",
                allowed=f"multiples of mxu.dot_length = {group}",
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
        return gemm.weights.bits != 16 or self.pe.multiplies_fp16

    def plan(self, gemm: Gemm, schedule: Schedule) -> Plan:
        """A GeMM cut for this machine."""
        activations = self.pe.activations(gemm.mantissa_bits)
        return make_plan(self.arch, gemm, activations, GroupedWeights(gemm.weights), schedule)

    def pace(self, gemm: Gemm) -> Pace:
        """PE and output format of a GeMM, as the bounds and the units need them."""
        mantissa_bits = gemm.output_mantissa_bits if self.arch.bpc else None
        return Pace(
            words=self.pe.cycles(gemm.mantissa_bits),
            word_bits=self.pe.word_bits,
            output=self.pe.activations(mantissa_bits),
            output_group=self.arch.mxu.dot_length,
            compressed_rows=None if mantissa_bits is None else mantissa_bits + 1,
        )

    def run_gemm(
        self,
        gemm: Gemm,
        options: Options = Options(),
        recorder: Recorder | None = None,
        schedule: Schedule | None = None,
    ) -> Run:
        """Simulate one instance of a GeMM.

        Parameters
        ----------
        schedule
            Blocks to use instead of the machine's; needed where those are to be searched.

        Raises
        ------
        InputError
            Where it does not fit the machine.
        BrokenLawError
            Where the simulation contradicts itself.
        """
        blocks = schedule or self.arch.schedule
        if not isinstance(blocks, Schedule):
            raise TypeError("the schedule of this machine is to be searched; see sim.best_schedule")
        plan, pace = self.plan(gemm, blocks), self.pace(gemm)
        traffic = gemm_traffic(self.arch, plan, pace)
        assembly = Assembly(self.arch, options, recorder)
        assembly.add_writer(pace.output, pace.output_group, traffic.output_blocks)
        self._add_gemm_units(assembly, plan, pace)
        run = assembly.run(gemm_bounds(self.arch, plan, pace), plan)
        check_tally(run.counters, gemm_tally(self.arch, plan, pace))
        check_floor(traffic, dram_floor(self.arch, plan, pace))
        return run

    def _add_gemm_units(self, assembly: Assembly, plan: Plan, pace: Pace) -> None:
        arch, bench, launched, dram = self.arch, assembly.bench, assembly.controller.launched, assembly.dram
        tiles, weight_chunks, activation_chunks = (
            TileCursor(plan),
            LoadCursor(plan, "weights"),
            LoadCursor(plan, "activations"),
        )
        weight_buffer = Buffer(bench, "weight_buffer", arch.buffers.weight)
        activations = ActivationDispatcher(bench, arch.activation_dispatcher, pace.word_bits)
        weights = WeightDispatcher(
            bench,
            tiles,
            weight_buffer,
            port_bits=arch.weight_dispatcher.port_bits,
            mxu_columns=arch.mxu.columns,
            group_bits=plan.group_size * plan.gemm.weights.bits,
            scale_bits=plan.gemm.weights.scale_bits + plan.gemm.weights.zero_point_bits,
            mxu_group_cycles=lambda op: mxu.group_cycles(op),
        )
        mxu = Mxu(
            bench,
            weights,
            activations,
            assembly.activation_buffer,
            words=pace.words,
            output_registers=arch.mxu.output_registers,
            pipeline_cycles=arch.mxu.pipeline_cycles,
        )
        sink: Sink = assembly.writer
        if pace.compressed_rows is not None and arch.bpc is not None:
            sink = bpc = Bpc(
                bench,
                assembly.writer,
                lanes=arch.bpc.lanes * arch.mxu.count,
                group_size=arch.bpc.group_size,
                mantissa_bits=pace.compressed_rows - 1,
            )
            assembly.units.append(bpc)
        port_bits, columns = arch.collector.port_bits, arch.mxu.columns
        assembly.units += [
            Loader(bench, "weight_loader", weight_chunks, launched, Port.WEIGHTS, dram, weight_buffer),
            Loader(
                bench,
                "activation_loader",
                activation_chunks,
                launched,
                Port.ACTIVATIONS,
                dram,
                assembly.activation_buffer,
            ),
            weight_buffer,
            weights,
            activations,
            mxu,
            Collector(bench, mxu.pipeline, mxu.registers, sink, port_bits=port_bits, mxu_columns=columns),
        ]
        assembly.watch(weights, (weight_chunks, activation_chunks))

    def run_vector(self, work: VectorWork, options: Options = Options(), recorder: Recorder | None = None) -> Run:
        """Simulate one instance of vector work."""
        blocks = cut(work, self.arch.buffers.activation.bytes)
        assembly = Assembly(self.arch, options, recorder)
        bench, buffer, launched = assembly.bench, assembly.activation_buffer, assembly.controller.launched
        writer = assembly.add_writer(RawBytes(), 1, sum(count for block, count in blocks.kinds if block.write_bytes))
        vector = Vector(bench, launched, BlockCursor(blocks), buffer, writer, self.arch.vector.fpus)
        assembly.units.append(vector)
        loads = [BlockCursor(blocks)] if blocks.reads else []
        for cursor in loads:
            port = Port.ACTIVATIONS
            assembly.units.append(Loader(bench, "activation_loader", cursor, launched, port, assembly.dram, buffer))
        assembly.watch(vector, loads)
        run = assembly.run(vector_bounds(self.arch, blocks), None)
        require_equal("vector", "operations done = asked for", run.counters["vector.operations"], work.operations)
        filled = run.counters["activation_buffer.filled_bytes"]
        require_equal("activation_buffer", "bytes filled = read", filled, work.read_bytes)
        return run
