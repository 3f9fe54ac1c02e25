"""The bit-plane compressor alone: runs of tiles with any finite FP16 values, random stalls at every port.

As attention feeds it, the values are the softmax's weights, which its contract makes of random scores.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.channel import Channel, Credits
from sim.engine.environment import Environment
from sim.formats import fp16
from sim.formats.anda import AndaTensor
from sim.formats.softmax import OnlineSoftmax
from sim.formats.widths import EXPONENT_BITS
from sim.mapping.operands import ceil_div
from sim.mapping.stream import Stream
from sim.rtl.checks import bench
from sim.rtl.checks.bench import Offer, RtlCase, Want, pack, to_bits
from sim.rtl.checks.build import Design, StreamPort
from sim.rtl.checks.comparison import Comparison
from sim.rtl.checks.coverage import of_groups, of_passes
from sim.rtl.checks.randomness import arrivals, gaps, pattern, tokens
from sim.rtl.checks.recording import NotedCredits
from sim.rtl.checks.reference import UNLIMITED, Gather, HandshakeTrace, RowPort, SourcePort
from sim.rtl.checks.stimulus import planes
from sim.units.bpc import Bpc
from sim.units.collector import Collector
from sim.units.mxu import FinishedTile
from sim.units.unit import Bench


def design(rows: int, columns: int, group_size: int, lanes: int, port: int) -> Design:
    """A compressor as parameters and ports."""
    parameters = {"Rows": rows, "Columns": columns, "GroupSize": group_size, "Lanes": lanes, "PortBits": port}
    return Design(
        "bpc",
        parameters,
        (StreamPort("beat", {"beat_i": port, "last_i": 1, "run_last_i": 1, "rows_i": 8}), StreamPort("slot", {})),
        (
            StreamPort("grant", {}),
            StreamPort("handover", {}, valid="handover_o", probe=True),
            StreamPort("row", {"row_o": lanes * group_size, "exponent_o": lanes * EXPONENT_BITS, "sign_row_o": 1}),
        ),
        ("mantissa_bits_i",),
    )


Draw = Callable[[random.Random, np.random.Generator, int, int], NDArray[np.uint16]]
"""FP16 codes of some rows of a group."""


def any_values(rng: random.Random, draw: np.random.Generator, rows: int, group: int) -> NDArray[np.uint16]:
    """Any finite ones; half of the time of exponents close together, so that mantissas survive."""
    codes = draw.integers(0, 1 << 16, (rows, group), dtype=np.uint16)
    codes = np.where((codes >> 10 & 31) == 31, codes & np.uint16(0x83FF), codes)
    if draw.random() < 0.5:
        codes = codes & np.uint16(0x87FF) | np.uint16(rng.randint(0, 13) << 11)
    if draw.random() < 0.2:
        codes = codes & np.uint16(0x83FF)
    if draw.random() < 0.3:  # one value far above the others, in the last place or in any
        place = group - 1 if draw.random() < 0.5 else int(draw.integers(group))
        codes[:, place] = codes[:, place] & np.uint16(0x83FF) | np.uint16(30 << 10)
        codes[:, :place] &= np.uint16(0xBFFF)
        codes[:, place + 1 :] &= np.uint16(0xBFFF)
    return codes


def softmax_weights(rng: random.Random, draw: np.random.Generator, rows: int, group: int) -> NDArray[np.uint16]:
    """P of random scores, V's scales and masks, of a block's first group: from even to one key that takes all."""
    softmax = OnlineSoftmax(rows, 1, group)
    scores = (draw.standard_normal((rows, group)) * 2.0 ** rng.randint(-3, 5)).astype(np.float16)
    scales = (draw.random(group) * 2.0 ** rng.randint(-12, 2)).astype(np.float16)
    visible = draw.random((rows, group)) < rng.choice([0.3, 2])
    return fp16.to_codes(softmax.weigh(scores, visible, scales).weights)


def check(design: Design, seeds: Sequence[int], draw: Draw = any_values) -> list[Comparison]:
    """One case a seed; the differences of each."""
    sides = [_case(design, random.Random(seed), draw) for seed in seeds]
    results = bench.run(design, [case for case, _ in sides])
    return [_compare(wanted, seen) for (_, wanted), seen in zip(sides, results, strict=True)]


def _case(design: Design, rng: random.Random, draw: Draw) -> tuple[RtlCase, dict[str, Any]]:
    size = {name: int(value) for name, value in design.parameters.items()}
    rows, columns, group, lanes, port = (size[k] for k in ("Rows", "Columns", "GroupSize", "Lanes", "PortBits"))
    mantissa_bits = rng.randint(1, 16)
    runs = [(rng.randint(1, rows), rng.randint(1, group)) for _ in range(rng.randint(1, 6))]
    values, encoded = np.random.default_rng(rng.getrandbits(32)), Stream(compressed_rows=mantissa_bits + 1)
    tiles: list[FinishedTile] = []
    beats, flags, planes_out, exponents, gathered = [], [], [], [], []
    for height, width in runs:
        codes = draw(rng, values, height, group)
        codes[:, width:] = 0
        gathered.append(codes)
        count = ceil_div(width, columns)
        for t in range(count):
            tile = np.zeros((ceil_div(height * columns * 16, port), port), np.bool_)
            bits = to_bits(codes[:, t * columns : (t + 1) * columns].reshape(1, -1), 16)
            tile.reshape(-1)[: bits.size] = bits[0]
            beats.append(tile)
            last = [(i == len(tile) - 1, i == len(tile) - 1 and t == count - 1, height) for i in range(len(tile))]
            flags += last
            tiles.append(FinishedTile(0, height, t == 0, width if t == count - 1 else 0, encoded))
        block = np.zeros((ceil_div(height, lanes) * lanes, group), np.uint16)
        block[:height] = codes
        tensor = AndaTensor.encode(fp16.from_codes(block), mantissa_bits, group)
        out = planes(tensor)[:, 0].reshape(-1, lanes, mantissa_bits + 1, group).transpose(0, 2, 1, 3)
        planes_out.append(out.reshape(-1, lanes * group))
        exponents.append(
            np.repeat(tensor.exponents.reshape(-1, 1, lanes), mantissa_bits + 1, axis=1).reshape(-1, lanes)
        )
    stream, marks = np.concatenate(beats), np.array(flags)
    signals = {
        "beat_i": stream,
        "last_i": marks[:, :1],
        "run_last_i": marks[:, 1:2],
        "rows_i": to_bits(marks[:, 2:], 8),
    }
    gap, slots, ready = gaps(rng, len(stream)), arrivals(rng, len(runs)), pattern(rng)
    rows_out = np.concatenate(planes_out)
    case = RtlCase(
        {"beat": Offer(pack(design.sources[0], signals), np.zeros(len(stream)), gap), "slot": tokens(slots)},
        {"grant": Want(len(runs) + 1), "handover": Want(len(runs)), "row": Want(len(rows_out), ready)},
        {"mantissa_bits_i": mantissa_bits},
    )
    trace = _model(size, tiles, gap, slots, ready)
    covered = of_passes([height for height, _ in runs], lanes)
    for block in gathered:
        covered += of_groups(block, group)
    exponents_out = np.concatenate(exponents)
    return case, {"trace": trace, "rows": rows_out, "exponents": exponents_out, "M": mantissa_bits, "covered": covered}


def _model(size: dict[str, int], tiles: list[FinishedTile], gap: Any, slots: Any, ready: Any) -> HandshakeTrace:
    unit, trace = Bench(Environment(), "beat"), HandshakeTrace()
    environment = unit.environment
    # Room is granted as soon as it is there, whenever the first tile comes.
    writer: Any = Gather(environment, slots, trace.open("slot"))
    bpc = Bpc(unit, writer, lanes=size["Lanes"], group_size=size["GroupSize"])
    bpc.space = NotedCredits(environment, bpc.space.capacity, trace.open("grant"), [])
    bpc.activity = RowPort(environment, bpc, ready, trace.open("row"), trace.open("handover"))
    pipeline: Channel[FinishedTile] = Channel(environment)
    registers = Credits(environment, UNLIMITED)
    registers.available = 0
    collector = Collector(unit, pipeline, registers, bpc, port_bits=size["PortBits"], mxu_columns=size["Columns"])
    collector.activity = SourcePort(environment, collector.name, gap, trace.open("beat"))
    for tile in tiles:
        pipeline.put(tile)
    bpc.start()
    collector.start()
    environment.run()
    return trace


def _compare(wanted: dict[str, Any], seen: dict[str, bench.Handshakes]) -> Comparison:
    comparison, trace = Comparison(covered=wanted["covered"]), wanted["trace"]
    for port, cycles in trace.handshakes.items():
        if port == "grant":
            comparison.probe(port, cycles, seen[port])
        else:
            comparison.cycles(port, cycles, seen[port])
    comparison.payload("row_o", wanted["rows"], seen["row"])
    signs = np.arange(len(wanted["rows"])) % (wanted["M"] + 1) == 0
    exponents = np.packbits(to_bits(wanted["exponents"][signs], EXPONENT_BITS), axis=1, bitorder="little")
    payload = seen["row"].payload["exponent_o"]
    if len(payload) == len(signs):
        comparison.equal("exponent_o", exponents, payload[signs][:, : exponents.shape[1]])
    return comparison
