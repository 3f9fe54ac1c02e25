"""Energy of a case by the simulator's prices of commands and standby, one device a channel as in the reference."""

from __future__ import annotations

from benchmarks.dram.cases import DramCase
from benchmarks.dram.model import play_in_order
from sim.units.dram.banks.energy import Currents, command_prices
from sim.units.dram.banks.standards import standards
from sim.units.dram.banks.timings import BankTimings


def picojoules(case: DramCase) -> float:
    """Of activates, reads, writes, refresh and standby with rows open; pins and PHY are in neither."""
    row = standards()[case.standard]
    assert row.currents is not None
    clock = 10**12 / float(row.clock_hertz(row.pin_gigabits_per_second))
    currents = Currents(**{**row.currents, "devices": 1})
    prices = command_prices(BankTimings(**row.clocks), currents, clock, row.columns, row.burst_bytes)
    channel, end = play_in_order(case)
    written = sum(run.bursts for transfer in case.transfers if transfer.write for run in transfer.runs)
    read = sum(run.bursts for transfer in case.transfers if not transfer.write for run in transfer.runs)
    nanoseconds = end * clock / 1000
    moved = row.burst_bytes * (prices.read_per_byte * read + prices.write_per_byte * written)
    return (
        channel.activates * prices.activate + moved + nanoseconds * (prices.refresh_milliwatts + prices.open_milliwatts)
    )
