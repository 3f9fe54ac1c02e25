"""OpenSTA's longest path of a mapped netlist, where it is installed: another program, the same table.

Its Liberty file has the wires in the capacitance of the pins; ports are driven and loaded as in timing.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from sim.errors import InputError
from sim.rtl.area.mapping import Mapped
from sim.rtl.area.timing import CLOCK_SLEW, port_load
from sim.rtl.library.liberty import write

PERIOD = 1e6
"""Picoseconds, longer than any path."""


def installed() -> bool:
    """Whether there is an OpenSTA, `sta` (Debian: opensta)."""
    return shutil.which("sta") is not None


def longest_path(netlist: Mapped) -> float:
    """Picoseconds from the launching edge to the capturing one, its setup with them.

    Raises
    ------
    InputError
        Where OpenSTA fails.
    """
    library = netlist.library
    steep = library.slews[CLOCK_SLEW]
    script = f"""
        read_liberty cells.lib
        read_verilog netlist.v
        link_design top
        create_clock -name clock -period {PERIOD:g} [get_ports clk_i]
        set_clock_transition {steep:g} [get_clocks clock]
        set_input_delay 0 -clock clock [all_inputs]
        set_output_delay 0 -clock clock [all_outputs]
        set_input_transition {steep:g} [all_inputs]
        set_load {port_load(library):.6f} [all_outputs]
        report_checks -path_delay max -digits 4
        exit
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cells.lib").write_text(write(library, library.wire_of_pin))
        Path(folder, "netlist.v").write_text(verilog(netlist))
        Path(folder, "run.tcl").write_text(script)
        done = subprocess.run(
            ["sta", "-no_splash", "-exit", "run.tcl"],
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    slack = re.search(r"(-?[\d.]+)\s+slack", done.stdout)
    if slack is None:
        raise InputError(f"OpenSTA: {(done.stderr + done.stdout).strip()[-400:]}", field="rtl area")
    return PERIOD - float(slack[1])


def verilog(netlist: Mapped) -> str:
    """The netlist as structural Verilog, its module called top; a bit of a port is a port."""
    ports, lines = [], []
    for name, nets in netlist.ports.items():
        width = f"[{len(nets) - 1}:0] " if len(nets) > 1 else ""
        ports.append(f"{netlist.directions[name]} {width}{name}")
        for bit, net in enumerate(nets):
            at = f"{name}[{bit}]" if width else name
            given, taken = (_net(net), at) if netlist.directions[name] == "input" else (at, _net(net))
            lines.append(f"  assign {given} = {taken};")
    for index, (cell, pins) in enumerate(netlist.cells):
        joined = ", ".join(
            f".{pin}({_net(net)})" for pin, net in pins.items() if pin in cell.inputs or pin in cell.outputs
        )
        lines.append(f"  {cell.name} c{index} ({joined});")
    used = [net for _, pins in netlist.cells for net in pins.values()]
    used += [net for nets in netlist.ports.values() for net in nets]
    wires = [f"  wire {_net(net)};" for net in sorted({net for net in used if isinstance(net, int)})]
    return "\n".join([f"module top ({', '.join(ports)});", *wires, *lines, "endmodule", ""])


def _net(net: Any) -> str:
    return f"n{net}" if isinstance(net, int) else f"1'b{0 if net == 'x' else net}"
