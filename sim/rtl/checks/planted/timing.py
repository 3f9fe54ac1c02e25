"""Faults of the simulator's timing: the RTL is as it should be, the units are not."""

from __future__ import annotations

from sim.rtl.checks.planted.fault import fault

EXPONENTS = "MXU 3 x 2, exponents through 13 b"
MXU = "MXU 2 x 2, groups of 64"
THREE_REGISTERS = "MXU and BPC 4 x 4, groups of 16, zero points, 2 lanes, 3 output registers"
ONE_REGISTER = "MXU and BPC 6 x 4, groups of 32, 2 lanes, 1 output register"
WEIGHTS = "weight dispatcher as published"
ACTIVATIONS = "activation dispatcher 4 rows, 128 b and 5 b"
COLLECTOR = "collector 4 x 2, 192 b"
BPC = "BPC 7 x 4, groups of 32, 2 lanes"
QUANTISER = "quantiser INT8, 3 lanes"
ACTIVATION_PORT, WEIGHT_PORT = "units/activation_dispatcher.py", "units/weight_dispatcher.py"
ARRAY, DRAIN, LANES = "units/mxu.py", "units/collector.py", "units/bpc.py"

FAULTS = (
    fault("exponents take 4 bits of their port", EXPONENTS, ACTIVATION_PORT, "rows * EXPONENT_BITS if", "rows * 4 if"),
    fault(
        "exponents and words share a port",
        ACTIVATIONS,
        ACTIVATION_PORT,
        "-= self.config.exponent_port_bits or 0",
        "-= 0 if self.bits_left > 0 else self.config.exponent_port_bits or 0",
    ),
    fault(
        "every word waits for exponents",
        ACTIVATIONS,
        ACTIVATION_PORT,
        "exponents = word.opens_group and self",
        "exponents = self",
    ),
    fault(
        "beats of a weight block are rounded down",
        WEIGHTS,
        WEIGHT_PORT,
        "while self.bits_left > 0:",
        "while self.bits_left >= self.port_bits:",
    ),
    fault(
        "weight blocks are as wide as the MXU",
        WEIGHTS,
        WEIGHT_PORT,
        "self.bits_left = min(self.op.columns, self.mxu_columns)",
        "self.bits_left = self.mxu_columns",
    ),
    fault(
        "the shadow holds two blocks",
        WEIGHTS,
        WEIGHT_PORT,
        "(bench.environment, capacity=1)",
        "(bench.environment, capacity=2)",
    ),
    fault(
        "weights of the next block load after the swap",
        WEIGHTS,
        WEIGHT_PORT,
        "yield self.activity.wait(self.shadow.freed(), State.OUTPUT_SPACE)",
        "yield self.activity.wait(self.shadow.freed(), State.OUTPUT_SPACE)\n"
        "            yield self.activity.sleep(1, State.OUTPUT_SPACE)",
    ),
    fault(
        "an output register is given back when its drain begins",
        ONE_REGISTER,
        DRAIN,
        "            yield from self._drain()\n            self.registers.give()",
        "            self.registers.give()\n            yield from self._drain()",
    ),
    fault(
        "only the tile's columns are drained",
        THREE_REGISTERS,
        DRAIN,
        "tile.stream.fullest(tile.rows) * self.mxu_columns * width",
        "tile.stream.fullest(tile.rows) * (tile.run_columns % self.mxu_columns or self.mxu_columns) * width",
    ),
    fault("every tile waits for room", COLLECTOR, DRAIN, "if self.tile.run_opens:", "if self.tile.rows:"),
    fault(
        "the hand-over to the lanes takes no cycle",
        BPC,
        LANES,
        "            yield self.activity.work(1)\n            self.space.give()",
        "            self.space.give()",
    ),
    fault(
        "passes of the lanes are rounded down",
        BPC,
        LANES,
        "while self.groups_left > 0:",
        "while self.groups_left >= self.lanes:",
    ),
    fault(
        "gather registers are given back after the last row",
        BPC,
        LANES,
        "            self.space.give()\n            yield from self._emit()",
        "            yield from self._emit()\n            self.space.give()",
    ),
    fault(
        "a slot is taken after the last row",
        BPC,
        LANES,
        "                self.writer.space.take()\n            yield self.activity.work(1)\n"
        "            self.space.give()\n            yield from self._emit()",
        "                pass\n            yield self.activity.work(1)\n"
        "            self.space.give()\n            yield from self._emit()\n            self.writer.space.take()",
    ),
    fault(
        "the compressor emits no sign row",
        BPC,
        LANES,
        "self.rows_left = self.block.stream.compressed_rows",
        "self.rows_left = self.block.stream.compressed_rows - 1",
    ),
    fault(
        "an operation waits for activations that it does not take",
        MXU,
        ARRAY,
        "if self.op.takes_activations:",
        "if self.op.opens_tile:",
    ),
    fault(
        "a group takes a word more",
        MXU,
        ARRAY,
        "self.words_left = self.op.stream.words",
        "self.words_left = self.op.stream.words + 1",
    ),
    fault(
        "the pipeline is a cycle longer",
        MXU,
        ARRAY,
        "self.bench.now + self.pipeline_cycles",
        "self.bench.now + self.pipeline_cycles + 1",
    ),
    fault(
        "the quantiser divides a cycle faster",
        QUANTISER,
        "units/quantiser.py",
        'self.left = "division", DIVISION_STEPS',
        'self.left = "division", DIVISION_STEPS - 1',
    ),
    fault(
        "rows beyond the tile are counted as at work",
        "complete GeMMs fp-fp, 4 x 4",
        ARRAY,
        "self.pe_cycles += op.rows * op.columns",
        "self.pe_cycles += -(-op.rows // 4) * 4 * op.columns",
    ),
)
