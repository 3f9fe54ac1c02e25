"""The comparison's traffic on this simulator's own controller and channel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

from benchmarks.dram.cases import DramCase, Transfer
from sim.engine.environment import Environment
from sim.units.dram import Port
from sim.units.dram.banks.mapping import BankMapping
from sim.units.dram.banks.placement import Placement
from sim.units.dram.banks.policy import BankSettings
from sim.units.dram.banks.rows import RowChannel
from sim.units.dram.banks.standards import standards
from sim.units.dram.banks.timings import BankTimings
from sim.units.dram.banks.unit import BanksParts, BanksUnit
from sim.units.dram.banks.writes import WriteBuffer
from sim.units.unit import Bench

ORDER = "row bank column group channel"
QUEUE, WRITES = 40, (32, 26, 6)
"""The shipped controller's."""
READS_AHEAD = 32
"""Bursts of reads that wait beside writes in a sequence of both."""


def settings_of(standard: str, queue: int = QUEUE) -> BankSettings:
    """The controller of a standard."""
    row = standards()[standard]
    sizes = {"row": row.rows, "bank": row.banks, "column": row.columns, "group": row.groups, "channel": 1}
    timings = BankTimings(**row.clocks)
    return BankSettings(timings, BankMapping(ORDER, sizes), queue, False, row.act_slots, row.cas_slots)


def clocks(case: DramCase, queue: int = QUEUE, writes: tuple[int, int, int] = WRITES) -> int:
    """Until the last read has its data and the last write its place."""
    if case.windows == (0,):
        return play_in_order(case, queue, writes)[1]
    return _Loop(case, settings_of(case.standard, queue), writes).end


def play_in_order(case: DramCase, queue: int = QUEUE, places: tuple[int, int, int] = WRITES) -> tuple[RowChannel, int]:
    """One sequence, as fast as the controller takes it: the channel, and the clocks it took."""
    channel = RowChannel(settings_of(case.standard, queue))
    writes = WriteBuffer(channel, *places)
    waiting: deque[list[int]] = deque()
    ahead = end = 0

    def read(bursts: int) -> None:
        nonlocal ahead, end
        head = waiting[0]
        n = min(bursts, head[1])
        last = channel.serve(head[0], n, 0, False)
        end = max(end, last + channel.t.CL + channel.t.BL)
        head[0], head[1], ahead = head[0] + n, head[1] - n, ahead - n
        if not head[1]:
            waiting.popleft()

    for _, _, write, ((_, first, bursts),) in case.transfers:
        if write:
            mark = writes.take(first, bursts, 0)
            writes.drain(writes.due(reads_wait=True))
            end = max(end, writes.placed(mark) or 0)
        else:
            waiting.append([first, bursts])
            ahead += bursts
            while ahead > READS_AHEAD:
                read(ahead - READS_AHEAD)
    while waiting:
        read(ahead)
    return channel, end


class _Given(Placement):
    """Addresses as the case has them."""

    def __init__(self, mapping: BankMapping) -> None:
        super().__init__(mapping)
        self.given: tuple[deque[int], ...] = (deque(), deque(), deque())

    def place(self, port: Port, bursts: int) -> int:
        return self.given[port].popleft()


class _Loop:
    """Ports with windows in front of a unit, a cycle a clock; equal channels are one."""

    def __init__(self, case: DramCase, settings: BankSettings, places: tuple[int, int, int]) -> None:
        self.case, self.environment, self.end = case, Environment(), 0
        parts = BanksParts(
            settings=settings,
            channels=1,
            stripe_bytes=standards()[case.standard].burst_bytes,
            transaction_bursts=max(transfer.runs[0].bursts for transfer in case.transfers),
            clocks_per_cycle=Fraction(1),
            latency_cycles=0,
            arbitration="first_come",
            write_places=places[0],
            write_high=places[1],
            write_low=places[2],
        )
        model = SimpleNamespace(hardware=SimpleNamespace(dram=None), bus_bytes=int)
        self.unit = BanksUnit(Bench(self.environment, "tile"), model, parts)  # type: ignore[arg-type]
        self.placement = self.unit.placement = _Given(settings.mapping)
        self.queues = [deque(t for t in case.transfers if t.port == port) for port in range(3)]
        self.open = [0, 0, 0]
        for arrival in sorted({transfer.arrival for transfer in case.transfers}):
            self.environment.after(self._start, arrival)
        self.environment.run()

    def _start(self, _: object) -> None:
        now = self.environment.now
        for port, queue in enumerate(self.queues):
            while queue and queue[0].arrival <= now and self.open[port] < self.case.windows[port]:
                self._ask(queue.popleft())

    def _ask(self, transfer: Transfer) -> None:
        port, (_, first, bursts) = Port(transfer.port), transfer.runs[0]
        self.open[port] += 1
        self.placement.given[port].append(first)
        size, done = bursts * self.unit.parts.stripe_bytes, partial(self._done, port)
        ask: Callable[..., None] = self.unit.write if transfer.write else partial(self.unit.read, port)
        ask(size, done)

    def _done(self, port: Port) -> None:
        self.open[port] -= 1
        self.end = max(self.end, int(self.environment.now))
        self._start(None)
