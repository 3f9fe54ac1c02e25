"""What streams reach of the pins' rate, by standard and share of writes, and beside what cards were measured to."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from gpu_ref.forecast.silicon import silicon
from gpu_ref.reference import cards as reference
from sim.errors import Place
from sim.units.dram import Port
from sim.units.dram.banks.keys import WriteBufferKeys
from sim.units.dram.banks.mapping import BankMapping
from sim.units.dram.banks.placement import Placement
from sim.units.dram.banks.policy import BankSettings
from sim.units.dram.banks.rows import RowChannel
from sim.units.dram.banks.standards import standards
from sim.units.dram.banks.timings import BankTimings, at_pin_rate
from sim.units.dram.banks.writes import WriteBuffer
from sim.yaml_reader import parse

CARDS = Path(__file__).with_name("cards.yaml")
ORDER, QUEUE, CHUNK, CHUNKS = "row bank column group channel", 40, 32, 6000
MIXES = {"reads": (1, 0), "halves": (1, 1), "writes": (0, 1)}
"""Chunks of reads and of writes in turn, named as in dram.efficiency."""


@cache
def reached(name: str, rate: float, mix: str) -> float:
    """Share of the pins' rate that requests in turn reach, with the queues that a machine has unless told otherwise."""
    row, buffer = standards()[name], WriteBufferKeys()
    timings = BankTimings(**at_pin_rate(row.clocks, round(rate, 3), row.pin_gigabits_per_second))
    sizes = {"row": row.rows, "bank": row.banks, "column": row.columns, "group": row.groups, "channel": 1}
    mapping = BankMapping(ORDER, sizes)
    channel = RowChannel(BankSettings(timings, mapping, QUEUE, False, row.act_slots, row.cas_slots))
    writes, placement = WriteBuffer(channel, buffer.bursts, buffer.high, buffer.low), Placement(mapping)
    kinds = [Port.WEIGHTS] * MIXES[mix][0] + [Port.OUTPUTS] * MIXES[mix][1]
    for index in range(CHUNKS):
        port = kinds[index % len(kinds)]
        first = placement.place(port, CHUNK)
        if port is Port.OUTPUTS:
            writes.take(first, CHUNK, 0)
            writes.drain(writes.due(reads_wait=True))
        else:
            channel.serve(first, CHUNK, 0, False)
    writes.drain(writes.buffered)
    return CHUNKS * CHUNK * timings.CCDS / channel.end


def shares() -> list[str]:
    """Every standard at its own pin rate."""
    lines = ["| standard | pins, Gb/s | reads | half writes | writes |", "|---|---|---|---|---|"]
    for name, row in standards().items():
        rate = row.pin_gigabits_per_second
        lines.append(f"| {name} | {rate:g} | " + " | ".join(f"{reached(name, rate, mix):.1%}" for mix in MIXES) + " |")
    return lines


def cards() -> list[str]:
    """A stream of reads beside the largest bandwidth that was measured."""
    lines = ["| card | standard | pins, GB/s | model, reads | measured | of the pins |", "|---|---|---|---|---|---|"]
    found: dict[str, dict[str, Any]]
    found, _ = parse(CARDS.read_text(), lambda _: Place(CARDS.name))
    for card, memory in found.items():
        name = memory["standard"]
        pins = reference.shipped().cards[card].bytes_per_second.value
        measured = silicon().cards[card].sustained_bytes_per_second
        row = standards()[name]
        share = reached(name, 8e-9 * pins / (memory["stacks"] * row.channels * row.channel_bits), "reads")
        figures = f"{pins / 1e9:,.0f} | {share:.1%} | {measured / 1e9:,.0f} | {measured / pins:.1%}"
        lines.append(f"| {card} | {name} | {figures} |")
    return lines
