"""Channels of banks and traffic for them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from sim.units.dram.banks.commands import CommandChannel
from sim.units.dram.banks.mapping import BankMapping
from sim.units.dram.banks.policy import BankSettings
from sim.units.dram.banks.standards import standards
from sim.units.dram.banks.timings import BankTimings
from tests.units.banks.checker import Verdict, replay

USUAL = "row bank column group channel"
ORDERS = (
    *[USUAL] * 6,
    "row column bank group channel",
    "row bank group column channel",
    "row channel bank column group",
)


class Access(NamedTuple):
    """One transaction, or where `after_rest` the first one since the channel has had nothing to do for long."""

    first: int
    bursts: int
    arrival: int
    write: bool
    after_rest: bool


def settings(standard: str = "HBM2", order: str = USUAL, **changes: object) -> BankSettings:
    """A controller of a standard; changes are of timings, or of the controller."""
    row = standards()[standard]
    own = {name: value for name, value in changes.items() if name in BankTimings._fields}
    rest = {name: value for name, value in changes.items() if name not in own}
    sizes = {"row": row.rows, "bank": row.banks, "column": row.columns, "group": row.groups, "channel": row.channels}
    keys = {"queue_bursts": 40, "closed_page": False, "act_slots": row.act_slots, "cas_slots": row.cas_slots}
    timings = BankTimings(**{**row.clocks, **own})  # type: ignore[arg-type]
    return BankSettings(timings=timings, mapping=BankMapping(order, sizes), **{**keys, **rest})  # type: ignore[arg-type]


def random_settings(rng: random.Random) -> BankSettings:
    return settings(
        rng.choice(list(standards())),
        rng.choice(ORDERS),
        queue_bursts=rng.choice((16, 32, 40, 64)),
        closed_page=rng.random() < 0.2,
        wake_clocks=rng.choice((0, 0, 8)),
    )


def traffic(rng: random.Random, controller: BankSettings, ends: list[int]) -> Iterator[Access]:
    """Streams that jump, two that read and one that writes; `ends` says how long the channel is busy."""
    heads = [rng.randrange(4) * 997 * controller.mapping.row_set for _ in range(3)]
    now = 0
    for _ in range(rng.randrange(20, 120)):
        port, bursts = rng.choice((0, 0, 0, 1, 1, 2)), rng.choice((1, 3, 8, 16, 32, 32, 64, 128))
        if rng.random() < 0.2:
            heads[port] = rng.randrange(1 << 20)
        now += rng.choice((0, 0, 0, 0, 5, 50, 150, 500))
        rests = now - ends[-1] >= controller.timings.refresh_stop
        now = 0 if rests else now
        yield Access(heads[port], bursts, now, port == 2, rests)
        heads[port] += bursts


def verdict_of(channel: CommandChannel, timings: BankTimings | None = None) -> Verdict:
    """What the checker says of the commands that a channel has issued, which are taken from it."""
    mapping, rules = channel.mapping, (timings or channel.t)._asdict()
    verdict = replay(rules, mapping.groups, mapping.banks, channel.issued)
    channel.issued = []
    return verdict
