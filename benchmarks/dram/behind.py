"""A reference behind the simulator's own requests: a kind of DRAM, plugged in, whose unit lets it run clock by clock.

    requests[port] --> arbiter, a transaction at a time --> reference, every channel --> (latency) --> done
                 \\-> writes ------------------------------/

Requests, arbitration, addresses, clock ratio and latency are those of `kind: banks`; queues, banks and refresh are the
reference's own. Nothing is looked ahead: in every cycle with something under way as many clocks pass as it has.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks.dram.references import ROWS
from sim.arch.dram import ARBITRATION
from sim.mapping.operands import ceil_div
from sim.units.dram import PORTS, Dram, Port, Promise
from sim.units.dram.arbitration import Arbiter
from sim.units.dram.banks import Banks
from sim.units.dram.banks.keys import BanksConfig
from sim.units.dram.banks.placement import Placement
from sim.units.unit import Bench


class BehindConfig(BanksConfig):
    library: str
    """Built of loop.h and one of the references."""
    description: str
    """What the reference reads of the memory it is."""


class ReferenceBehind(Banks):
    """The bounds and costs of banks; the unit is another."""

    kind = "reference"
    summary = "another simulator, to compare with"
    section = BehindConfig  # type: ignore[assignment]

    def promises(self, counters: Mapping[str, int], cycles: int, requests: int) -> Iterable[Promise]:
        return ()

    def unit(self, bench: Bench) -> Dram:  # type: ignore[override]
        return ReferenceUnit(bench, self)


class BehindRequest:
    """A request, and what of it the reference has not been asked for."""

    __slots__ = ("arrival", "bytes_left", "done", "first", "under_way")

    def __init__(self, arrival: int, first: int, bursts: int, done: Callable[[], None]) -> None:
        self.arrival, self.first, self.bytes_left, self.done = arrival, first, bursts, done
        self.under_way = 0
        """Transactions."""


class ReferenceUnit(Dram):
    """The front of the controller, and the reference behind it."""

    def __init__(self, bench: Bench, model: ReferenceBehind) -> None:
        super().__init__(bench, model)
        keys, row = model.keys, model.standard
        assert isinstance(keys, BehindConfig)
        self.library = _library(keys.library)
        files = keys.description.encode(), str(Path(keys.description).parent).encode()
        sizes = model.channels, row.groups, row.banks, row.columns, ROWS, row.burst_bytes
        self.handle = self.library.loop_open(*files, *sizes)
        self.channels, self.stripe_bytes, self.burst_bytes = model.channels, model.stripe_bytes, row.burst_bytes
        self.transaction_bursts = keys.transaction_bytes // row.burst_bytes
        self.latency_cycles, self.clocks_per_cycle = model.latency_cycles, model.clocks_per_cycle
        self.placement = Placement(model.mapping)
        self.arbiter: Arbiter = ARBITRATION.parts()[keys.arbitration]()
        self.queues: tuple[deque[BehindRequest], ...] = tuple(deque() for _ in PORTS)
        self.open: tuple[deque[BehindRequest], ...] = tuple(deque() for _ in PORTS)
        """Requests that are not done; those of a port are done in order."""
        self.asked: dict[int, BehindRequest] = {}
        """By number of a transaction that is under way."""
        self.transactions = 0
        self._armed = -1

    def __del__(self) -> None:
        self.library.loop_close(self.handle)

    def read(self, port: Port, size: int, done: Callable[[], None]) -> None:
        self.bytes_moved[port] += self.bus_bytes(size)
        first = self._place(port, ceil_div(size, self.stripe_bytes))
        request = BehindRequest(self.bench.now, first, ceil_div(size, self.burst_bytes), done)
        self.queues[port].append(request)
        self.open[port].append(request)
        self._arm(0)

    def write(self, size: int, done: Callable[[], None]) -> None:
        self.read(Port.OUTPUTS, size, done)

    def _place(self, port: Port, stripes: int) -> int:
        """Where the model would have it; each operand has a third of the rows, over and over."""
        region, apart = self.placement.mapping.region, ROWS // len(PORTS)
        self.placement.place(port, stripes)
        row, within = divmod(self.placement.next[port] - stripes, region)
        return (row % apart + int(port) * apart) * region + within

    def _arm(self, wait: int) -> None:
        cycle = self.bench.now + wait
        if self._armed < self.bench.now or cycle < self._armed:
            self._armed = cycle
            self.bench.environment.at_end_of_cycle(partial(self._look, cycle), wait)

    def _look(self, cycle: int, _: object) -> None:
        """Let the clocks up to this cycle pass, tell what is done, and ask for what has come to wait."""
        if cycle != self._armed:
            return
        self._armed = -1
        self.library.loop_until(self.handle, int(cycle * self.clocks_per_cycle) + 1)
        while (number := self.library.loop_done(self.handle)) >= 0:
            self.asked.pop(number).under_way -= 1
        for port, requests in zip(PORTS, self.open, strict=True):
            while requests and not requests[0].under_way and not requests[0].bytes_left:
                latency = 0 if port == Port.OUTPUTS else self.latency_cycles
                self.bench.environment.after(partial(self._complete, requests.popleft().done), latency)
        outputs = self.queues[Port.OUTPUTS]
        while outputs:
            self._ask(Port.OUTPUTS, outputs[0].bytes_left)
        while not self.library.loop_waits(self.handle, 0):
            waiting = [port for port in (Port.WEIGHTS, Port.ACTIVATIONS) if self.queues[port]]
            if not waiting:
                break
            self._ask(self.arbiter.choose(waiting, self.queues), self.transaction_bursts)
        if self.asked:
            self._arm(1)

    def _ask(self, port: Port, most: int) -> None:
        """Hand the reference so many bursts of the first request."""
        request = self.queues[port][0]
        bursts = min(request.bytes_left, most)
        self.transactions += 1
        self.asked[self.transactions] = request
        self.library.loop_ask(self.handle, self.transactions, int(port == Port.OUTPUTS), request.first, bursts)
        request.under_way += 1
        request.first += ceil_div(bursts, self.channels)
        request.bytes_left -= bursts
        if not request.bytes_left:
            self.queues[port].popleft()

    def _complete(self, done: Callable[[], None], _: object) -> None:
        done()

    def busy_cycles_so_far(self) -> int:
        """A reference does not tell."""
        return 0

    def busy_in(self, counters: Mapping[str, int]) -> int:
        return 0

    def relative_state(self) -> tuple[Any, ...]:
        """Never seen before: nothing is skipped."""
        return (self.bench.now,)


@cache
def _library(path: str) -> ctypes.CDLL:
    found = ctypes.CDLL(path)
    found.loop_open.restype = ctypes.c_void_p
    found.loop_open.argtypes = [ctypes.c_char_p, ctypes.c_char_p, *[ctypes.c_int] * 6]
    found.loop_ask.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_uint64, ctypes.c_int]
    found.loop_until.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    found.loop_waits.argtypes = [ctypes.c_void_p, ctypes.c_int]
    found.loop_done.argtypes = found.loop_close.argtypes = [ctypes.c_void_p]
    return found
