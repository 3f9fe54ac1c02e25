"""The DRAM channel of the automata: requests by port, arbitration at the end of a cycle, and what is on its way."""

from __future__ import annotations

from numba import njit

from tests.oracle.nest import ceil
from tests.oracle.records import ARRIVED, BUSY_TICKS, LOADS, MOVED, NEVER, OUTPUTS, PLACES, PORTS, STORED, TRANSACTIONS

FIRST_COME, PRIORITY, ROUND_ROBIN = range(3)


@njit
def request(m, s, now, port, size):
    """Ask for whole bursts; returns their bytes."""
    whole = ceil(size, m.burst_bytes) * m.burst_bytes
    place = s.requests[port, 0] % PLACES
    s.asked_at[port, place] = now
    s.bytes_left[port, place] = whole
    s.requests[port, 0] += 1
    return whole


@njit
def waiting(s, port):
    return s.requests[port, 1] < s.requests[port, 0]


@njit
def choose(m, s):
    """The port whose turn it is, or -1."""
    chosen, earliest = -1, 0
    for turn in PORTS:
        port = (s.channel[1] + turn) % 3 if m.policy == ROUND_ROBIN else turn
        if waiting(s, port):
            asked_at = s.asked_at[port, s.requests[port, 1] % PLACES]
            if m.policy == ROUND_ROBIN:
                return port
            if chosen < 0 or m.policy == PRIORITY or asked_at < earliest:
                chosen, earliest = port, asked_at
    return chosen


@njit
def arbitrate(m, s, now):
    """Grant the transactions that start within this cycle."""
    while True:
        begin = max(s.channel[0], now * m.ticks_per_cycle)
        port = choose(m, s)
        if port < 0 or begin >= (now + 1) * m.ticks_per_cycle:
            return
        place = s.requests[port, 1] % PLACES
        size = min(s.bytes_left[port, place], m.transaction_bytes)
        ticks = ceil(size * m.tick_dividend, m.tick_divisor)
        s.channel[0], s.channel[1] = begin + ticks, (port + 1) % 3
        s.counts[TRANSACTIONS] += 1
        s.counts[BUSY_TICKS] += ticks
        s.counts[MOVED + port] += size
        s.bytes_left[port, place] -= size
        if s.bytes_left[port, place] == 0:
            latency = 0 if port == OUTPUTS else m.latency_cycles
            s.done_at[port, place] = ceil(s.channel[0], m.ticks_per_cycle) + latency
            s.requests[port, 1] += 1


@njit
def deliver(s, now):
    """Loads reach their buffers after the latency; a write is over when its last burst has left."""
    acted = False
    for port in PORTS:
        while s.requests[port, 2] < s.requests[port, 1] and s.done_at[port, s.requests[port, 2] % PLACES] == now:
            s.requests[port, 2] += 1
            acted = True
            if port == OUTPUTS:
                s.have[STORED] += 1
            else:
                s.have[LOADS + port] += 1
                s.have[ARRIVED + port] += 1
    return acted


@njit
def next_arrival_or_grant(m, s, now):
    soonest = NEVER
    for port in PORTS:
        if s.requests[port, 2] < s.requests[port, 1]:
            soonest = min(soonest, s.done_at[port, s.requests[port, 2] % PLACES])
        if waiting(s, port):
            soonest = min(soonest, max(s.channel[0] // m.ticks_per_cycle, now + 1))
    return soonest
