"""Results made up from a few numbers, consistent in themselves, so that a test can work every figure out again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

LLAMA_LIKE = (
    # name, module, phase, m, k, n, count
    ("attention.q", "qkv", "prefill", 2048, 5120, 5120, 40),
    ("attention.k", "qkv", "prefill", 2048, 5120, 5120, 40),
    ("attention.v", "qkv", "prefill", 2048, 5120, 5120, 40),
    ("attention.o", "o", "prefill", 2048, 5120, 5120, 40),
    ("mlp.gate", "up", "prefill", 2048, 5120, 13824, 40),
    ("mlp.up", "up", "prefill", 2048, 5120, 13824, 40),
    ("mlp.down", "down", "prefill", 2048, 13824, 5120, 40),
)


@dataclass(frozen=True)
class Machine:
    """What the factory needs to know of a machine; `group_cycles` maps a module to cycles a 64-group."""

    name: str = "fp-fp"
    group_cycles: Any = 16
    activation_bits: float = 16
    rows: int = 16
    clock_hertz: int = 285_000_000
    mxu_square_millimetres: float = 1.78
    picojoules_a_mac: float = 0.935
    mantissa_bits: Any = None


def _units(cycles: int, weights: int, activations: int) -> dict[str, Any]:
    """All but the MXU idle for a tenth; the MXU stalled as told."""
    units = {
        name: {"busy_cycles": cycles - cycles // 10, "idle_cycles": cycles // 10, "stalled_cycles": {}}
        for name in (
            "dram", "weight_loader", "activation_loader", "weight_buffer", "activation_buffer", "weight_dispatcher",
            "activation_dispatcher", "collector", "vector", "writer", "controller",
        )
    }  # fmt: skip
    stalled = {"weights": weights, "activations": activations}
    units["mxu"] = {"busy_cycles": cycles - weights - activations, "idle_cycles": 0, "stalled_cycles": stalled}
    return units


def _layer(machine: Machine, name: str, module: str, phase: str, m: int, k: int, n: int, count: int) -> dict[str, Any]:
    group_cycles = machine.group_cycles[module] if isinstance(machine.group_cycles, dict) else machine.group_cycles
    bits = machine.mantissa_bits[module] if machine.mantissa_bits else None
    blocks = math.ceil(m / machine.rows)
    compute = math.ceil(m / 16) * math.ceil(n / 16) * math.ceil(k / 64) * group_cycles
    weights, activations = 7 * blocks, 3 * blocks
    cycles = compute + weights + activations
    dram = blocks * k * n // 2 + int(m * k * machine.activation_bits / 8) + m * n * 2
    peak = 16384 / group_cycles
    macs = m * k * n
    return {
        "name": name, "module": module, "phase": phase, "unit": "mxu", "m": m, "k": k, "n": n, "count": count,
        "mantissa_bits": bits, "cycles": cycles, "macs": macs,
        "dram_bytes": dram, "sram_bytes": 3 * dram,
        "energy_picojoules": machine.picojoules_a_mac * macs + 8 * dram * 3.9,
        "utilisation": macs / (peak * cycles), "peak_macs_per_cycle": peak,
        "limit": {"unit": "mxu", "cause": "compute", "text": "compute: the MXU is busy 99% of the time"},
        "bounds": {"lower_cycles": compute, "upper_cycles": 3 * cycles},
        "schedule": {"token_block": machine.rows, "output_block": 64, "order": "token, output, k"},
        "units": _units(cycles, weights, activations),
    }  # fmt: skip


def _sum(layers: Sequence[dict[str, Any]], key: str) -> Any:
    return sum(layer["count"] * layer[key] for layer in layers)


def build_result(machine: Machine, gemms: Sequence[Any] = LLAMA_LIKE, workload: str = "llama-13b") -> dict[str, Any]:
    """A result of `machine` on `gemms`, keys as sim.report.result says."""
    layers = [_layer(machine, *gemm) for gemm in gemms]
    cycles, macs, dram = _sum(layers, "cycles"), _sum(layers, "macs"), _sum(layers, "dram_bytes")
    blocks = sum(layer["count"] * math.ceil(layer["m"] / machine.rows) for layer in layers)
    peak = macs / sum(layer["count"] * layer["macs"] / layer["peak_macs_per_cycle"] for layer in layers)
    compute, memory = machine.picojoules_a_mac * macs, 8 * dram * 3.9
    energy = {
        "mxu": 0.7 * compute, "bpc": 0.01 * compute, "vector": 0.02 * compute, "activation_buffer": 0.15 * compute,
        "weight_buffer": 0.08 * compute, "dram": memory, "leakage": 0.03 * compute, "controller": 0.01 * compute,
    }  # fmt: skip
    area = {
        "mxu": machine.mxu_square_millimetres, "vector": 0.05, "activation_buffer": 0.87, "weight_buffer": 0.80,
        "controller": 0.01,
    }  # fmt: skip
    modules = {}
    for module in dict.fromkeys(layer["module"] for layer in layers):
        own = [layer for layer in layers if layer["module"] == module]
        modules[module] = {
            key: _sum(own, key) for key in ("cycles", "macs", "dram_bytes", "sram_bytes", "energy_picojoules")
        } | {
            "utilisation": _sum(own, "macs") / sum(x["count"] * x["peak_macs_per_cycle"] * x["cycles"] for x in own),
            "mantissa_bits": own[0]["mantissa_bits"],
            "limit": "compute: the MXU is busy 99% of the time",
        }
    return {
        "schema_version": 1,
        "arch": {
            "name": machine.name,
            "clock": {"frequency_megahertz": machine.clock_hertz // 1_000_000, "source": "Anda Sec. V-A"},
            "mxu": {"rows": 16, "columns": 16},
        },
        "workload": {
            "name": workload, "layers": 40,
            "run": {"phase": "prefill", "batch": 1, "tokens": 2048, "scope": "fp-int", "precision": "wikitext2-1%"},
        },
        "provenance": {
            "versions": {"anda-sim": "0.1.0", "python": "3.11.2", "numpy": "2.4.6"}, "seed": 0, "grain": "tile",
            "command": f"sim.py run {machine.name} {workload} --tokens 2048",
        },
        "clock_hertz": machine.clock_hertz,
        "totals": {
            "cycles": cycles, "seconds": cycles / machine.clock_hertz, "macs": macs, "dram_bytes": dram,
            "sram_bytes": _sum(layers, "sram_bytes"), "energy_picojoules": sum(energy.values()),
            "area_square_millimetres": sum(area.values()), "utilisation": macs / (peak * cycles),
        },
        "units": _units(cycles, 7 * blocks, 3 * blocks),
        "counters": {"mxu_groups": macs // 64, "dram_read_bits": 8 * dram},
        "energy": energy,
        "energy_groups": {
            "compute": 0.73 * compute, "sram": 0.23 * compute, "dram": memory, "other": 0.04 * compute,
        },
        "area": area,
        "limit": {"unit": "mxu", "cause": "compute", "text": "compute: the MXU is busy 99% of the time"},
        "peak": {"macs_per_cycle": peak, "dram_bytes_per_cycle": 256e9 / machine.clock_hertz},
        "bounds": {
            "lower_cycles": sum(x["count"] * x["bounds"]["lower_cycles"] for x in layers), "upper_cycles": 3 * cycles,
        },
        "modules": modules,
        "layers": layers,
    }  # fmt: skip


ANDA = Machine(
    "anda-hpca25",
    group_cycles={"qkv": 8, "o": 6, "up": 7, "down": 7},
    mantissa_bits={"qkv": 7, "o": 5, "up": 6, "down": 6},
    activation_bits=7.1,
    rows=32,
    mxu_square_millimetres=0.41,
    picojoules_a_mac=0.09,
)

PAPER = (
    Machine("fp-fp"),
    Machine("fp-int", mxu_square_millimetres=1.12, picojoules_a_mac=0.48),
    Machine("ifpu", mxu_square_millimetres=0.46, picojoules_a_mac=0.27),
    Machine("figna", mxu_square_millimetres=0.32, picojoules_a_mac=0.16),
    Machine("figna-m11", group_cycles=11, mxu_square_millimetres=0.27, picojoules_a_mac=0.12),
    Machine("figna-m8", group_cycles=8, mxu_square_millimetres=0.21, picojoules_a_mac=0.09),
    ANDA,
)


@pytest.fixture
def make_result() -> Callable[..., dict[str, Any]]:
    """`make_result(name="fp-fp", ..., gemms=...)`: a result of a made-up machine."""

    def make(gemms: Sequence[Any] = LLAMA_LIKE, workload: str = "llama-13b", **machine: Any) -> dict[str, Any]:
        return build_result(Machine(**machine), gemms, workload)

    return make


@pytest.fixture
def anda() -> dict[str, Any]:
    """Anda, with mantissa lengths that differ between modules."""
    return build_result(ANDA)


@pytest.fixture
def paper() -> list[dict[str, Any]]:
    """Seven machines in the manner of the paper, FP-FP first."""
    return [build_result(machine) for machine in PAPER]
