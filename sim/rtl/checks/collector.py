"""The output collector alone: random tiles that become ready at random times, random room and readiness behind it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.engine.channel import Channel, Credits
from sim.engine.environment import Environment
from sim.mapping.operands import ceil_div
from sim.rtl.checks import bench
from sim.rtl.checks.bench import Offer, RtlCase, Want, pack, to_bits
from sim.rtl.checks.build import Design, StreamPort
from sim.rtl.checks.comparison import Comparison
from sim.rtl.checks.randomness import arrivals, pattern, tokens
from sim.rtl.checks.reference import UNLIMITED, Gather, HandshakeTrace, SinkPort
from sim.units.collector import Collector
from sim.units.mxu import FinishedTile
from sim.units.unit import Bench


def design(rows: int, columns: int, port: int) -> Design:
    """A collector as parameters and ports."""
    return Design(
        "collector",
        {"Rows": rows, "Columns": columns, "PortBits": port},
        (StreamPort("tile", {"tile_i": 18, "outputs_i": rows * columns * 16}), StreamPort("grant", {})),
        (StreamPort("beat", {"beat_o": port, "last_o": 1, "run_last_o": 1, "rows_o": 8}),),
    )


def check(design: Design, seeds: Sequence[int]) -> list[Comparison]:
    """One case a seed; the differences of each."""
    sides = [_case(design, random.Random(seed)) for seed in seeds]
    results = bench.run(design, [case for case, _ in sides])
    found = []
    for (_, wanted), seen in zip(sides, results, strict=True):
        comparison = Comparison()
        for port, cycles in wanted["trace"].handshakes.items():
            comparison.cycles(port, cycles, seen[port])
        for signal in ("beat_o", "last_o", "run_last_o", "rows_o"):
            comparison.payload(signal, wanted[signal], seen["beat"])
        found.append(comparison)
    return found


def _case(design: Design, rng: random.Random) -> tuple[RtlCase, dict[str, Any]]:
    size = {name: int(value) for name, value in design.parameters.items()}
    rows, columns, port = size["Rows"], size["Columns"], size["PortBits"]
    values = np.random.default_rng(rng.getrandbits(32))
    tiles, shapes, outputs, beats, marks = [], [], [], [], []
    for _ in range(rng.randint(1, 5)):
        height, count = rng.randint(1, rows), rng.randint(1, 4)
        for t in range(count):
            width = rng.randint(1, columns) if t == count - 1 else columns
            opens, closes = t == 0, t == count - 1
            tiles.append(FinishedTile(0, height, opens, count * columns if closes else 0))
            shapes.append((closes, opens, width, height))
            registers = values.integers(0, 1 << 16, (rows, columns))
            outputs.append(registers.reshape(-1))
            shown = np.where((np.arange(columns) < width) & (np.arange(rows) < height)[:, np.newaxis], registers, 0)
            bits = to_bits(shown[:height].reshape(1, -1), 16)[0]
            drained = np.zeros((ceil_div(height * columns * 16, port), port), np.bool_)
            drained.reshape(-1)[: bits.size] = bits
            beats.append(drained)
            marks += [(i == len(drained) - 1, i == len(drained) - 1 and closes, height) for i in range(len(drained))]
    ready_at, ready = arrivals(rng, len(tiles)), pattern(rng)
    room = arrivals(rng, sum(tile.run_opens for tile in tiles))
    fields = np.array(shapes)
    tile_bits = np.concatenate([to_bits(fields[:, i : i + 1], w) for i, w in enumerate((1, 1, 8, 8))], axis=1)
    signals = {"tile_i": tile_bits, "outputs_i": to_bits(np.array(outputs), 16)}
    stream, flags = np.concatenate(beats), np.array(marks)
    case = RtlCase(
        {"tile": Offer(pack(design.sources[0], signals), ready_at, np.zeros(len(tiles))), "grant": tokens(room)},
        {"beat": Want(len(stream), ready)},
    )
    trace = _model(size, [t._replace(ready_at=int(at)) for t, at in zip(tiles, ready_at, strict=True)], room, ready)
    return case, {
        "trace": trace,
        "beat_o": stream,
        "last_o": flags[:, :1].astype(np.bool_),
        "run_last_o": flags[:, 1:2].astype(np.bool_),
        "rows_o": to_bits(flags[:, 2:], 8),
    }


def _model(size: dict[str, int], tiles: list[FinishedTile], room: Any, ready: Any) -> HandshakeTrace:
    unit, trace = Bench(Environment(), "beat"), HandshakeTrace()
    environment = unit.environment
    sink: Any = Gather(environment, room, trace.open("grant"))
    pipeline: Channel[FinishedTile] = Channel(environment)
    registers = Credits(environment, UNLIMITED)
    registers.available = 0
    collector = Collector(unit, pipeline, registers, sink, port_bits=size["PortBits"], mxu_columns=size["Columns"])
    collector.activity = SinkPort(environment, collector.name, ready, trace.open("beat"))
    for tile in tiles:
        pipeline.put(tile)
    collector.start()
    environment.run()
    return trace
