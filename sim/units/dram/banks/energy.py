"""What commands and standby cost, from the currents of a device, as DRAMsim3 counts it.

    ACT, its PRE too    V (IDD0 tRC - IDD3N tRAS - IDD2N tRP)        RD, WR    V (IDD4R, IDD4W - IDD3N) burst
    REF                 V (IDD5 - IDD3N) tRFC, once every tREFI      standby   V IDD3N with rows open, V IDD2N closed,
                                                                               V IDD2P in power-down
mA x V x ns = pJ. IDD4 holds neither the pins' drivers nor the PHY: they take what the price of a bit has beyond all of
this when the pins are always busy reading.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.arch.schema import Arch
from sim.cost.scaling import SQUARE_MILLIMETRES, registers
from sim.cost.terms import CostTerms
from sim.units.dram.banks.keys import BanksConfig
from sim.units.dram.banks.timings import BankTimings


@dataclass(frozen=True)
class Currents:
    """Of a device in milliamperes, with its volts, and the devices of a channel."""

    volts: float
    devices: float
    IDD0: float
    IDD2P: float
    IDD2N: float
    IDD3N: float
    IDD4R: float
    IDD4W: float
    IDD5: float


@dataclass(frozen=True)
class CommandPrices:
    """Of one channel: picojoules of a command, milliwatts of what goes on by itself."""

    activate: float
    read_per_byte: float
    write_per_byte: float
    refresh_milliwatts: float
    open_milliwatts: float
    closed_milliwatts: float
    down_milliwatts: float
    per_bit_reading: float
    """Picojoules of a bit where nothing is done but read, every row to its end, without a pause but for refresh."""


def command_prices(
    t: BankTimings, currents: Currents, clock_picoseconds: float, columns: int, burst_bytes: int
) -> CommandPrices:
    """The prices of a standard at its own clock; a command costs the same at another."""
    c, ns = currents, clock_picoseconds / 1000
    milliwatt = c.volts * c.devices
    activate = milliwatt * ns * (c.IDD0 * t.RC - c.IDD3N * t.RAS - c.IDD2N * t.RP)
    read = milliwatt * ns * (c.IDD4R - c.IDD3N) * t.BL
    refresh = milliwatt * (c.IDD5 - c.IDD3N) * t.RFC / t.REFI
    standing = refresh + milliwatt * c.IDD3N
    reading = activate / columns + read + standing * ns * t.BL
    return CommandPrices(
        activate=activate,
        read_per_byte=read / burst_bytes,
        write_per_byte=milliwatt * ns * (c.IDD4W - c.IDD3N) * t.BL / burst_bytes,
        refresh_milliwatts=refresh,
        open_milliwatts=milliwatt * c.IDD3N,
        closed_milliwatts=milliwatt * c.IDD2N,
        down_milliwatts=milliwatt * c.IDD2P,
        per_bit_reading=reading / (8 * burst_bytes),
    )


def command_terms(
    arch: Arch, prices: CommandPrices, channels: int, interface_per_bit: float, down: bool
) -> tuple[CostTerms, ...]:
    """What a machine pays by its counters and in standby, whose rows are open for `dram.open_cycles`."""
    rest = prices.down_milliwatts if down else prices.closed_milliwatts
    cycle = 1e9 / float(arch.clock.hertz)  # picojoules of a milliwatt
    read, write = prices.read_per_byte, prices.write_per_byte
    sides = ("weight", "activation", "output")
    return (
        CostTerms("dram_activates", {"dram.activates": prices.activate}),
        CostTerms("dram_reads", {"dram.weight_bytes": read, "dram.activation_bytes": read}),
        CostTerms("dram_writes", {"dram.output_bytes": write}),
        CostTerms("dram_refresh", standing_milliwatts=channels * prices.refresh_milliwatts),
        CostTerms(
            "dram_standby",
            {"dram.open_cycles": channels * (prices.open_milliwatts - rest) * cycle},
            standing_milliwatts=channels * rest,
        ),
        CostTerms("dram_interface", {f"dram.{side}_bytes": 8 * interface_per_bit for side in sides}),
    )


def controller_terms(arch: Arch, channels: int, keys: BanksConfig, burst_bytes: int) -> CostTerms:
    """The controller on the chip: memory for the writes that wait, a register for every burst it looks at."""
    cost = arch.cost.controller
    held = registers(arch, channels * keys.queue_bursts * cost.load_bits)
    bits = 8 * burst_bytes * channels * keys.write_buffer.bursts
    area = bits * cost.block_square_micrometres_per_bit * SQUARE_MILLIMETRES
    return CostTerms(
        "dram_controller",
        standing_milliwatts=held.milliwatts,
        area_square_millimetres=held.square_millimetres + area,
    )
