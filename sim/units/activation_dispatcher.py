"""Activation dispatcher: streams one word a row to all rows of the MXU, at the MXU's pace.

A word is what a PE takes a cycle: a sign row or mantissa plane of a group (Anda), or `lanes` FP16 values. Exponents
go through a port of their own with the first word of a group. For r rows

    e   = ceil(r * word_bits / port_bits)                    cycles a word
    e_0 = max(e, ceil(r * exponent_bits / exponent_port))    cycles for the first word of a group

and the group's P = e_0 + (words - 1) * e cycles. MXUs with other rows, or other groups of K, have ports of their own:
`streams` of them, and r is that of the fullest. Scales of tokens come once a tile, on wires of their own.

RTL: sim/rtl/modules/activation_dispatcher.sv; timing diagram and checks: docs/microarchitecture.md
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from sim.arch.schema import ActivationDispatcherConfig, Arch
from sim.cost.scaling import port, registers, selection
from sim.cost.terms import CostTerms
from sim.engine.activity import State
from sim.engine.channel import Channel
from sim.formats.widths import EXPONENT_BITS
from sim.mapping.nest import TileOp
from sim.mapping.operands import ceil_div
from sim.units.buffer import activation_memory, exponent_memory
from sim.units.unit import Bench, Loss, Steps, Unit


class Word(NamedTuple):
    """A word of every row of a tile: of all MXUs that split them, of the fullest, and for how many that split K."""

    rows: int
    fullest: int
    parts: int = 1
    opens_group: bool = False
    opens_tile: bool = False


class ActivationDispatcher(Unit):
    """Reads the activation buffer. At the tile grain the MXU books its time and no process runs."""

    names = ("activation_dispatcher",)
    flow = 41
    components = MappingProxyType({"streams": "compute"})
    losses = MappingProxyType(
        {
            "activation_port": Loss(
                "activation port", "words that take the port more than a cycle",
                "activation_dispatcher.port_bits", "more activation_dispatcher.port_bits",
            ),
            "exponent_port": Loss(
                "exponent port", "exponents that take their port longer than a word does",
                "activation_dispatcher.exponent_port_bits", "more activation_dispatcher.exponent_port_bits",
            ),
        }
    )  # fmt: skip

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """Reads of the buffers, and registers of its ports at every MXU; a bit costs the same through any port."""
        config, described = arch.activation_dispatcher, arch.cost.pe.describes
        prices = {"activation_dispatcher.read_bits": activation_memory(arch).read_picojoules_per_bit}
        if arch.mxu.activation_bits is not None:
            prices["activation_dispatcher.scale_read_bits"] = prices["activation_dispatcher.read_bits"]
        exponents = exponent_memory(arch)
        if exponents is not None:
            prices["activation_dispatcher.exponent_read_bits"] = exponents.read_picojoules_per_bit
        bits = config.port_bits + (config.exponent_port_bits or 0)
        added = port(arch, bits, described.activation_port_bits + described.exponent_port_bits)
        terms = (
            CostTerms("activation_buffer", prices),
            CostTerms("mxu", {}, added.milliwatts, added.square_millimetres),
        )
        return terms if config.streams == 1 else (*terms, *_selection(arch, bits))

    def __init__(
        self, bench: Bench, config: ActivationDispatcherConfig, word_bits: int, token_scale_bits: int = 0
    ) -> None:
        super().__init__(bench, "activation_dispatcher")
        self.config, self.word_bits, self.token_scale_bits = config, word_bits, token_scale_bits
        self.requests: Channel[Word] = Channel(bench.environment)
        self.done: Channel[None] = Channel(bench.environment)
        self.bits_left = self.exponent_bits_left = 0
        self.beats = self.read_bits = self.exponent_read_bits = self.scale_read_bits = 0

    def run(self) -> Steps:
        while True:
            while not self.requests.items:
                yield self.activity.rest(self.requests.filled())
            self._open(self.requests.pop())
            while self.bits_left > 0 or self.exponent_bits_left > 0:
                yield self.activity.work(1)
                self.beats += 1
                self.bits_left -= self.config.port_bits
                self.exponent_bits_left -= self.config.exponent_port_bits or 0
            self.done.put(None)

    def _open(self, word: Word) -> None:
        self.bits_left = word.fullest * self.word_bits
        exponents = word.opens_group and self.config.exponent_port_bits is not None
        self.exponent_bits_left = word.fullest * EXPONENT_BITS if exponents else 0
        self.read_bits += word.parts * word.rows * self.word_bits
        self.exponent_read_bits += word.parts * word.rows * EXPONENT_BITS if exponents else 0
        if word.opens_tile:
            self.scale_read_bits += word.rows * self.token_scale_bits

    def start(self) -> None:
        if self.bench.grain == "beat":
            super().start()

    def group_cycles(self, rows: int, words: int) -> int:
        """P of the equation above."""
        word = first = ceil_div(rows * self.word_bits, self.config.port_bits)
        if self.config.exponent_port_bits is not None:
            first = max(word, ceil_div(rows * EXPONENT_BITS, self.config.exponent_port_bits))
        return first + (words - 1) * word

    def book(self, op: TileOp, group_cycles: int, waiting_cycles: int) -> None:
        """Tile grain: what the MXU's operation has this unit do, and the cycles between groups it rests."""
        beats = op.tiles * op.groups * group_cycles
        work = op.tiles * op.work
        self.activity.book((State.BUSY, beats), (State.IDLE, waiting_cycles))
        self.beats += beats
        self.read_bits += work * op.stream.words * op.rows * self.word_bits
        if self.config.exponent_port_bits is not None:
            self.exponent_read_bits += work * op.rows * EXPONENT_BITS
        if op.opens_tile:
            self.scale_read_bits += op.rows * self.token_scale_bits

    def counters(self) -> dict[str, int]:
        counted = {
            "activation_dispatcher.beats": self.beats,
            "activation_dispatcher.read_bits": self.read_bits,
            "activation_dispatcher.exponent_read_bits": self.exponent_read_bits,
        }
        if self.token_scale_bits:
            counted["activation_dispatcher.scale_read_bits"] = self.scale_read_bits
        return counted


def _selection(arch: Arch, bits: int) -> tuple[CostTerms, ...]:
    """At every MXU one of the streams, and weights of its own or those of a neighbour; registers of the streams' ports.

    The energy is that of all ports busy, shared by the PEs at work. The banks that the streams are read from are priced
    as banks.
    """
    mxu, streams = arch.mxu, arch.activation_dispatcher.streams
    one_of = selection(arch, bits, streams)
    own_or = selection(arch, arch.weight_dispatcher.port_bits, 2)
    held = registers(arch, (streams - 1) * bits)
    return (
        CostTerms(
            "streams",
            {"mxu.pe_cycles": (one_of.picojoules + own_or.picojoules) / (mxu.rows * mxu.columns)},
            held.milliwatts,
            held.square_millimetres + mxu.count * (one_of.square_millimetres + own_or.square_millimetres),
        ),
    )
