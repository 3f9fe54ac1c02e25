"""The DRAM of a machine as banks: reads under an arbiter, writes through a buffer, one channel that stands for all.

    requests --> read queues --> arbiter --+--> channel --> (latency) --> done
            \\-> write buffer --------------+

Channels take turns within a transaction, so all of them do the same; the busiest one is simulated. The bus is given
away when it frees, at the end of a cycle, as in sim/units/dram/channel.py; the DRAM's clocks are counted from the
cycle in which it was last found at rest. At the beat grain every command is an event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

from simpy.events import Event

from sim.arch.dram import ARBITRATION
from sim.engine.fast_forward import SlowPhase
from sim.mapping.operands import ceil_div
from sim.units.dram import PORTS, Dram, DramModel, Port
from sim.units.dram.arbitration import Arbiter
from sim.units.dram.banks.commands import CommandChannel
from sim.units.dram.banks.placement import Placement
from sim.units.dram.banks.policy import BankChannel, BankCommand, BankSettings
from sim.units.dram.banks.rows import RowChannel
from sim.units.dram.banks.writes import WriteBuffer
from sim.units.unit import Bench

NEAR_SHARE = 256
"""Part of a refresh interval by which two phases may differ and count as alike."""


@dataclass(frozen=True)
class BanksParts:
    """What a unit is made of.

    Parameters
    ----------
    channels
        That do as the simulated one does.
    stripe_bytes
        One burst of each.
    transaction_bursts
        Of a channel, between two decisions.
    clocks_per_cycle
        DRAM clocks in a cycle of the machine.
    """

    settings: BankSettings
    channels: int
    stripe_bytes: int
    transaction_bursts: int
    clocks_per_cycle: Fraction
    latency_cycles: int
    arbitration: str
    write_places: int
    write_high: int
    write_low: int


class BankRequest:
    """A read on its way."""

    __slots__ = ("arrival", "bytes_left", "done", "first", "last")

    def __init__(self, arrival: int, first: int, bursts: int, done: Callable[[], None]) -> None:
        self.arrival, self.first, self.done = arrival, first, done
        self.bytes_left = bursts
        """Bursts of a channel that wait; a policy only compares them."""
        self.last = 0


class BanksUnit(Dram):
    """The controller and its channel; driven by requests, no process of its own."""

    def __init__(self, bench: Bench, model: DramModel, parts: BanksParts) -> None:
        super().__init__(bench, model)
        self.parts, self.t = parts, parts.settings.timings
        kind: type[BankChannel] = CommandChannel if bench.grain == "beat" else RowChannel
        self.channel = kind(parts.settings)
        self.writes = WriteBuffer(self.channel, parts.write_places, parts.write_high, parts.write_low)
        self.placement = Placement(parts.settings.mapping)
        self.arbiter: Arbiter = ARBITRATION.parts()[parts.arbitration]()
        self.ratio = parts.clocks_per_cycle.numerator, parts.clocks_per_cycle.denominator
        self.queues: tuple[deque[BankRequest], ...] = tuple(deque() for _ in PORTS)
        self.asked: tuple[list[BankRequest], ...] = tuple([] for _ in PORTS)
        """Reads that have no address yet."""
        self.posted: deque[tuple[int, int, Callable[[], None]]] = deque()
        """Writes that are not done: arrival, mark, whom to tell."""
        self.in_flight: list[tuple[int, Port]] = []
        self.latest = [0] * len(PORTS)
        """By port, the cycle in which what was last granted is done; a port's requests are done in order."""
        self.origin, self.asleep = 0, True
        self.open_cycles = self.busy_cycles = self.busy_until = self.transactions = 0
        self.issued = dict.fromkeys(("ACT", "PRE", "RD", "WR", "REF"), 0)
        self._open = 0, 0
        """For a recorder: since when how many banks are open."""
        self._armed: int | None = None
        self._ending: Event | None = None

    # --- clocks and cycles

    def _clock(self, cycle: int) -> int:
        """The first clock that is not before a cycle."""
        clocks, cycles = self.ratio
        return -(-(cycle - self.origin) * clocks // cycles)

    def _cycle(self, clock: int) -> int:
        """The first cycle that is not before a clock."""
        clocks, cycles = self.ratio
        return self.origin - (-clock * cycles // clocks)

    def _cycle_with(self, clock: int) -> int:
        clocks, cycles = self.ratio
        return self.origin + clock * cycles // clocks

    # --- requests

    def read(self, port: Port, size: int, done: Callable[[], None]) -> None:
        bursts = ceil_div(size, self.parts.stripe_bytes)
        self.bytes_moved[port] += self.bus_bytes(size)
        request = BankRequest(self.bench.now, -1, bursts, done)
        self.queues[port].append(request)
        self.asked[port].append(request)
        self._arm(self.bench.now)

    def write(self, size: int, done: Callable[[], None]) -> None:
        """Posted: done when the write buffer has the last burst."""
        bursts = ceil_div(size, self.parts.stripe_bytes)
        self.bytes_moved[Port.OUTPUTS] += self.bus_bytes(size)
        self.queues[Port.OUTPUTS].append(BankRequest(self.bench.now, -1, bursts, done))
        self._arm(self.bench.now)

    def _arm(self, cycle: int) -> None:
        if self._armed is None or cycle < self._armed:
            self._armed = cycle
            self.bench.environment.at_end_of_cycle(partial(self._look, cycle), cycle - self.bench.now)

    def _look(self, cycle: int, _: object) -> None:
        """Everything asked for in this cycle is known."""
        if cycle != self._armed:
            return
        self._armed = None
        self._wake()
        self._accept()
        limit = self._clock(self.bench.now + 1)
        while self._waits:
            if self.channel.end >= limit:
                self._arm(self._cycle_with(self.channel.end))
                return
            self._grant()
        if self._ending is not None:
            self._finish(self._ending)

    @property
    def _waits(self) -> bool:
        return bool(self.queues[Port.WEIGHTS] or self.queues[Port.ACTIVATIONS] or self.writes.buffered)

    @property
    def _rests(self) -> bool:
        """Whether an idle gap has held a whole refresh."""
        return self.asleep or self._clock(self.bench.now) - self.channel.end >= self.t.refresh_stop

    def _wake(self) -> None:
        if not self._rests:
            return
        self._record_banks(self.origin + self._open_stretch())
        self.open_cycles += self._open_stretch()
        self.origin, self.asleep = self.bench.now, False
        self._open = self.bench.now, 0
        self.channel.restart()
        self.writes.restart()
        self.placement.restart()

    def _accept(self) -> None:
        """Give the requests of this cycle their addresses, reads first, and take the writes into the buffer."""
        now = self.bench.now
        for port in (Port.WEIGHTS, Port.ACTIVATIONS):
            for request in self.asked[port]:
                request.first = self.placement.place(port, request.bytes_left)
            self.asked[port].clear()
        outputs = self.queues[Port.OUTPUTS]
        while outputs:
            request = outputs.popleft()
            first = self.placement.place(Port.OUTPUTS, request.bytes_left)
            mark = self.writes.take(first, request.bytes_left, self._clock(now))
            self.posted.append((now, mark, request.done))
        self._settle_writes()

    # --- the bus

    def _grant(self) -> None:
        """Give the bus to writes that are due, or to the read that the arbiter chooses."""
        waiting = [port for port in (Port.WEIGHTS, Port.ACTIVATIONS) if self.queues[port]]
        due = self.writes.due(bool(waiting))
        self.transactions += 1
        if due:
            self.writes.drain(due)
            self._settle_writes()
        moved = due or self._read(self.arbiter.choose(waiting, self.queues))
        until, since = self._cycle(self.channel.end), max(self.busy_until, self.bench.now)
        if self.bench.recorder and until > since:
            rate = moved * self.parts.stripe_bytes // (until - since)
            self.bench.recorder.span(self.name, "writes" if due else "reads", since, until)
            self.bench.recorder.span(f"{self.name} bytes a cycle", str(rate), since, until)
            self._record_banks(since)
        self.busy_cycles += max(0, until - since)
        self.busy_until = max(self.busy_until, until)
        if isinstance(self.channel, CommandChannel):
            for command in self.channel.issued:
                wait = max(0, self._cycle_with(command.clock) - self.bench.now)
                self.bench.environment.after(partial(self._issue, command), wait)
            self.channel.issued.clear()

    def _record_banks(self, cycle: int) -> None:
        """Tell the recorder how many banks were open until this cycle, and note how many are from it on."""
        if self.bench.recorder is None:
            return
        since, count = self._open
        if cycle > since:
            self.bench.recorder.span(f"{self.name} banks open", str(count), since, cycle)
        self._open = cycle, sum(row >= 0 for row in self.channel.rows)

    def _read(self, port: Port) -> int:
        """Move the next transaction of a port; its bursts."""
        request = self.queues[port][0]
        n = min(request.bytes_left, self.parts.transaction_bursts)
        last = self.channel.serve(request.first, n, self._clock(request.arrival), False)
        request.last = max(request.last, last)
        request.first += n
        request.bytes_left -= n
        if not request.bytes_left:
            self.queues[port].popleft()
            data = self._cycle(request.last + self.t.CL + self.t.BL) + self.parts.latency_cycles
            self._complete_at(port, data, request.done)
        return n

    def _settle_writes(self) -> None:
        """Say of writes when they are done, where that has come to be known."""
        while self.posted:
            arrival, mark, done = self.posted[0]
            clock = self.writes.placed(mark)
            if clock is None:
                return
            self.posted.popleft()
            self._complete_at(Port.OUTPUTS, max(arrival, self._cycle(clock)), done)

    def _complete_at(self, port: Port, cycle: int, done: Callable[[], None]) -> None:
        self.latest[port] = cycle = max(cycle, self.latest[port], self.bench.now)
        entry = (cycle, port)
        self.in_flight.append(entry)
        self.bench.environment.after(partial(self._complete, entry, done), cycle - self.bench.now)

    def _complete(self, entry: tuple[int, Port], done: Callable[[], None], _: object) -> None:
        self.in_flight.remove(entry)
        done()

    def _issue(self, command: BankCommand, _: object) -> None:
        self.issued[command.name] += 1

    # --- the end

    def end(self) -> Event | None:
        """When all writes have left and all rows that close by themselves are closed."""
        ending = self._ending = Event(self.bench.environment)
        if not self._waits and self._armed is None:
            self._finish(ending)
        return ending

    def _finish(self, ending: Event) -> None:
        wait = max(0, self._cycle(self.channel.last_data) - self.bench.now)
        self.bench.environment.after(partial(self._end, ending), wait)
        self._ending = None

    def _end(self, ending: Event, _: object) -> None:
        self._record_banks(self.bench.now)
        ending.succeed()

    # --- what is counted

    def busy_cycles_so_far(self) -> int:
        return self.busy_cycles - max(0, self.busy_until - self.bench.now)

    def busy_in(self, counters: Mapping[str, int]) -> int:
        return counters["dram.busy_cycles"]

    def _open_stretch(self) -> int:
        """Cycles of the present stretch of work in which rows could be open."""
        if self.asleep:
            return 0
        return min(self.bench.now, self._cycle(self.channel.end + self.t.refresh_stop)) - self.origin

    def counters(self) -> dict[str, int]:
        channel, n = self.channel, self.parts.channels
        activates, precharges, refreshes = channel.activates, channel.precharges, channel.refreshes
        bursts = channel.bursts
        if self.bench.grain == "beat":
            activates, precharges, refreshes = (self.issued[name] for name in ("ACT", "PRE", "REF"))
            bursts = self.issued["RD"] + self.issued["WR"]
        return super().counters() | {
            "dram.transactions": self.transactions,
            "dram.busy_cycles": self.busy_cycles,
            "dram.open_cycles": self.open_cycles + self._open_stretch(),
            "dram.activates": n * activates,
            "dram.precharges": n * precharges,
            "dram.row_hits": n * (bursts - activates),
            "dram.row_misses": n * (activates - channel.conflicts),
            "dram.row_conflicts": n * channel.conflicts,
            "dram.turns": channel.turns,
            "dram.refresh_stops": refreshes,
        }

    def slow_phase(self) -> SlowPhase | None:
        """The due time of the next refresh, in parts of a clock, by which the clock's phase stands in it too."""
        if self._rests and not self._waits and self._armed is None:
            return None
        clocks, cycles = self.ratio
        phase = self.channel.due * cycles - (self.bench.now - self.origin) * clocks
        slack = self.t.REFI * cycles // NEAR_SHARE
        # All of it at once, and a refresh more or less by the share of an interval that its phase moves by.
        slip = (1 + (self.t.refresh_stop + self.t.RCDRD) / self.t.REFI) / clocks
        return SlowPhase(phase, slack, self.channel.refreshes, slip)

    def relative_state(self) -> tuple[Any, ...]:
        now = self.bench.now
        flying = tuple((cycle - now, port) for cycle, port in self.in_flight)
        if self._rests and not self._waits and self._armed is None:
            return (flying, self.arbiter.relative_state())
        clocks, cycles = self.ratio
        clock = (now - self.origin) * clocks // cycles
        waiting = [request for port in (Port.WEIGHTS, Port.ACTIVATIONS) for request in self.queues[port]]
        since = min([clock, *(self._clock(request.arrival) for request in waiting)])
        since = min([since, *(arrival for *_, arrival in self.writes.waiting)])
        # What was before a place was last found in the queue matters no more, and of arrivals only their order.
        since = max(since, self.channel.seen)
        order = sorted({request.arrival for request in waiting})
        assert isinstance(self.channel, RowChannel)
        return (
            flying,
            self.arbiter.relative_state(),
            tuple(
                (
                    order.index(r.arrival),
                    max(self._clock(r.arrival), since) - clock,
                    r.bytes_left,
                    max(r.last, since) - clock,
                    self.placement.behind(port, r.first),
                )
                for port in (Port.WEIGHTS, Port.ACTIVATIONS)
                for r in self.queues[port]
            ),
            tuple(self.placement.behind(Port.OUTPUTS, first) for first, *_ in self.writes.waiting),
            tuple(map(len, self.queues)),
            tuple(self.writes.taken - mark for _, mark, _ in self.posted),
            tuple(max(at - now, 0) for at in self.latest),
            self.placement.offsets(),
            self.writes.relative_state(clock, since),
            self.channel.relative_state(clock, since, self.placement.relative_row),
        )
