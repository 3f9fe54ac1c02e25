"""The dispatchers alone: random operations and words, random stalls on both sides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.arch.schema import ActivationDispatcherConfig, BufferConfig
from sim.engine.environment import Environment
from sim.formats import fp16
from sim.formats.widths import EXPONENT_BITS
from sim.mapping.nest import TileOp
from sim.mapping.operands import ceil_div
from sim.mapping.stream import Stream
from sim.rtl.checks import bench
from sim.rtl.checks.bench import Offer, RtlCase, Want, pack, to_bits
from sim.rtl.checks.build import Design, StreamPort
from sim.rtl.checks.comparison import Comparison
from sim.rtl.checks.coverage import of_exponents, of_scales
from sim.rtl.checks.randomness import arrivals, gaps, pattern
from sim.rtl.checks.reference import HandshakeTrace, Operations, SourcePort, supply
from sim.rtl.checks.shape import OP_FIELDS
from sim.units.activation_dispatcher import ActivationDispatcher, Word
from sim.units.unit import Bench, Steps
from sim.units.weight_dispatcher import WeightDispatcher

OP_BITS = sum(OP_FIELDS.values())


def weight_design(columns: int, group_size: int, weight_bits: int, port: int, code_bits: int = 4) -> Design:
    """A weight dispatcher as parameters and ports."""
    codes, beats = port // code_bits, ceil_div(columns * group_size * code_bits, port)
    beat_bits = max(1, (beats - 1).bit_length())
    return Design(
        "weight_dispatcher",
        {
            "Columns": columns,
            "GroupSize": group_size,
            "WeightBits": weight_bits,
            "CodeBits": code_bits,
            "PortBits": port,
        },
        (
            StreamPort("op", {"op_i": OP_BITS}),
            StreamPort("beat", {"codes_i": port, "scales_i": columns * 16, "zeros_i": columns * code_bits}),
        ),
        (
            StreamPort("block", {"block_op_o": OP_BITS, "block_first_o": 1, "block_last_o": 1}),
            StreamPort(
                "load",
                {"load_beat_o": beat_bits, "load_weights_o": codes * weight_bits, "load_scales_o": 1},
                valid="load_o",
                probe=True,
            ),
            StreamPort("scales", {"load_scales_data_o": columns * 19}, valid="load_scales_o", probe=True),
        ),
        ("digits_i", "digit_bits_i"),
    )


def check_weights(design: Design, seeds: Sequence[int]) -> list[Comparison]:
    """One case a seed; the differences of each."""
    sides = [_weight_case(design, random.Random(seed)) for seed in seeds]
    results = bench.run(design, [case for case, _ in sides])
    found = []
    for (_, wanted), seen in zip(sides, results, strict=True):
        comparison = Comparison(covered=wanted["covered"])
        for port, cycles in wanted["trace"].handshakes.items():
            comparison.cycles(port, cycles, seen[port])
        for signal in ("block_op_o", "block_first_o", "block_last_o"):
            comparison.payload(signal, wanted[signal], seen["block"])
        comparison.payload("load_weights_o", wanted["load_weights_o"], seen["load"])
        comparison.payload("load_scales_data_o", wanted["load_scales_data_o"], seen["scales"])
        found.append(comparison)
    return found


def _weight_case(design: Design, rng: random.Random) -> tuple[RtlCase, dict[str, Any]]:
    size = {name: int(value) for name, value in design.parameters.items()}
    columns, group, port, bits = size["Columns"], size["GroupSize"], size["PortBits"], size["CodeBits"]
    symmetric, largest = size["WeightBits"] == bits, (1 << bits) - 1
    values = np.random.default_rng(rng.getrandbits(32))
    digits, digit_bits = rng.choice([1, 1, 2, 3]), rng.randint(1, 4)
    stream = Stream(step_bits=group * bits, side_bits=20)
    ops = [_random_op(rng, columns, digits, stream) for _ in range(rng.randint(1, 8))]
    codes, scales, zeros, integers = [], [], [], []
    for op in ops:
        beats = ceil_div(op.columns * group * bits, port)
        for _ in range(op.groups):
            block = values.integers(0, largest + 1, (beats * port // bits), dtype=np.int64)
            zero = np.full(columns, 1 << bits - 1) if symmetric else values.integers(0, largest + 1, columns)
            # Behind the last column a beat holds what it will; its zero points are nobody's.
            owner = np.arange(len(block)) // group
            known = owner < columns
            block[~known] = 0
            integers.append((block - np.where(known, zero[owner % columns], 0)).reshape(beats, -1))
            codes.append(block.reshape(beats, -1))
            scale = values.integers(0, 1 << 16, (beats, columns)) * (values.random((beats, columns)) >= 0.1)
            scales.append(np.where((scale >> 10 & 31) == 31, scale & 0x83FF, scale))
            zeros.append(np.repeat(zero[np.newaxis], beats, axis=0))
    all_scales, first = np.concatenate(scales), _first_beats(ops, group * bits, port)
    signals = {
        "codes_i": to_bits(np.concatenate(codes), bits),
        "scales_i": to_bits(all_scales, 16),
        "zeros_i": to_bits(np.where(first[:, np.newaxis], np.concatenate(zeros), largest), bits),
    }
    op_bits = np.concatenate([to_bits(_op_values(ops, name), width) for name, width in OP_FIELDS.items()], axis=1)
    gap, ready, at = gaps(rng, len(first)), pattern(rng), arrivals(rng, len(ops))
    trace = _weight_model(size, ops, gap, ready, at)
    places = [(i, g == 0, g == op.groups - 1) for i, op in enumerate(ops) for g in range(op.groups)]
    worth = np.exp2(digit_bits * (np.arange(len(places)) % digits), dtype=np.float32)[:, np.newaxis]
    widened = (fp16.from_codes(all_scales[first].astype(np.uint16)) * worth).view(np.uint32) >> 13
    case = RtlCase(
        {
            "op": Offer(pack(design.sources[0], {"op_i": op_bits}), at, np.zeros(len(ops))),
            "beat": Offer(pack(design.sources[1], signals), np.zeros(len(first)), gap),
        },
        {"block": Want(len(places), ready), "load": Want(len(first)), "scales": Want(len(places))},
        {"digits_i": digits, "digit_bits_i": digit_bits},
    )
    return case, {
        "trace": trace,
        "block_op_o": op_bits[[i for i, _, _ in places]],
        "block_first_o": np.array([[first] for _, first, _ in places]),
        "block_last_o": np.array([[last] for _, _, last in places]),
        "load_weights_o": to_bits(np.concatenate(integers), size["WeightBits"]),
        "load_scales_data_o": to_bits(widened, 19),
        "covered": of_scales(all_scales[first]),
    }


def _random_op(rng: random.Random, columns: int, digits: int, stream: Stream) -> TileOp:
    flags = [rng.random() < 0.5 for _ in range(4)]
    return TileOp(
        rows=rng.randint(1, 16),
        columns=rng.randint(1, columns),
        groups=rng.randint(1, 5) * digits,
        values=0,
        opens_tile=flags[0],
        closes_tile=flags[1],
        takes_weights=True,
        takes_activations=flags[2],
        frees_weights=0,
        frees_activations=0,
        closes_weights=False,
        closes_activations=False,
        run_opens=flags[3],
        run_columns=rng.choice([0, 1]),
        stream=stream,
    )


def _op_values(ops: Sequence[TileOp], name: str) -> Any:
    return np.array([[op.run_columns > 0 if name == "run_closes" else getattr(op, name)] for op in ops], np.int64)


def _first_beats(ops: Sequence[TileOp], column_bits: int, port: int) -> Any:
    return np.array(
        [i == 0 for op in ops for _ in range(op.groups) for i in range(ceil_div(op.columns * column_bits, port))]
    )


def _weight_model(size: dict[str, int], ops: list[TileOp], gap: Any, ready: Any, at: Any) -> HandshakeTrace:
    unit, trace = Bench(Environment(), "beat"), HandshakeTrace()
    environment, column_bits = unit.environment, size["GroupSize"] * size["CodeBits"]
    buffer = supply(unit, "weight_buffer", BufferConfig(bytes=64, fill_port_bits=64), at)
    cursor: Any = Operations(ops)
    weights = WeightDispatcher(
        unit,
        cursor,
        buffer,
        port_bits=size["PortBits"],
        mxu_columns=size["Columns"],
        mxu_group_cycles=lambda _: 0,
    )
    weights.activity = SourcePort(environment, weights.name, gap, trace.open("beat"))
    taken = trace.open("block")

    def take() -> Steps:
        while True:
            while not weights.shadow.items:
                yield weights.shadow.filled()
            if weights.shadow.items[0] is None:
                return
            while not ready[unit.now % len(ready)]:
                yield environment.timeout(1)
            taken.append(unit.now)
            weights.shadow.pop()

    weights.start()
    environment.process(take())
    environment.run()
    beats, loads = iter(trace.handshakes["beat"]), trace.open("op")
    for op in ops:
        count = op.groups * ceil_div(op.columns * column_bits, size["PortBits"])
        loads.append([next(beats) for _ in range(count)][-1])
    return trace


def activation_design(rows: int, word_bits: int, port: int, exponent_port: int) -> Design:
    """An activation dispatcher as parameters and ports."""
    return Design(
        "activation_dispatcher",
        {"Rows": rows, "WordBits": word_bits, "PortBits": port, "ExponentBits": exponent_port},
        (
            StreamPort("word", {"word_rows_i": 8, "word_first_i": 1}),
            StreamPort("beat", {"beat_i": port, "exponent_beat_i": exponent_port}),
        ),
        (
            StreamPort(
                "taken",
                {"words_o": rows * word_bits, "exponents_o": rows * EXPONENT_BITS},
                valid="word_ready_o",
                probe=True,
            ),
        ),
    )


def check_activations(design: Design, seeds: Sequence[int]) -> list[Comparison]:
    """One case a seed; the differences of each."""
    sides = [_activation_case(design, random.Random(seed)) for seed in seeds]
    results = bench.run(design, [case for case, _ in sides])
    found = []
    for (_, wanted), seen in zip(sides, results, strict=True):
        comparison = Comparison(covered=wanted["covered"])
        for port, cycles in wanted["trace"].handshakes.items():
            comparison.cycles(port, cycles, seen[port])
        for signal in ("words_o", "exponents_o"):
            bits, known = wanted[signal]
            if len(seen["taken"].cycles) != len(bits):
                continue  # and its cycles differ
            shown = np.unpackbits(seen["taken"].payload[signal], axis=1, bitorder="little")[:, : bits.shape[1]]
            comparison.equal(signal, bits & known, (shown & known).astype(np.bool_))
        found.append(comparison)
    return found


def _activation_case(design: Design, rng: random.Random) -> tuple[RtlCase, dict[str, Any]]:
    size = {name: int(value) for name, value in design.parameters.items()}
    values = np.random.default_rng(rng.getrandbits(32))
    asked = [(rng.randint(1, size["Rows"]), rng.random() < 0.4) for _ in range(rng.randint(1, 60))]
    streams: dict[str, list[Any]] = {"beat_i": [], "exponent_beat_i": []}
    wanted: dict[str, Any] = {"words_o": ([], []), "exponents_o": ([], [])}
    for rows, first in asked:
        word, side = (
            ceil_div(rows * size["WordBits"], size["PortBits"]),
            ceil_div(rows * EXPONENT_BITS, size["ExponentBits"]),
        )
        beats = max(word, side) if first else word
        for name, signal, port, width, known in (
            ("beat_i", "words_o", size["PortBits"], size["WordBits"], True),
            ("exponent_beat_i", "exponents_o", size["ExponentBits"], EXPONENT_BITS, first),
        ):
            bits = values.integers(0, 2, (beats, port)).astype(np.bool_)
            streams[name].append(bits)
            flat = np.zeros(size["Rows"] * width, np.bool_)
            flat[: rows * width] = np.resize(bits.reshape(-1), rows * width)
            mask = np.zeros_like(flat)
            mask[: rows * width] = known
            wanted[signal][0].append(flat)
            wanted[signal][1].append(mask)
    signals = {name: np.concatenate(parts) for name, parts in streams.items()}
    count = len(signals["beat_i"])
    gap, pauses, at = gaps(rng, count), gaps(rng, len(asked)), np.zeros(len(asked))
    requests = {
        "word_rows_i": to_bits(np.array([[r] for r, _ in asked]), 8),
        "word_first_i": np.array([[f] for _, f in asked]),
    }
    case = RtlCase(
        {
            "word": Offer(pack(design.sources[0], requests), at, pauses),
            "beat": Offer(pack(design.sources[1], signals), np.zeros(count), gap),
        },
        {"taken": Want(len(asked))},
    )
    trace = _activation_model(size, asked, gap, pauses)
    first_rows = [rows for rows, first in asked if first]
    covered = of_exponents(first_rows, size["WordBits"], size["PortBits"], size["ExponentBits"])
    return case, {"trace": trace, "covered": covered} | {
        name: (np.array(bits), np.array(mask)) for name, (bits, mask) in wanted.items()
    }


def _activation_model(size: dict[str, int], asked: list[tuple[int, bool]], gap: Any, pauses: Any) -> HandshakeTrace:
    unit, trace = Bench(Environment(), "beat"), HandshakeTrace()
    environment = unit.environment
    config = ActivationDispatcherConfig(port_bits=size["PortBits"], exponent_port_bits=size["ExponentBits"])
    dispatcher = ActivationDispatcher(unit, config, size["WordBits"])
    dispatcher.activity = SourcePort(environment, dispatcher.name, gap, trace.open("beat"))
    words = trace.open("word")

    def ask() -> Steps:
        for request, pause in zip(asked, pauses, strict=True):
            if pause:
                yield environment.timeout(int(pause))
            dispatcher.requests.put(Word(request[0], request[0], opens_group=request[1]))
            while not dispatcher.done.items:
                yield dispatcher.done.filled()
            dispatcher.done.pop()
            words.append(unit.now - 1)

    dispatcher.start()
    environment.process(ask())
    environment.run()
    trace.handshakes["taken"] = words
    return trace
