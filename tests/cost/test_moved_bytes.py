"""Bytes moved by DRAM and SRAM are those that their energy is paid by."""

from __future__ import annotations

import pytest

from sim.arch.load import load_arch
from sim.machine.costs import Costs
from tests.results import simulated, small_llama

READ_BITS = (
    "activation_dispatcher.read_bits",
    "activation_dispatcher.exponent_read_bits",
    "weight_dispatcher.read_bits",
    "vector.read_bits",
    "vector.written_bits",
)
WRITTEN_BYTES = ("activation_buffer.filled_bytes", "activation_buffer.filled_side_bytes", "weight_buffer.filled_bytes")
DRAM_BYTES = ("dram.weight_bytes", "dram.activation_bytes", "dram.output_bytes")


@pytest.mark.parametrize("name", ["anda-hpca25", "anda-edge", "fp-fp", "figna-m11"])
def test_a_result_moves_what_dispatchers_read_buffers_are_filled_with_and_dram_carries(name: str) -> None:
    found = simulated(name, work=small_llama(scope="all"))
    counters = found.counters
    bits = sum(counters[name] for name in READ_BITS)
    assert found.totals.sram_bytes == -(-bits // 8) + sum(counters[name] for name in WRITTEN_BYTES)
    assert found.totals.dram_bytes == sum(counters[name] for name in DRAM_BYTES)


@pytest.mark.parametrize(
    ("counter", "group", "many", "moved"),
    [
        ("weight_dispatcher.read_bits", "sram", 9, 2),  # bits of a byte begun count as a byte
        ("weight_buffer.filled_bytes", "sram", 9, 9),
        ("dram.output_bytes", "dram", 9, 9),
        ("dram.weight_bytes", "sram", 9, 0),
        ("mxu.pe_cycles", "sram", 9, 0),
        ("weight_buffer.fill_beats", "sram", 9, 0),
    ],
)
def test_each_counter_is_traffic_of_its_own_memory(counter: str, group: str, many: int, moved: int) -> None:
    assert Costs(load_arch("anda-hpca25")).moved_bytes({counter: many}, group) == moved  # type: ignore[arg-type]
