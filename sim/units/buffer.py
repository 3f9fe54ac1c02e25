"""An SRAM buffer: chunks from DRAM enter through the fill port, wait until used, and free their bytes when released.

    DRAM --> arrivals --> fill port --> ready --> dispatcher
    loader <---------- space, blocks <----------- released by the consumer

A chunk of b bytes occupies the fill port for

    ceil(8 b / fill_port_bits)  cycles

and is readable afterwards. Space is taken by the loader before it asks DRAM, so data never waits for space. A double
buffer holds chunks of two blocks at most, the one in use and the next; a single one those of one block. Of attention
the weight buffer holds three heads, or row blocks where nothing stays: of one the last values, of one the keys, and the
next.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from sim.arch.schema import Arch, BufferConfig
from sim.cost.memory import Memory, memory
from sim.cost.scaling import registers
from sim.cost.terms import CostTerms
from sim.engine.channel import Channel, Credits
from sim.mapping.attention import HEADS_IN_BUFFER
from sim.mapping.nest import Chunk
from sim.mapping.operands import ceil_div
from sim.units.unit import Bench, Steps, Unit

MEBIBYTE = 2**20


class Buffer(Unit):
    """Fill side and bookkeeping of one buffer.

    Parameters
    ----------
    attention
        Whether it holds heads of keys and values, too.
    """

    names = ("weight_buffer", "activation_buffer")
    flow = 30
    components = MappingProxyType({"weight_buffer": "sram", "activation_buffer": "sram", "leakage": "sram"})

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        """Writes into both buffers and their area; the leakage of both is a component of its own, as is no logic's."""
        return (*_weight_costs(arch), *_activation_costs(arch))

    def __init__(self, bench: Bench, name: str, config: BufferConfig, *, attention: bool = False) -> None:
        super().__init__(bench, name)
        self.config = config
        self.arrivals: Channel[Chunk] = Channel(bench.environment)
        self.ready: Channel[Chunk] = Channel(bench.environment)
        self.for_vector: Channel[Chunk] = Channel(bench.environment)
        self.space = Credits(bench.environment, config.bytes)
        held = 2 if config.double_buffered else 1
        # So many parts that blocks, and heads, take whole ones.
        self._head_parts, self._block_parts = (held, HEADS_IN_BUFFER) if attention else (0, 1)
        self.blocks = Credits(bench.environment, held * self._block_parts)
        self.chunk = Chunk(0, 0)
        self.bits_left = 0
        self.filled_bytes = self.filled_side_bytes = 0
        self.fill_beats = 0
        self._fill = self.beat_fill if bench.grain == "beat" else self.tile_fill

    def run(self) -> Steps:
        while True:
            while not self.arrivals.items:
                yield self.activity.rest(self.arrivals.filled())
            self.chunk = self.arrivals.pop()
            yield from self._fill()
            self.filled_bytes += self.chunk.data_bytes
            self.filled_side_bytes += self.chunk.side_bytes
            (self.for_vector if self.chunk.vector else self.ready).put(self.chunk)

    def parts(self, attention: bool) -> int:
        """Of `blocks`, of a block of a GeMM or of vector work, or of a head of attention."""
        return self._head_parts if attention else self._block_parts

    def beat_fill(self) -> Steps:
        self.bits_left = 8 * self.chunk.data_bytes
        while self.bits_left > 0:
            yield self.activity.work(1)
            self.bits_left -= self.config.fill_port_bits
            self.fill_beats += 1

    def tile_fill(self) -> Steps:
        beats = ceil_div(8 * self.chunk.data_bytes, self.config.fill_port_bits)
        self.fill_beats += beats
        yield self.activity.work(beats)

    def in_hand(self) -> tuple[Any, ...]:
        return (
            self.chunk,
            tuple(self.arrivals.items),
            tuple(self.ready.items),
            tuple(self.for_vector.items),
            self.space.available,
            self.blocks.available,
        )

    def counters(self) -> dict[str, int]:
        return {
            f"{self.name}.filled_bytes": self.filled_bytes,
            f"{self.name}.filled_side_bytes": self.filled_side_bytes,
            f"{self.name}.fill_beats": self.fill_beats,
        }


