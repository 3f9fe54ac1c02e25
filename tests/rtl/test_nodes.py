"""PEs in real cells: netlists that compute, paths that add up and that another program finds too."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sim.cli import main
from sim.errors import InputError
from sim.rtl.area import closing, opensta
from sim.rtl.area.mapping import GATED_BITS, Mapped, synthesise_for
from sim.rtl.area.timing import analyse, loads, port_load
from sim.rtl.library.table import Arc, Library, StandardCell, load, names

PERIOD = 3508.0
"""Of 285 MHz, in picoseconds."""


def evaluate(netlist: Mapped, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Bits of the only output port of a netlist without state, (cases, width), by the functions of its cells."""
    values = {"0": np.False_, "1": np.True_, "x": np.False_}
    for port, bits in inputs.items():
        values |= {net: bits[:, i] for i, net in enumerate(netlist.ports[port])}
    for cell, pins in netlist.gates():
        for pin, function in cell.outputs.items():
            if pin in pins:
                python = re.sub(r"[!*+]", lambda mark: {"!": "~", "*": "&", "+": "|"}[mark[0]], function)
                values[pins[pin]] = eval(python, {name: values[pins[name]] for name in cell.inputs})
    (nets,) = [netlist.ports[name] for name, way in netlist.directions.items() if way == "output"]
    return np.stack([np.broadcast_to(values[net], next(iter(inputs.values())).shape[:1]) for net in nets], axis=1)


@pytest.mark.usefixtures("synthesiser")
@pytest.mark.parametrize("node", names())
def test_a_product_in_real_cells_is_the_product(node: str) -> None:
    rng = np.random.default_rng(3)
    factors = rng.integers(0, 1 << 16, (2, 300), dtype=np.uint16)
    factors = np.where((factors >> 10 & 31) == 31, factors & 0x83FF, factors).astype(np.uint16)
    netlist = synthesise_for(node, "fp16_multiply", {}, PERIOD)
    bits = [np.unpackbits(f.view(np.uint8).reshape(-1, 2), axis=1, bitorder="little").astype(bool) for f in factors]
    found = evaluate(netlist, {"a_i": bits[0], "b_i": bits[1]})
    words = np.packbits(found, axis=1, bitorder="little").view("<u4")[:, 0]
    a, b = (f.view(np.float16).astype(np.float32) for f in factors)
    assert np.array_equal(words.view(np.float32), a * b)
    if "full_adder" in netlist.library.parts:
        assert netlist.counts()[netlist.library.parts["full_adder"]] > 50  # of 11 rows of 11 bits


@pytest.mark.usefixtures("synthesiser")
@pytest.mark.parametrize("node", names())
def test_a_weight_buffer_is_flip_flops_and_three_clock_gates(node: str) -> None:
    netlist = synthesise_for(node, "weight_buffer", {"GroupSize": 16}, PERIOD)
    parts, cells = netlist.library.parts, netlist.library.cells
    flip_flops, gates = 2 * (16 * 4 + 19), 3  # two banks; shadow's weights, shadow's scale, the swap of both
    counts = netlist.counts()
    assert counts[parts["flip_flop"]] == netlist.flip_flops == flip_flops
    assert counts[parts["clock_gate"]] == gates
    least = flip_flops * cells[parts["flip_flop"]].area + gates * cells[parts["clock_gate"]].area
    assert netlist.area >= least - 1e-6
    assert GATED_BITS <= 19


def linear(name: str, pin: str, out: str, delay: float, a_load: float) -> Arc:
    table = tuple(tuple(delay + a_load * load for load in (1.0, 9.0)) for _ in range(2))
    slew = ((2.0, 2.0), (2.0, 2.0))
    return Arc(pin, out, "non_unate" if name == "ff" else "negative_unate", 0.0, table, table, slew, slew)


