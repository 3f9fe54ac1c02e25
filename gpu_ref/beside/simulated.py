"""The one place here that reads simulated results: what the work is, and what it costs each machine.

A machine's compute time is that of its busiest arithmetic unit, its DRAM time that of its bytes at full bandwidth.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from gpu_ref.beside.cost import PlaceCost, Platform, Resources, SimulatedLayer
from gpu_ref.beside.work import AttentionWork, Elementwise, Gemms, Place
from sim.result import Layer, Result

ATTENTION = ("attention", "scores", "softmax", "context")
FUSED = ("qkv", "up")
UNQUANTISED_BITS = 16 * 16
"""Of a product of two FP16 operands."""
COMPUTE = ("mxu", "vector")


def work_of(result: Result) -> list[tuple[Place, tuple[int, ...]]]:
    """The places of the work, phase by phase, each with the indices of its layers."""
    found: list[tuple[Place, tuple[int, ...]]] = []
    indices = range(len(result.layers))
    for phase in dict.fromkeys(layer.phase for layer in result.layers):
        mine = [index for index in indices if result.layers[index].phase == phase]
        found += _places(result, phase, mine)
    return found


def tokens_of(result: Result, phase: str) -> int | None:
    """Tokens that a phase of a model takes in or puts out; None where the work is not a model's."""
    run = result.workload.get("run", {})
    known = {"prefill": ("tokens", "batch"), "decode": ("steps", "batch")}.get(phase, ())
    if not run or not known:
        return None
    return int(run[known[0]] * run[known[1]])


def machine(label: str, result: Result, work: Sequence[tuple[Place, tuple[int, ...]]]) -> Platform:
    """A machine on the work."""
    clock = result.clock_hertz
    area = result.totals.area_square_millimetres
    own = Resources(
        bytes_per_second=result.peak.dram_bytes_per_cycle * clock,
        operations_per_second=2 * _peak(result) * clock,
        square_millimetres=area,
        transistors=None,
    )
    costs = tuple(_cost(result, indices) for _, indices in work)
    steps = tuple(tuple(_step(result, index, own.bytes_per_second) for index in indices) for _, indices in work)
    mxu = result.arch["mxu"]
    frame = (clock, own.bytes_per_second, mxu["rows"], mxu["columns"], mxu["count"])
    return Platform(label, True, own, costs, frame, steps=steps)


def _peak(result: Result) -> float:
    """MACs a cycle of the MXU on this work, the mean over its GeMMs; of the vector unit where it does all."""
    layers = [layer for layer in result.layers if layer.unit == "mxu"] or result.layers
    done = sum(layer.macs * layer.count for layer in layers)
    return float(done / sum(layer.macs * layer.count / layer.peak_macs_per_cycle for layer in layers))


def _places(result: Result, phase: str, indices: Sequence[int]) -> list[tuple[Place, tuple[int, ...]]]:
    layers = result.layers
    attention = tuple(index for index in indices if layers[index].module in ATTENTION)
    vector = tuple(index for index in indices if index not in attention and layers[index].m is None)
    products = [index for index in indices if index not in (*attention, *vector)]
    found: list[tuple[Place, tuple[int, ...]]] = []
    for _, group in groupby(products, key=lambda index: _shared_input(layers[index], index)):
        mine = tuple(group)
        found.append((_gemms(result, [layers[index] for index in mine]), mine))
    if attention:
        found.append((_attention(result, phase, attention), attention))
    if vector:
        found.append((Elementwise(phase), vector))
    return found


def _shared_input(layer: Layer, index: int) -> tuple[object, ...]:
    """Equal for GeMMs that read the same activations."""
    prefix = layer.name.rpartition(".")[0]
    alone = layer.module not in FUSED or not prefix
    return (layer.module, prefix, layer.m, layer.k, layer.count, index if alone else None)


def _gemms(result: Result, layers: Sequence[Layer]) -> Gemms:
    first = layers[0]  # work of the vector unit, that has no shape, is no GeMM
    unquantised = first.bit_operations == first.macs * UNQUANTISED_BITS
    # A GPU's kernels of four bits leave the head at 16, whatever a machine makes of it.
    bits = 16 if unquantised or first.module == "head" else result.workload.get("weights", {}).get("bits", 4)
    return Gemms(
        phase=first.phase,
        module=first.module,
        names=tuple(layer.name for layer in layers),
        m=first.m or 0,
        k=first.k or 0,
        columns=tuple(layer.n or 0 for layer in layers),
        weight_bits=bits,
        count=first.count,
    )


def _attention(result: Result, phase: str, indices: Sequence[int]) -> AttentionWork:
    model, run = result.workload.get("attention", {}), result.workload.get("run", {})
    operations = sum(2 * result.layers[index].macs * result.layers[index].count for index in indices)
    heads, kv_heads = model.get("heads", 0), model.get("key_value_heads", 0)
    calls: tuple[tuple[int, int], ...] = ()
    obstacle = ""
    if not model or not run or phase not in ("prefill", "decode"):
        obstacle = f"attention of a {phase} phase is in no table"
    elif model["head_size"] != 128:
        obstacle = f"attention was measured with heads of 128, not of {model['head_size']}"
    elif phase == "prefill":
        calls = ((run["tokens"], result.workload["layers"]),)
    else:
        context = run["tokens"] if run["phase"] == "both" else run["context"]
        calls = tuple((context + step + 1, result.workload["layers"]) for step in range(run["steps"]))
    if calls and model.get("window") and calls[-1][0] > model["window"]:
        calls, obstacle = (), f"attention with a sliding window, here of {model['window']:,} tokens, was not measured"
    return AttentionWork(phase, heads, kv_heads, run.get("batch", 1), calls, operations, obstacle)


def _step(result: Result, index: int, bytes_per_second: float) -> SimulatedLayer:
    layer, clock = result.layers[index], result.clock_hertz
    busy = max(layer.units[unit].busy_cycles for unit in COMPUTE if unit in layer.units)
    times = layer.cycles / clock, busy / clock, layer.dram_bytes / bytes_per_second
    return SimulatedLayer(*(layer.count * seconds for seconds in times))


def _cost(result: Result, indices: Sequence[int]) -> PlaceCost:
    """A place's layers on a machine."""
    total = PlaceCost()
    joules_a_byte = result.energy["dram"] * 1e-12 / max(result.totals.dram_bytes, 1)
    for index in indices:
        layer = result.layers[index]
        count, clock = layer.count, result.clock_hertz
        total += PlaceCost(
            seconds=count * layer.cycles / clock,
            bytes=count * layer.dram_bytes,
            peak_seconds=count * layer.macs / (layer.peak_macs_per_cycle * clock),
            least_joules=count * layer.dram_bytes * joules_a_byte,
            most_joules=count * layer.energy_picojoules * 1e-12,
        )
    return total
