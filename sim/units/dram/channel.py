"""One DRAM channel shared by the weight loader, the activation loader and the writer.

    requests[port] --> arbiter --> channel --> (read latency) --> done

The arbiter decides between transactions, at the end of a cycle, when all requests of the cycle are known; ties go to
the lower port. Time on the channel is kept in ticks of 1/num cycle at num/den bytes a cycle, so b bytes take

    b * den  ticks, granted in the cycle the channel frees, done in the first whole cycle after

With a time quantum q ticks are 1/q cycle and a transaction's time is rounded up to whole ticks; what that adds is
counted. An efficiency (efficiency.py) has a transaction take the time of more bytes than it moves. At the beat grain
the channel moves burst by burst, at the tile grain transaction by transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cached_property, partial
from math import ceil
from typing import Annotated, Any

from pydantic import AfterValidator

from sim.arch.dram import ARBITRATION, DramConfig, one_of
from sim.arch.schema import Hardware
from sim.arch.section import Count, NotNegative, Positive
from sim.mapping.operands import ceil_div
from sim.units.dram import PORTS, Dram, DramModel, Port
from sim.units.dram.arbitration import Arbiter
from sim.units.dram.efficiency import ChannelEfficiency, EfficiencyKeys, RecentMix
from sim.units.unit import Bench


class ChannelConfig(DramConfig):
    bandwidth_gigabytes_per_second: Positive
    latency_nanoseconds: NotNegative
    """From the last bit of a read leaving the channel to the buffer having it."""
    burst_bytes: Count
    """Every access moves whole bursts."""
    transaction_bytes: Count
    """What is moved between two decisions of the arbiter."""
    arbitration: Annotated[str, AfterValidator(lambda name: one_of(ARBITRATION, name))]
    """first_come; priority (writes, then activations, then weights); round_robin; or a policy of a plug-in."""
    time_quantum: Count | None = None
    """Parts of a cycle that a transaction's time is rounded up to; null keeps the exact rate, whose fractions seldom
    repeat, so that fast-forward finds no period while the channel never idles."""
    efficiency: EfficiencyKeys = EfficiencyKeys()


class FlatChannel(DramModel):
    """A rate, a latency, and an arbiter between transactions."""

    kind = "channel"
    summary = "one channel: a rate, a latency, whole bursts, an arbiter between transactions"
    section = ChannelConfig

    def __init__(self, hardware: Hardware) -> None:
        super().__init__(hardware)
        assert isinstance(hardware.dram, ChannelConfig)
        self.keys = hardware.dram

    def check(self) -> None:
        transaction, burst = self.keys.transaction_bytes, self.keys.burst_bytes
        if transaction % burst:
            raise self.hardware.refuse(
                "dram.transaction_bytes",
                f"found {transaction}: a transaction moves whole bursts",
                allowed=f"multiples of dram.burst_bytes = {burst}",
            )

    @cached_property
    def bytes_per_cycle(self) -> Fraction:
        """Exact."""
        return Fraction(str(self.keys.bandwidth_gigabytes_per_second)) * 10**9 / self.hardware.clock.hertz

    @cached_property
    def latency_cycles(self) -> int:
        """Rounded up to whole cycles."""
        return ceil(Fraction(str(self.keys.latency_nanoseconds)) * self.hardware.clock.hertz / 10**9)

    @cached_property
    def efficiency(self) -> ChannelEfficiency:
        """By the share of reads."""
        return ChannelEfficiency(self.keys.efficiency)

    @property
    def ticks_per_cycle(self) -> int:
        return self.keys.time_quantum or self.bytes_per_cycle.numerator

    def bus_bytes(self, size: int) -> int:
        return ceil_div(size, self.keys.burst_bytes) * self.keys.burst_bytes

    def read_cycles(self, moved: int) -> int:
        return self.write_cycles(moved) + self.latency_cycles

    def least_cycles(self, moved: int) -> int:
        return ceil(moved / (self.bytes_per_cycle * self.efficiency.best))

    def write_cycles(self, moved: int) -> int:
        rate = self.bytes_per_cycle * self.efficiency.best
        quantum, transaction = self.keys.time_quantum, self.keys.transaction_bytes
        if quantum is None:
            return ceil(moved / rate)
        whole, rest = divmod(moved, transaction)
        ticks = whole * ceil(transaction * quantum / rate) + ceil(rest * quantum / rate)
        return ceil(Fraction(ticks, quantum))

    def most_cycles(self, moved: int, reads: int, writes: int) -> int:
        transactions = reads + writes + moved // self.keys.transaction_bytes
        rounding = ceil(Fraction(transactions, self.keys.time_quantum or 1))
        worst = self.efficiency.worst
        occupied = moved / worst + (transactions if worst < 1 else 0)  # whole bytes each
        return ceil(occupied / self.bytes_per_cycle) + rounding + reads * self.latency_cycles

    def rounding(self, moved: int, counters: Mapping[str, int]) -> float:
        occupied = counters.get("dram.occupied_bytes", moved)
        exact = occupied / self.bytes_per_cycle * self.ticks_per_cycle
        return float(counters.get("dram.busy_ticks", 0) / exact - 1) if exact else 0.0

    def unit(self, bench: Bench) -> ChannelUnit:
        return ChannelUnit(bench, self)


class Request:
    """A chunk on its way: when it was asked for and what is left to move."""

    __slots__ = ("arrival", "bytes_left", "done", "latency_cycles")

    def __init__(self, arrival: int, size: int, latency_cycles: int, done: Callable[[], None]) -> None:
        self.arrival, self.bytes_left = arrival, size
        self.latency_cycles, self.done = latency_cycles, done


class ChannelUnit(Dram):
    """The channel and its arbiter; driven by requests, no process of its own."""

    def __init__(self, bench: Bench, model: FlatChannel) -> None:
        super().__init__(bench, model)
        keys, bytes_per_cycle = model.keys, model.bytes_per_cycle
        self.transaction_bytes, self.latency_cycles = keys.transaction_bytes, model.latency_cycles
        self.arbiter: Arbiter = ARBITRATION.parts()[keys.arbitration]()
        self.ticks_per_cycle = model.ticks_per_cycle
        self._ticks_of_bytes = self.ticks_per_cycle * bytes_per_cycle.denominator, bytes_per_cycle.numerator
        """So many ticks for so many bytes."""
        self.step_bytes = keys.burst_bytes if bench.grain == "beat" else keys.transaction_bytes
        self.queues: tuple[deque[Request], ...] = tuple(deque() for _ in PORTS)
        self.in_flight: list[tuple[int, Port]] = []
        self.granted: tuple[Port, int, int] | None = None
        """Port, bytes moved and size of the transaction that the channel is in the middle of."""
        self.mix = None if model.efficiency.worst == 1 else RecentMix(model.efficiency)
        self.occupied = self.occupied_bytes = 0
        """The time of a transaction in bytes at full rate: that of the last, and of all."""
        self.free_at_tick = 0
        self.busy_until = 0
        """The first cycle that nothing moves in, as things stand."""
        self.busy_ticks = self.busy_cycles = 0
        self.transactions = 0
        self._armed = False

    def read(self, port: Port, size: int, done: Callable[[], None]) -> None:
        self._request(port, Request(self.bench.now, size, self.latency_cycles, done))

    def write(self, size: int, done: Callable[[], None]) -> None:
        """Posted: done when the last burst has left."""
        self._request(Port.OUTPUTS, Request(self.bench.now, size, 0, done))

    def _request(self, port: Port, request: Request) -> None:
        request.bytes_left = self.bus_bytes(request.bytes_left)
        self.queues[port].append(request)
        self._arm()

    def _arm(self) -> None:
        if not self._armed:
            self._armed = True
            wait = max(0, self.free_at_tick // self.ticks_per_cycle - self.bench.now)
            self.bench.environment.at_end_of_cycle(self._arbitrate, wait)

    def _arbitrate(self, _: object) -> None:
        self._armed = False
        first_tick = self.bench.now * self.ticks_per_cycle
        last_tick = first_tick + self.ticks_per_cycle
        while any(self.queues):
            start = max(self.free_at_tick, first_tick)
            if start >= last_tick:
                self._arm()
                return
            self._move(start)

    def _move(self, start_tick: int) -> None:
        """Move one step of the transaction at hand, or of the next."""
        port, moved, whole = self.granted or self._grant()
        request = self.queues[port][0]
        size = min(whole - moved, self.step_bytes)
        ticks = self._ticks(moved + size, whole) - (self._ticks(moved, whole) if moved else 0)
        self.free_at_tick = start_tick + ticks
        self.busy_ticks += ticks
        now = self.bench.now
        was_busy_until = max(self.busy_until, now)
        self.busy_until = ceil_div(self.free_at_tick, self.ticks_per_cycle)
        self.busy_cycles += self.busy_until - was_busy_until
        self.bytes_moved[port] += size
        request.bytes_left -= size
        self.granted = (port, moved + size, whole) if moved + size < whole else None
        if request.bytes_left == 0:
            self.queues[port].popleft()
            arrival = self.busy_until + request.latency_cycles
            entry = (arrival, port)
            self.in_flight.append(entry)
            self.bench.environment.after(partial(self._complete, entry, request.done), arrival - now)

    def busy_cycles_so_far(self) -> int:
        """Cycles before the present one in which the channel moved something, wholly or in part."""
        # What lies ahead is one stretch without a gap.
        return self.busy_cycles - max(0, self.busy_until - self.bench.now)

    def _ticks(self, moved: int, whole: int) -> int:
        """Ticks from the start of a transaction until `moved` of its `whole` bytes have left."""
        ticks, byte = self._ticks_of_bytes
        if moved == whole:
            return ceil_div(self.occupied * ticks, byte)
        return self.occupied * moved * ticks // (whole * byte)

    def _complete(self, entry: tuple[int, Port], done: Callable[[], None], _: object) -> None:
        self.in_flight.remove(entry)
        done()

    def _grant(self) -> tuple[Port, int, int]:
        waiting = [port for port in PORTS if self.queues[port]]
        port = self.arbiter.choose(waiting, self.queues)
        self.transactions += 1
        size = min(self.queues[port][0].bytes_left, self.transaction_bytes)
        self.occupied = size if self.mix is None else self.mix.occupied(size, port is not Port.OUTPUTS)
        self.occupied_bytes += self.occupied
        return port, 0, size

    def relative_state(self) -> tuple[Any, ...]:
        now = self.bench.now
        waiting = sorted((request.arrival, port) for port in PORTS for request in self.queues[port])
        return (
            max(self.free_at_tick - now * self.ticks_per_cycle, 0),
            self.granted,
            self.mix and (self.mix.relative_state(), self.occupied),
            self.arbiter.relative_state(),
            tuple(port for _, port in waiting),
            tuple(tuple(request.bytes_left for request in queue) for queue in self.queues),
            tuple((arrival - now, port) for arrival, port in self.in_flight),
        )

    def counters(self) -> dict[str, int]:
        found = {"dram.transactions": self.transactions, "dram.busy_ticks": self.busy_ticks}
        occupied = {} if self.mix is None else {"dram.occupied_bytes": self.occupied_bytes}
        return super().counters() | found | occupied

    def busy_in(self, counters: Mapping[str, int]) -> int:
        return ceil_div(counters["dram.busy_ticks"], self.ticks_per_cycle)
