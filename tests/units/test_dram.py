"""DRAM: legal at t and not at t - 1, exact rates, whole bursts, fair arbiters, decisions at transactions only."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, floor
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from sim.units.dram import Dram, Port
from sim.units.dram.channel import ChannelConfig, ChannelUnit, FlatChannel
from tests.units.rig import Rig

BURST = 64


class Stimulus(NamedTuple):
    cycle: int
    port: Port
    size: int


class Reply(NamedTuple):
    port: Port
    index: int
    cycle: int


def make(rig: Rig, rate: Fraction | int, latency: int = 0, **keys: object) -> ChannelUnit:
    config = {
        "bandwidth_gigabytes_per_second": 1.0,
        "latency_nanoseconds": 1.0,
        "burst_bytes": BURST,
        "transaction_bytes": 256,
        "arbitration": "first_come",
        "outstanding_loads": 4,
    }
    model = FlatChannel(SimpleNamespace(dram=ChannelConfig(**config | keys)))  # type: ignore[arg-type]
    model.bytes_per_cycle, model.latency_cycles = Fraction(rate), latency
    return model.unit(rig.bench)


def serve(rig: Rig, dram: Dram, stimuli: list[Stimulus]) -> list[Reply]:
    """The cycle each request is done, in the order they are; a port's requests are numbered."""
    replies: list[Reply] = []
    numbers = dict.fromkeys(Port, 0)
    for cycle, port, size in stimuli:
        reply = (port, numbers[port])
        numbers[port] += 1

        def ask(port: Port = port, size: int = size, reply: tuple[Port, int] = reply) -> None:
            def done() -> None:
                replies.append(Reply(*reply, rig.now))

            if port is Port.OUTPUTS:
                dram.write(size, done)
            else:
                dram.read(port, size, done)

        rig.at(cycle, ask)
    rig.run(dram_idle(dram))
    return sorted(replies, key=lambda reply: (reply.cycle, reply.port))


def dram_idle(dram: Dram) -> Dram:
    """The channel has no process to start."""
    dram.start = lambda: None  # type: ignore[method-assign]
    return dram


