"""A DRAM that serves one request at a time: a fixed number of cycles, then so many bytes a cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

from sim.arch import dram
from sim.arch.section import Count, NotNegativeCount
from sim.mapping.operands import ceil_div
from sim.units.dram import Dram, DramModel, Port
from sim.units.unit import Bench


class Keys(dram.DramConfig):
    bytes_per_cycle: Count
    cycles: NotNegativeCount
    """Of a request, before its bytes."""


class ToyLine(DramModel):
    kind = "toy_line"
    summary = "one request at a time, a toy"
    section = Keys

    @property
    def keys(self) -> Keys:
        assert isinstance(self.hardware.dram, Keys)
        return self.hardware.dram

    @property
    def bytes_per_cycle(self) -> Fraction:
        return Fraction(self.keys.bytes_per_cycle)

    def write_cycles(self, moved: int) -> int:
        return self.keys.cycles + ceil_div(moved, self.keys.bytes_per_cycle)

    read_cycles = write_cycles

    def most_cycles(self, moved: int, reads: int, writes: int) -> int:
        return ceil_div(moved, self.keys.bytes_per_cycle) + (reads + writes) * (self.keys.cycles + 1)

    def unit(self, bench: Bench) -> Line:
        return Line(bench, self)


class Line(Dram):
    def __init__(self, bench: Bench, model: ToyLine) -> None:
        super().__init__(bench, model)
        self.cycles_of = model.write_cycles
        self.asked: list[tuple[Port, int, Callable[[], None]]] = []
        self.under_way: list[tuple[int, Port]] = []
        self.free_at = self.busy = 0

    def read(self, port: Port, size: int, done: Callable[[], None]) -> None:
        if not self.asked:  # all requests of a cycle are known at its end, whatever their order
            self.bench.environment.at_end_of_cycle(self._serve, 0)
        self.asked.append((port, size, done))

    def write(self, size: int, done: Callable[[], None]) -> None:
        self.read(Port.OUTPUTS, size, done)

    def _serve(self, _: object) -> None:
        for port, size, done in sorted(self.asked, key=lambda asked: asked[0]):
            cycles = self.cycles_of(size)
            self.free_at = max(self.free_at, self.bench.now) + cycles
            self.busy += cycles
            self.bytes_moved[port] += size
            self.under_way.append((self.free_at, port))
            self.bench.environment.after(partial(self._leave, done), self.free_at - self.bench.now)
        self.asked.clear()

    def _leave(self, done: Callable[[], None], _: object) -> None:
        self.under_way.pop(0)
        done()

    def relative_state(self) -> tuple[Any, ...]:
        now = self.bench.now
        return (max(self.free_at - now, 0), tuple((at - now, port) for at, port in self.under_way))

    def counters(self) -> dict[str, int]:
        return super().counters() | {"dram.busy_cycles": self.busy}

    def busy_cycles_so_far(self) -> int:
        return self.busy - max(0, self.free_at - self.bench.now)  # what lies ahead is one stretch

    def busy_in(self, counters: Mapping[str, int]) -> int:
        return counters["dram.busy_cycles"]
