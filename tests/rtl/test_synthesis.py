"""Gates: counted by hand where that is possible, and netlists that still compute the contract."""

from __future__ import annotations

import numpy as np
import pytest

from sim.rtl.area.cells import CELLS, CLOCK_LOAD, OUTPUT_LOAD, gate_equivalents
from sim.rtl.area.elements import ELEMENTS
from sim.rtl.area.energy import Inputs, switched_a_mac
from sim.rtl.area.switching import Simulation
from sim.rtl.area.synthesis import Netlist, synthesise
from sim.rtl.checks.stimulus import random_values, random_weights

pytestmark = pytest.mark.usefixtures("synthesiser")


def test_a_weight_buffer_is_two_banks_of_flip_flops_and_nothing_else() -> None:
    counts = synthesise("weight_buffer", {"GroupSize": 16, "WeightBits": 4}).counts()
    # (16 weights of 4 bits + a scale of 19) x 2 banks
    assert counts == {"$_DFFE_PP_": (16 * 4 + 19) * 2}
    assert gate_equivalents(counts) == (16 * 4 + 19) * 2 * CELLS["$_DFFE_PP_"].transistors / 4


@pytest.mark.parametrize("name", ELEMENTS)
def test_a_synthesised_pe_computes_the_contract(name: str) -> None:
    element, rng = ELEMENTS[name], np.random.default_rng(7)
    netlist = synthesise(element.module, element.parameters)
    values = random_values(rng, (6, 256), tame=False)
    inputs = Inputs(values, random_weights(rng, 6, 256, zero_points=False, tame=True))
    assert switched_a_mac(element, netlist, inputs, mantissa_bits=7) > 0  # raises where an output is wrong


def test_switching_is_counted_net_by_net() -> None:
    # a NAND b -> y -> D of a flip-flop that is always enabled -> q
    nand, flip_flop = CELLS["$_NAND_"], CELLS["$_DFF_P_"]
    netlist = Netlist(
        {"a": [2], "b": [3], "q": [5]},
        [("$_NAND_", {"A": 2, "B": 3, "Y": 4}), ("$_DFF_P_", {"C": 6, "D": 4, "Q": 5})],
    )
    simulation = Simulation(netlist, streams=1)
    off, on = np.zeros(1, np.bool_), np.ones(1, np.bool_)
    simulation.cycle({"a": off, "b": off})  # y rises
    simulation.cycle({"a": off, "b": off})  # q rises
    simulation.start_counting()
    simulation.cycle({"a": on, "b": on})  # a and b rise, y falls
    y, a, b = flip_flop.loads["D"] + OUTPUT_LOAD, nand.loads["A"], nand.loads["B"]
    assert simulation.switched == a + b + y + CLOCK_LOAD
    simulation.start_counting()
    simulation.cycle({"a": on, "b": on})  # q falls; nothing hangs on it but its own output
    assert simulation.switched == OUTPUT_LOAD + CLOCK_LOAD


def test_everything_is_mapped_to_the_gate_set() -> None:
    assert set(synthesise("bpc_lane", {"GroupSize": 16}).counts()) <= set(CELLS)


def test_depth_is_the_longest_path_between_flip_flops() -> None:
    # q -> NAND(q, a) -> y; q -> NOT -> z; AND(y, z) -> d -> flip-flop -> q; a path through it would be endless
    netlist = Netlist(
        {"a": [1]},
        [
            ("$_AND_", {"A": 3, "B": 4, "Y": 5}),
            ("$_NAND_", {"A": 2, "B": 1, "Y": 3}),
            ("$_NOT_", {"A": 2, "Y": 4}),
            ("$_DFF_P_", {"C": 6, "D": 5, "Q": 2}),
        ],
    )
    assert [pins["Y"] for _, pins in netlist.gates()][-1] == 5
    assert netlist.depth() == 2