def weight_memory(arch: Arch, width: int | None = None) -> Memory:
    """The weight buffer as SRAM, as wide as its dispatcher's port where nothing else is said."""
    config = arch.buffers.weight
    return memory(arch, "buffers.weight.bytes", config.bytes, config.banks, width or arch.weight_dispatcher.port_bits)


def activation_memory(arch: Arch, width: int | None = None) -> Memory:
    """The activation buffer as SRAM, without the exponents, likewise."""
    config, width = arch.buffers.activation, width or arch.activation_dispatcher.port_bits
    return memory(arch, "buffers.activation.bytes", config.bytes, config.banks, width)


def exponent_memory(arch: Arch) -> Memory | None:
    """The memory of the shared exponents, on machines that have one; as wide as the ports of all streams."""
    size, width = arch.buffers.activation.exponent_bytes, arch.activation_dispatcher.exponent_port_bits
    if width is None:
        return None
    return memory(arch, "buffers.activation.exponent_bytes", size, 1, width * arch.activation_dispatcher.streams)


def _weight_costs(arch: Arch) -> tuple[CostTerms, ...]:
    config, data = arch.buffers.weight, weight_memory(arch)
    printed = arch.cost.sram.weight_square_millimetres_per_mebibyte
    area = data.area_square_millimetres
    if printed is not None:
        described = weight_memory(arch, arch.cost.pe.describes.weight_port_bits)
        area = printed * config.bytes / MEBIBYTE * _wider(data, described)
    prices = {"weight_buffer.filled_bytes": 8 * data.write_picojoules_per_bit}
    return (
        CostTerms("weight_buffer", prices, area_square_millimetres=area),
        CostTerms("leakage", standing_milliwatts=data.leakage_milliwatts),
        _ports(arch, "weight_buffer", config, arch.weight_dispatcher.port_bits, printed),
    )


def _activation_costs(arch: Arch) -> tuple[CostTerms, ...]:
    config, data, exponents = arch.buffers.activation, activation_memory(arch), exponent_memory(arch)
    printed = arch.cost.sram.activation_square_millimetres_per_mebibyte
    area, leakage = data.area_square_millimetres, data.leakage_milliwatts
    prices = {"activation_buffer.filled_bytes": 8 * data.write_picojoules_per_bit}
    if exponents is not None:
        area += exponents.area_square_millimetres
        leakage += exponents.leakage_milliwatts
        prices["activation_buffer.filled_side_bytes"] = 8 * exponents.write_picojoules_per_bit
    if printed is not None:
        described = activation_memory(arch, arch.cost.pe.describes.activation_port_bits)
        area = printed * (config.bytes + config.exponent_bytes) / MEBIBYTE * _wider(data, described)
    return (
        CostTerms("activation_buffer", prices, area_square_millimetres=area),
        CostTerms("leakage", standing_milliwatts=leakage),
        _ports(arch, "activation_buffer", config, arch.activation_dispatcher.port_bits, printed),
    )


def _wider(data: Memory, described: Memory) -> float:
    """What the table says of the area of macros as wide as the port over that of macros as wide as the described."""
    return data.area_square_millimetres / described.area_square_millimetres


def _ports(arch: Arch, component: str, config: BufferConfig, read_bits: int, printed: float | None) -> CostTerms:
    """Registers of the fill port, beside those that a printed area contains, and of each further bank's read port."""
    contained = arch.cost.sram.printed_fill_port_bits if printed is not None else 0
    added = registers(arch, config.fill_port_bits - contained + (config.banks - 1) * read_bits)
    return CostTerms(component, {}, added.milliwatts, added.square_millimetres)