def ideal(
    stimuli: list[Stimulus], rate: Fraction, policy: str, transaction: int, latency: int, quantum: int | None
) -> list[Reply]:
    """What the module's rules say, on paper: one decision after the other, in exact fractions of a cycle.

    A decision falls in the cycle in which the channel frees and knows every request up to that cycle.
    """
    waiting: dict[Port, list[list[int]]] = {port: [] for port in Port}
    for cycle, port, size in sorted(stimuli, key=lambda stimulus: stimulus.cycle):
        waiting[port].append([cycle, -(-size // BURST) * BURST, len(waiting[port])])
    free, favoured, replies = Fraction(0), 0, []
    while any(waiting.values()):
        heads = {port: queue[0] for port, queue in waiting.items() if queue}
        decided = max(floor(free), min(arrival for arrival, _, _ in heads.values()))
        known = [port for port, head in heads.items() if head[0] <= decided]
        if policy == "first_come":
            port = min(known, key=lambda port: (heads[port][0], port))
        elif policy == "priority":
            port = max(known)
        else:
            port = next(p for p in (Port((favoured + i) % 3) for i in range(3)) if p in known)
            favoured = port + 1
        head = heads[port]
        size = min(head[1], transaction)
        time = size / rate
        if quantum is not None:
            time = Fraction(ceil(time * quantum), quantum)
        free = max(free, Fraction(decided)) + time
        head[1] -= size
        if not head[1]:
            waiting[port].pop(0)
            replies.append(Reply(port, head[2], ceil(free) + (0 if port is Port.OUTPUTS else latency)))
    return sorted(replies, key=lambda reply: (reply.cycle, reply.port))


@pytest.mark.parametrize("rate", [Fraction(1, 3), 1, 7, 64, Fraction(51200, 57), 10**6])
@pytest.mark.parametrize("size", [1, 64, 65, 1000])
def test_a_lone_read_is_done_at_t_and_not_at_t_minus_1(rig: Rig, rate: Fraction | int, size: int) -> None:
    asked, latency = 11, 29
    dram = make(rig, rate, latency)
    replies: list[int] = []
    rig.at(asked, lambda: dram.read(Port.WEIGHTS, size, lambda: replies.append(rig.now)))
    # whole bursts at the channel's rate, to the end of a cycle, then the latency
    done = asked + ceil(-(-size // BURST) * BURST / Fraction(rate)) + latency
    rig.run(dram_idle(dram), until=done - 1)
    assert replies == []
    rig.environment.run()
    assert replies == [done]


def test_a_write_is_posted_and_done_when_its_last_burst_has_left(rig: Rig) -> None:
    dram = make(rig, rate=64, latency=500)
    assert serve(rig, dram, [Stimulus(3, Port.OUTPUTS, 640)]) == [Reply(Port.OUTPUTS, 0, 3 + 10)]


@pytest.mark.parametrize("rate", [Fraction(51200, 57), Fraction(100, 3), Fraction(7, 5)])
def test_fractions_of_a_cycle_carry_over_while_requests_wait(rig: Rig, rate: Fraction) -> None:
    dram = make(rig, rate)
    replies = serve(rig, dram, [Stimulus(0, Port.WEIGHTS, 64)] * 30)
    # n requests in a row are n x 64 bytes at the rate: rounded once, not n times
    assert [reply.cycle for reply in replies] == [ceil(64 * (n + 1) / rate) for n in range(30)]


def test_a_fraction_is_lost_when_nothing_waits(rig: Rig) -> None:
    dram = make(rig, rate=Fraction(128, 3))  # 64 bytes take 1.5 cycles
    # The second is asked for in the cycle in which the first leaves and waits its half; the third comes a cycle late.
    replies = serve(rig, dram, [Stimulus(cycle, Port.WEIGHTS, 64) for cycle in (0, 1, 4)])
    assert [reply.cycle for reply in replies] == [ceil(Fraction(3, 2)), 3, 4 + 2]


def test_bytes_are_counted_in_whole_bursts(rig: Rig) -> None:
    dram = make(rig, rate=1)
    serve(rig, dram, [Stimulus(0, Port.WEIGHTS, 1), Stimulus(0, Port.ACTIVATIONS, 65), Stimulus(0, Port.OUTPUTS, 640)])
    assert dram.bytes_moved == [64, 128, 640]
    assert dram.busy_ticks == 64 + 128 + 640
    assert dram.transactions == 1 + 1 + 3  # 256 bytes at most


def test_round_robin_gives_every_port_its_turn(rig: Rig) -> None:
    dram = make(rig, rate=64, arbitration="round_robin")
    # Each port asks for 3 transactions of 4 cycles: they take turns, weights first.
    replies = serve(rig, dram, [Stimulus(0, port, 3 * 256) for port in Port])
    assert replies == [Reply(port, 0, 4 * (2 * 3 + port + 1)) for port in Port]


def test_writes_come_before_activations_before_weights_by_priority(rig: Rig) -> None:
    dram = make(rig, rate=64, arbitration="priority")
    replies = serve(rig, dram, [Stimulus(0, port, 256) for port in Port])
    assert [reply.port for reply in replies] == [Port.OUTPUTS, Port.ACTIVATIONS, Port.WEIGHTS]
    assert [reply.cycle for reply in replies] == [4, 8, 12]


def test_first_come_is_first_served_whatever_the_port_and_ties_go_to_the_lower(rig: Rig) -> None:
    dram = make(rig, rate=64)
    order = [(1, Port.OUTPUTS), (0, Port.ACTIVATIONS), (2, Port.WEIGHTS), (2, Port.OUTPUTS), (2, Port.ACTIVATIONS)]
    replies = serve(rig, dram, [Stimulus(cycle, port, 512) for cycle, port in order])
    assert [reply.port for reply in replies] == [
        *(Port.ACTIVATIONS, Port.OUTPUTS),
        *(Port.WEIGHTS, Port.ACTIVATIONS, Port.OUTPUTS),
    ]


@pytest.mark.parametrize("transaction_bytes", [64, 256, 1024])
def test_an_urgent_request_waits_for_the_end_of_a_transaction(rig: Rig, transaction_bytes: int) -> None:
    dram = make(rig, rate=64, arbitration="priority", transaction_bytes=transaction_bytes)
    stimuli = [Stimulus(0, Port.WEIGHTS, 2048), Stimulus(1, Port.OUTPUTS, 64)]
    # 64 bytes a cycle: the weights' first transaction ends at its bytes / 64; a write asked for at 1 takes 1 cycle
    boundary = transaction_bytes // 64
    assert serve(rig, dram, stimuli) == [
        Reply(Port.OUTPUTS, 0, boundary + 1),
        Reply(Port.WEIGHTS, 0, 2048 // 64 + 1),
    ]


def test_requests_of_one_cycle_are_all_known_before_the_arbiter_decides(rig: Rig) -> None:
    # The weights ask first and the write last within cycle 5; the order of events must not matter.
    dram = make(rig, rate=64, arbitration="priority")
    replies = serve(rig, dram, [Stimulus(5, port, 64) for port in (Port.WEIGHTS, Port.ACTIVATIONS, Port.OUTPUTS)])
    assert [reply.port for reply in replies] == [Port.OUTPUTS, Port.ACTIVATIONS, Port.WEIGHTS]


@pytest.mark.parametrize("quantum", [1, 2, 8, 64])
def test_a_time_quantum_rounds_every_transaction_up_to_its_parts_of_a_cycle(rig: Rig, quantum: int) -> None:
    rate, transactions = Fraction(51200, 57), 40
    dram = make(rig, rate, time_quantum=quantum, transaction_bytes=8192, burst_bytes=64)
    (reply,) = serve(rig, dram, [Stimulus(0, Port.WEIGHTS, transactions * 8192)])
    ticks = ceil(8192 * quantum / rate)
    assert reply.cycle == ceil(Fraction(transactions * ticks, quantum))
    assert dram.busy_ticks == transactions * ticks


def test_a_finer_quantum_costs_less_and_the_exact_rate_least(rig: Rig) -> None:
    rate, size = Fraction(51200, 57), 100 * 256

    def cycles(quantum: int | None) -> int:
        fresh = Rig(rig.grain)
        return serve(fresh, make(fresh, rate, time_quantum=quantum), [Stimulus(0, Port.WEIGHTS, size)])[0].cycle

    exact, fine, coarse, whole = (cycles(quantum) for quantum in (None, 64, 2, 1))
    assert exact == ceil(size / rate)
    assert exact <= fine < coarse < whole == 100 * ceil(256 / rate)


@pytest.mark.parametrize("policy", ["first_come", "priority", "round_robin"])
@pytest.mark.parametrize("quantum", [None, 1, 8])
def test_random_requests_are_served_as_on_paper(rig: Rig, policy: str, quantum: int | None) -> None:
    for seed in range(40):
        rng = random.Random(f"{policy} {quantum} {seed}")
        rate = rng.choice([Fraction(64), Fraction(51200, 57), Fraction(rng.randint(1, 4000), rng.randint(1, 60))])
        transaction, latency = rng.choice([64, 192, 1024]), rng.choice([0, 1, 30])
        pace = rng.choice([0, 2, 20, 200])
        stimuli = [
            Stimulus(rng.randint(0, pace), rng.choice(list(Port)), rng.randint(1, rng.choice([64, 600, 3000])))
            for _ in range(rng.randint(1, 25))
        ]
        stimuli.sort(key=lambda stimulus: stimulus.cycle)
        fresh = Rig(rig.grain)
        dram = make(fresh, rate, latency, arbitration=policy, transaction_bytes=transaction, time_quantum=quantum)
        assert serve(fresh, dram, stimuli) == ideal(stimuli, rate, policy, transaction, latency, quantum)


def test_nobody_waits_forever_but_under_priority(rig: Rig) -> None:
    # Writes ask without end for the whole channel; a weight chunk of 4 transactions asks once.
    writes = [Stimulus(4 * i, Port.OUTPUTS, 256) for i in range(100)]
    done = {}
    for policy in ("first_come", "round_robin", "priority"):
        fresh = Rig(rig.grain)
        dram = make(fresh, rate=64, arbitration=policy)
        replies = serve(fresh, dram, [*writes[:5], Stimulus(18, Port.WEIGHTS, 4 * 256), *writes[5:]])
        done[policy] = next(reply.cycle for reply in replies if reply.port is Port.WEIGHTS)
    # first come: the write asked for at 16 leaves at 20, then the chunk; round robin: every second turn is its own
    assert done == {"first_come": 20 + 4 * 4, "round_robin": 20 + 4 * 4 + 3 * 4, "priority": 100 * 4 + 4 * 4}
