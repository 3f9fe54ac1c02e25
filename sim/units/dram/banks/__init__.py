"""DRAM as banks: activates, row hits, turns of the bus, refresh, standby; docs/dram.md tells how good it is.

standards.yaml   timings, organisation and currents of the standards
mapping.py       which bank, row and column an address is
policy.py        what the controller serves next; rows.py finds the slots by equations, commands.py one by one
writes.py        the write buffer
placement.py     where operands lie
unit.py          the unit: requests, arbitration, clocks
    energy.py        what commands and standby cost, from currents
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cached_property
from math import ceil, floor

from sim.arch.schema import Arch, Hardware
from sim.cost.terms import CostTerms
from sim.mapping.operands import ceil_div
from sim.units.dram import DramModel, Promise
from sim.units.dram.banks.energy import Currents, command_prices, command_terms, controller_terms
from sim.units.dram.banks.keys import BanksConfig
from sim.units.dram.banks.mapping import BankMapping, MappingError
from sim.units.dram.banks.policy import BankSettings
from sim.units.dram.banks.standards import Standard, standards
from sim.units.dram.banks.timings import BankTimings, at_pin_rate, contradictions
from sim.units.dram.banks.unit import BanksParts, BanksUnit
from sim.units.unit import Bench


class Banks(DramModel):
    """Channels of banks, by standard."""

    kind = "banks"
    summary = "banks of a standard: row hits and misses, turns of the bus, refresh, standby"
    section = BanksConfig

    def __init__(self, hardware: Hardware) -> None:
        super().__init__(hardware)
        assert isinstance(hardware.dram, BanksConfig)
        self.keys = hardware.dram
        self.standard: Standard = standards()[self.keys.standard]
        self.channels = self.standard.channels * self.keys.count
        self.stripe_bytes = self.channels * self.standard.burst_bytes
        self.capacity_bytes = self.channels * self.standard.channel_bytes

    @cached_property
    def pin_rate(self) -> float:
        """Gigabits a second."""
        return self.keys.pin_gigabits_per_second or self.standard.pin_gigabits_per_second

    @cached_property
    def timings(self) -> BankTimings:
        """At the machine's pin rate, with what its keys change."""
        clocks = at_pin_rate(self.standard.clocks, self.pin_rate, self.standard.pin_gigabits_per_second)
        changed = {name: n for name, n in self.keys.timings if name != "source" and n is not None}
        return BankTimings(**clocks | changed)

    @cached_property
    def clocks_per_cycle(self) -> Fraction:
        """DRAM clocks in a cycle of the machine."""
        return self.standard.clock_hertz(self.pin_rate) / self.hardware.clock.hertz

    @cached_property
    def mapping(self) -> BankMapping:
        """The order of address fields over the standard's sizes; raises MappingError."""
        s = self.standard
        sizes = {"row": s.rows, "bank": s.banks, "column": s.columns, "group": s.groups, "channel": self.channels}
        return BankMapping(self.keys.mapping, sizes)

    def check(self) -> None:
        refuse = self.hardware.refuse
        try:
            least = self.stripe_bytes * self.mapping.channels_below
        except MappingError as error:
            allowed = "row, then bank, column, group and channel in any order"
            raise refuse("dram.mapping", f"{error}: found {self.keys.mapping!r}", allowed=allowed) from None
        for name, problem, needed in contradictions(self.timings):
            raise refuse(f"dram.timings.{name}", problem, needed=needed, timings=f"of {self._described}")
        if self.keys.transaction_bytes % least:
            problem = f"found {self.keys.transaction_bytes}: {self.channels} channels move equal parts of a transaction"
            raise refuse("dram.transaction_bytes", problem, allowed=f"multiples of {least}")
        buffer = self.keys.write_buffer
        if not buffer.low < buffer.high < buffer.bursts:
            problem = f"found low {buffer.low}, high {buffer.high}, bursts {buffer.bursts}"
            raise refuse("dram.write_buffer", problem, needed="low < high < bursts")

    @property
    def _described(self) -> str:
        return f"{self.keys.standard} at {self.pin_rate:g} Gb/s a pin"

    # --- promises

    @cached_property
    def bytes_per_cycle(self) -> Fraction:
        """Of the data pins."""
        return self.stripe_bytes * self.clocks_per_cycle / self.timings.CCDS

    @cached_property
    def latency_cycles(self) -> int:
        """Rounded up to whole cycles."""
        return ceil(Fraction(str(self.keys.latency_nanoseconds)) * self.hardware.clock.hertz / 10**9)

    def bus_bytes(self, size: int) -> int:
        return ceil_div(size, self.standard.burst_bytes) * self.standard.burst_bytes

    def least_cycles(self, moved: int) -> int:
        # The first burst may leave with a cycle's first clock, and the last one's slot need not have passed.
        return max(0, floor((ceil_div(moved, self.stripe_bytes) - 1) * self.timings.CCDS / self.clocks_per_cycle))

    def read_cycles(self, moved: int) -> int:
        t, more = self.timings, ceil_div(moved, self.stripe_bytes) - 1
        return floor((t.RCDRD + t.CL + t.BL + more * t.CCDS) / self.clocks_per_cycle) + self.latency_cycles

    def write_cycles(self, moved: int) -> int:
        t, more = self.timings, ceil_div(moved, self.stripe_bytes) - 1
        return floor((t.CWL + t.BL + more * t.CCDS) / self.clocks_per_cycle)

    def most_cycles(self, moved: int, reads: int, writes: int) -> int:
        """Every transaction opens all rows it touches, after a write, before a turn, and refreshes come between."""
        t = self.timings
        requests = reads + writes
        bursts = ceil_div(moved, self.stripe_bytes) + requests
        transactions = moved // self.keys.transaction_bytes + requests
        pieces = bursts // self.mapping.row_set + 2 * transactions if self._runs else bursts
        turn = t.RTW + t.CWL + t.BL + t.WTRL
        opening = t.RC + t.write_to_precharge + t.RP + max(t.RCDRD, t.RCDWR) + turn
        opening += self.mapping.groups * (max(t.RRDL, t.FAW) + self.standard.act_slots) + self._wake_clocks
        column = max(t.CCDS, self.standard.cas_slots) if self._runs else max(t.CCDL, t.CCDL_WR)
        clocks = pieces * opening + bursts * column + requests * (t.CL + t.BL)
        stop = t.refresh_stop + 2 * opening
        refreshed = (clocks + stop) / (1 - Fraction(stop, max(t.REFI, 2 * stop)))
        return ceil(refreshed / self.clocks_per_cycle) + reads * self.latency_cycles + 2 * (requests + transactions)

    @property
    def _runs(self) -> bool:
        """Whether rows are gone through from end to end."""
        return self.mapping.rotates and self.keys.page == "open" and self.keys.mapping.split()[1] == "bank"

    @property
    def _wake_clocks(self) -> int:
        return self.timings.XP if self.keys.idle == "power_down" else 0

    def promises(self, counters: Mapping[str, int], cycles: int, requests: int) -> Iterable[Promise]:
        t, n, clocks = self.timings, self.channels, floor(cycles * self.clocks_per_cycle)
        moved = sum(counters[f"dram.{side}_bytes"] for side in ("weight", "activation", "output"))
        hits, misses, conflicts = (counters[f"dram.row_{found}"] for found in ("hits", "misses", "conflicts"))
        bursts, opened = hits + misses + conflicts, counters["dram.activates"]
        asked = moved // self.standard.burst_bytes
        return (
            # What a stripe has too much for the last bytes of a request is moved by no one.
            Promise("bursts for the bytes moved", asked, bursts, asked + n * requests),
            Promise("slots of the bus", 0, bursts // n * t.CCDS, clocks + t.CCDS),
            Promise("rows opened that tFAW allows", 0, opened // n, 4 * (clocks // t.FAW + 1)),
            Promise("rows opened for bursts that missed", misses + conflicts, opened, misses + conflicts),
            Promise("rows closed of those opened", conflicts, counters["dram.precharges"], opened),
            Promise("refreshes that stop the bus", 0, counters["dram.refresh_stops"], clocks // t.REFI + 1),
            Promise("busy cycles", 0, counters["dram.busy_cycles"], cycles),
            Promise("cycles with rows open", 0, counters["dram.open_cycles"], cycles),
        )

    @property
    def currents(self) -> Currents | None:
        """Of a device; None where nobody publishes them."""
        given = self.keys.currents
        found = self.standard.currents if given is None else given.model_dump(exclude={"source"})
        return None if found is None else Currents(**found)

    def costs(self, arch: Arch) -> tuple[CostTerms, ...]:
        terms = controller_terms(arch, self.channels, self.keys, self.standard.burst_bytes)
        if self.keys.energy == "bits":
            return (*super().costs(arch), terms)
        currents = self.currents
        if currents is None:
            known = ", ".join(name for name, row in standards().items() if row.currents)
            problem = f"nobody publishes the currents of {self.keys.standard}"
            needed = "dram.currents, or dram.energy: bits"
            raise arch.refuse("dram.energy", problem, needed=needed, known=f"those of {known}")
        own = BankTimings(**self.standard.clocks)
        picoseconds = 10**12 / float(self.standard.clock_hertz(self.standard.pin_gigabits_per_second))
        prices = command_prices(own, currents, picoseconds, self.standard.columns, self.standard.burst_bytes)
        interface = arch.cost.dram.energy_picojoules_per_bit - prices.per_bit_reading
        if interface < 0:
            problem = f"found {arch.cost.dram.energy_picojoules_per_bit} with wires and PHY: less than the banks alone"
            needed = f"{prices.per_bit_reading:.3f} of {self.keys.standard}'s currents"
            raise arch.refuse("cost.dram.energy_picojoules_per_bit", problem, needed=needed)
        down = self.keys.idle == "power_down"
        return (*command_terms(arch, prices, self.channels, interface, down), terms)

    def unit(self, bench: Bench) -> BanksUnit:
        keys, buffer = self.keys, self.keys.write_buffer
        settings = BankSettings(
            timings=self.timings,
            mapping=self.mapping,
            queue_bursts=keys.queue_bursts,
            closed_page=keys.page == "closed",
            act_slots=self.standard.act_slots,
            cas_slots=self.standard.cas_slots,
            wake_clocks=self._wake_clocks,
        )
        parts = BanksParts(
            settings=settings,
            channels=self.channels,
            stripe_bytes=self.stripe_bytes,
            transaction_bursts=keys.transaction_bytes // self.stripe_bytes,
            clocks_per_cycle=self.clocks_per_cycle,
            latency_cycles=self.latency_cycles,
            arbitration=keys.arbitration,
            write_places=buffer.bursts,
            write_high=buffer.high,
            write_low=buffer.low,
        )
        return BanksUnit(bench, self, parts)
