"""DRAM: one channel shared by the weight loader, the activation loader and the writer.

    requests[port] --> arbiter --> channel --> (read latency) --> done

The arbiter decides between transactions, at the end of a cycle, when all requests of the cycle are known; ties go to
the lower port. Time on the channel is kept in ticks of 1/num cycle at num/den bytes a cycle, so b bytes take

    b * den  ticks, granted in the cycle the channel frees, done in the first whole cycle after

With a time quantum q ticks are 1/q cycle and a transaction's time is rounded up to whole ticks; what that adds is
counted. At the beat grain the channel moves burst by burst, at the tile grain transaction by transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from fractions import Fraction
from functools import partial
from types import MappingProxyType
from typing import Any

from sim.arch.schema import Arch
from sim.arch.schema import Dram as DramConfig
from sim.cost.terms import CostTerms
from sim.mapping.operands import ceil_div
from sim.units.unit import Bench, Loss, Unit

BANDWIDTH = "dram.bandwidth_gigabytes_per_second"


class Port(IntEnum):
    WEIGHTS = 0
    ACTIVATIONS = 1
    OUTPUTS = 2


PORTS = tuple(Port)


class Request:
    """A chunk on its way: when it was asked for and what is left to move."""

    __slots__ = ("arrival", "bytes_left", "done", "latency_cycles")

    def __init__(self, arrival: int, size: int, latency_cycles: int, done: Callable[[], None]) -> None:
        self.arrival, self.bytes_left = arrival, size
        self.latency_cycles, self.done = latency_cycles, done


class Dram(Unit):
    """The channel and its arbiter; driven by requests, no process of its own."""

    names = ("dram",)
    flow = 10
    label = "DRAM"
    components = MappingProxyType({"dram": "dram"})
    losses = MappingProxyType(
        {
            "weights_channel_busy": Loss(
                "bandwidth", "waits for weights beside a busy channel", BANDWIDTH,
                f"more {BANDWIDTH}, or more tokens for each load of the weights (schedule.token_block, batch)",
                "weights, DRAM busy",
            ),
            "activations_channel_busy": Loss(
                "bandwidth", "waits for activations beside a busy channel", BANDWIDTH,
                f"more {BANDWIDTH}, or fewer loads of the activations (buffers.activation.bytes, "
                "schedule.output_block)",
                "activations, DRAM busy",
            ),
            "output_space_channel_busy": Loss(
                "bandwidth", "waits for outputs to leave through a busy channel", BANDWIDTH, f"more {BANDWIDTH}",
                "outputs, DRAM busy",
            ),
            "weights_channel_idle": Loss(
                "latency", "waits for weights beside an idle channel", "buffers.weight.bytes",
                "loads that run further ahead (buffers.weight.bytes, dram.outstanding_loads)", "weights, DRAM idle",
            ),
            "activations_channel_idle": Loss(
                "latency", "waits for activations beside an idle channel", "buffers.activation.bytes",
                "loads that run further ahead (buffers.activation.bytes, dram.outstanding_loads)",
                "activations, DRAM idle",
            ),
        }
    )  # fmt: skip

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        byte = 8 * arch.cost.dram.energy_picojoules_per_bit
        return (CostTerms("dram", {f"dram.{side}_bytes": byte for side in ("weight", "activation", "output")}),)

    def __init__(self, bench: Bench, config: DramConfig, bytes_per_cycle: Fraction, latency_cycles: int) -> None:
        super().__init__(bench, "dram")
        self.config = config
        self.bytes_per_cycle = bytes_per_cycle
        self.ticks_per_cycle = config.time_quantum or bytes_per_cycle.numerator
        self._ticks_of_bytes = self.ticks_per_cycle * bytes_per_cycle.denominator, bytes_per_cycle.numerator
        """So many ticks for so many bytes."""
        self.latency_cycles = latency_cycles
        self.step_bytes = config.burst_bytes if bench.grain == "beat" else config.transaction_bytes
        self.queues: tuple[deque[Request], ...] = tuple(deque() for _ in PORTS)
        self.in_flight: list[tuple[int, Port]] = []
        self.granted: tuple[Port, int, int] | None = None
        """Port, bytes moved and size of the transaction that the channel is in the middle of."""
        self.next_port = Port.WEIGHTS
        self.free_at_tick = 0
        self.busy_ticks = self.busy_cycles = 0
        self.transactions = 0
        self.bytes_moved = [0, 0, 0]
        self._armed = False

    def bus_bytes(self, size: int) -> int:
        """What moves for a request: whole bursts."""
        return ceil_div(size, self.config.burst_bytes) * self.config.burst_bytes

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
        was_busy_until = max(self.busy_until, self.bench.now)
        self.free_at_tick = start_tick + ticks
        self.busy_ticks += ticks
        self.busy_cycles += self.busy_until - was_busy_until
        self.bytes_moved[port] += size
        request.bytes_left -= size
        self.granted = (port, moved + size, whole) if moved + size < whole else None
        if request.bytes_left == 0:
            self.queues[port].popleft()
            arrival = ceil_div(self.free_at_tick, self.ticks_per_cycle) + request.latency_cycles
            entry = (arrival, port)
            self.in_flight.append(entry)
            self.bench.environment.after(partial(self._complete, entry, request.done), arrival - self.bench.now)

    @property
    def busy_until(self) -> int:
        """The cycle from which on the channel is free for the whole of a cycle."""
        return ceil_div(self.free_at_tick, self.ticks_per_cycle)

    def busy_cycles_so_far(self) -> int:
        """Cycles before the present one in which the channel moved something, wholly or in part."""
        # What lies ahead is one stretch without a gap.
        return self.busy_cycles - max(0, self.busy_until - self.bench.now)

    def _ticks(self, moved: int, whole: int) -> int:
        """Ticks from the start of a transaction until `moved` of its `whole` bytes have left."""
        ticks, byte = self._ticks_of_bytes
        return ceil_div(moved * ticks, byte) if moved == whole else moved * ticks // byte

    def _complete(self, entry: tuple[int, Port], done: Callable[[], None], _: object) -> None:
        self.in_flight.remove(entry)
        done()

    def _grant(self) -> tuple[Port, int, int]:
        waiting = [port for port, queue in zip(PORTS, self.queues, strict=True) if queue]
        match self.config.arbitration:
            case "first_come":
                port = min(waiting, key=lambda port: (self.queues[port][0].arrival, port))
            case "priority":
                port = max(waiting)
            case "round_robin":
                port = min(waiting, key=lambda port: (port - self.next_port) % len(PORTS))
                self.next_port = Port((port + 1) % len(PORTS))
        self.transactions += 1
        return port, 0, min(self.queues[port][0].bytes_left, self.config.transaction_bytes)

    def relative_state(self) -> tuple[Any, ...]:
        now = self.bench.now
        waiting = sorted((request.arrival, port) for port in PORTS for request in self.queues[port])
        return (
            max(self.free_at_tick - now * self.ticks_per_cycle, 0),
            self.granted,
            self.next_port,
            tuple(port for _, port in waiting),
            tuple(tuple(request.bytes_left for request in queue) for queue in self.queues),
            tuple((arrival - now, port) for arrival, port in self.in_flight),
        )

    def counters(self) -> dict[str, int]:
        weights, activations, outputs = self.bytes_moved
        return {
            "dram.weight_bytes": weights,
            "dram.activation_bytes": activations,
            "dram.output_bytes": outputs,
            "dram.transactions": self.transactions,
            "dram.busy_ticks": self.busy_ticks,
        }