def chain(inverters: int) -> Mapped:
    """A flip-flop, inverters, a flip-flop; the wire to a pin is 0.5 fF, a pin 1 fF."""
    inverter = StandardCell(
        "inv", 1.0, 0.0, {"A": 1.0}, {"Y": "!A"}, (1.0, 9.0), (linear("inv", "A", "Y", 10, 2),), {}, 0, 0
    )
    roles = {"clock": "C", "data": "D"}
    flip_flop = StandardCell(
        "ff", 4.0, 0.0, {"C": 1.0, "D": 1.0}, {"Q": "IQ"}, (1.0, 9.0), (linear("ff", "C", "Q", 30, 2),), roles, 7, 0
    )
    wire = {"femtofarads_per_micrometre": 0.125, "gate_pitches_per_pin": 4}
    parts = {"nand": "inv", "flip_flop": "ff"}
    cells = {"inv": inverter, "ff": flip_flop}
    library = Library("made", 1, 1, 25, (1.0, 2.0), wire, 0.2, parts, {}, cells)
    nets = list(range(2, 3 + inverters))
    gates = [(inverter, {"A": before, "Y": after}) for before, after in pairwise(nets)]
    ends = [(flip_flop, {"C": 1, "D": "0", "Q": nets[0]}), (flip_flop, {"C": 1, "D": nets[-1], "Q": 99})]
    return Mapped(library, {"clk_i": [1]}, {"clk_i": "input"}, [*ends, *gates])


@pytest.mark.parametrize("inverters", [0, 1, 5])
def test_a_path_is_clock_to_output_gates_and_setup(inverters: int) -> None:
    netlist = chain(inverters)
    load = 1.0 + 0.125 * 4 * 1.0  # a pin and its wire: 4 pitches of a gate of 1 um2
    assert loads(netlist)[2] == load
    timing = analyse(netlist)
    assert timing.picoseconds == pytest.approx((30 + 2 * load) + inverters * (10 + 2 * load) + 7)
    assert timing.gates == inverters
    assert timing.megahertz(netlist.library) == pytest.approx(1e6 * (1 - 0.2) / timing.picoseconds)


def test_what_hangs_on_a_port_counts() -> None:
    netlist = chain(1)
    longer = replace(netlist, ports={"q_o": [3], "clk_i": [1]}, directions={"q_o": "output", "clk_i": "input"})
    added = analyse(longer).picoseconds - analyse(netlist).picoseconds
    assert added == pytest.approx(2 * port_load(netlist.library))


@pytest.mark.usefixtures("synthesiser")
@pytest.mark.skipif(not opensta.installed(), reason="OpenSTA is not installed (Debian: opensta)")
@pytest.mark.parametrize("node", names())
def test_opensta_finds_the_same_longest_path(node: str) -> None:
    netlist = synthesise_for(node, "scale_accumulate", {"DotBits": 19}, PERIOD)
    assert opensta.longest_path(netlist) == pytest.approx(analyse(netlist).picoseconds, rel=1e-4)


def test_a_clock_that_no_pe_reaches_is_refused_with_the_highest() -> None:
    found = {name: {"closes": False, "highest_megahertz": clock} for name, clock in (("slow", 90.0), ("fast", 410.0))}
    with pytest.raises(InputError, match="no PE reaches this clock") as refused:
        closing.refuse_out_of_reach(load("asap7"), found, 5000)
    assert refused.value.facts == {"found": "5000 MHz", "highest": "410 MHz, by fast"}
    closing.refuse_out_of_reach(load("asap7"), found | {"fast": {"closes": True, "highest_megahertz": 5001.0}}, 5000)
    closing.refuse_out_of_reach(load("asap7"), found, None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--node", "asap"], "did you mean `asap7`"),
        (["--node", "asap7", "--trace", "somewhere"], "need no operands"),
        (["--clock", "500"], "a clock needs cells"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    monkeypatch.setattr("sys.argv", ["sim.py", "rtl", "area", *options, "--out", str(out)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not out.exists()
