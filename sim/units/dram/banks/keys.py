"""The keys of `dram` with `kind: banks`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from sim.arch.dram import ARBITRATION, DramConfig, one_of
from sim.arch.section import Count, MachineSection, NotNegative, NotNegativeCount, Positive
from sim.units.dram.banks.standards import standards


def _standard(name: str) -> str:
    if name not in standards():
        *others, last = map(repr, standards())
        wrong = InitErrorDetails(
            type="literal_error", loc=(), input=name, ctx={"expected": f"{', '.join(others)} or {last}"}
        )
        raise ValidationError.from_exception_data("standard", [wrong])
    return name


class TimingKeys(MachineSection):
    """Timings of a part that differ from its standard's, in clocks at the machine's pin rate, named as JEDEC does."""

    BL: Count | None = None
    """A burst on the data bus."""
    CL: Count | None = None
    """RD to data."""
    CWL: Count | None = None
    """WR to data."""
    RCDRD: Count | None = None
    """ACT to RD."""
    RCDWR: Count | None = None
    """ACT to WR."""
    RP: Count | None = None
    """PRE to ACT."""
    RAS: Count | None = None
    """ACT to PRE."""
    RC: Count | None = None
    """ACT to ACT of a bank."""
    WR: Count | None = None
    """Last data written to PRE."""
    RTP: Count | None = None
    """RD to PRE."""
    CCDS: Count | None = None
    """RD to RD and WR to WR."""
    CCDL: Count | None = None
    """RD to RD of a bank group."""
    CCDL_WR: Count | None = None
    """WR to WR of a bank group."""
    RRDS: Count | None = None
    """ACT to ACT."""
    RRDL: Count | None = None
    """ACT to ACT of a bank group."""
    FAW: Count | None = None
    """ACT to the fourth ACT after it."""
    WTRS: Count | None = None
    """Last data written to RD."""
    WTRL: Count | None = None
    """Last data written to RD of the bank group."""
    RTW: Count | None = None
    """RD to WR, with the turn of the data bus."""
    RFC: Count | None = None
    """REF of all banks to ACT."""
    REFI: Count | None = None
    """REF to REF."""
    XP: Count | None = None
    """Out of power-down to ACT."""


class WriteBufferKeys(MachineSection):
    """Writes wait in the controller until there are enough of them to turn the bus around for."""

    bursts: Count = 32
    """Places of a channel."""
    high: Count = 26
    """More bursts than this begin a batch."""
    low: NotNegativeCount = 6
    """Bursts that a batch leaves behind."""


class CurrentKeys(MachineSection):
    """Currents of a device in milliamperes, named as JEDEC names them."""

    volts: Positive
    devices: Positive
    """Of a channel."""
    IDD0: Positive
    """A row opened and closed every tRC."""
    IDD2P: Positive
    """Power-down, rows closed."""
    IDD2N: Positive
    """Standby, rows closed."""
    IDD3N: Positive
    """Standby, a row open."""
    IDD4R: Positive
    """Reads back to back."""
    IDD4W: Positive
    """Writes back to back."""
    IDD5: Positive
    """During a refresh of all banks."""


class BanksConfig(DramConfig):
    standard: Annotated[str, AfterValidator(_standard)]
    """A row of sim/units/dram/banks/standards.yaml."""
    count: Count
    """Stacks of an HBM, modules of DDR5, channels of LPDDR5."""
    pin_gigabits_per_second: Positive | None = None
    """Of the data pins; null is the standard's own."""
    latency_nanoseconds: NotNegative
    """Controller, PHY and wires, there and back: what a read takes beside its banks."""
    transaction_bytes: Count
    """What is moved between two decisions of the arbiter, over all channels."""
    arbitration: Annotated[str, AfterValidator(lambda name: one_of(ARBITRATION, name))]
    """Between reads; writes go when the write buffer says so."""
    mapping: str = "row bank column group channel"
    """Order of the address fields, the last changes first."""
    page: Literal["open", "closed"] = "open"
    """Whether a row stays open behind a transaction."""
    idle: Literal["precharged", "power_down"] = "precharged"
    """What a channel does when it has had nothing to do for as long as a refresh takes; power-down adds tXP."""
    queue_bursts: Count = 40
    """Bursts of a channel that the controller looks at."""
    write_buffer: WriteBufferKeys = WriteBufferKeys()
    timings: TimingKeys = TimingKeys()
    energy: Literal["bits", "commands"] = "bits"
    """What is paid for: every bit that moves, or commands and standby; cost.dram is then the price of a bit while the
    pins are always busy reading."""
    currents: CurrentKeys | None = None
    """Of a part; null is the standard's."""

    @model_validator(mode="before")
    @classmethod
    def _no_bandwidth(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in ("bandwidth_gigabytes_per_second", "burst_bytes"):
                if key in values:
                    raise ValueError(f"{key} follows from dram.standard, dram.count and dram.pin_gigabits_per_second")
        return values
