"""The quantiser alone: tokens of any finite FP16 values, random stalls on both sides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simpy.events import Event, Timeout

from sim.arch.schema import BufferConfig
from sim.engine.activity import Activity
from sim.engine.channel import Credits
from sim.engine.environment import Environment
from sim.formats import fp16
from sim.formats.token_integer import TokenIntegers, largest_code
from sim.mapping.operands import ceil_div
from sim.mapping.vector_blocks import BlockCursor, cut_tokens, token_cycles
from sim.rtl.checks import bench
from sim.rtl.checks.bench import Offer, RtlCase, Want, pack, to_bits
from sim.rtl.checks.build import Design, StreamPort
from sim.rtl.checks.comparison import Comparison
from sim.rtl.checks.randomness import gaps, pattern
from sim.rtl.checks.reference import UNLIMITED, Gather, HandshakeTrace, supply
from sim.units.quantiser import Quantiser
from sim.units.unit import Bench
from sim.workload.gemm import Quantisation

CACHED_BITS = (8, 4, 3)
"""Of keys and values."""


def design(lanes: int, bits: int, *, narrower: bool = False) -> Design:
    """A quantiser as parameters and ports."""
    beat, codes = {"beat_i": lanes * 16, "last_i": 1}, {"codes_o": lanes * bits, "scale_o": 16, "last_o": 1}
    sources, sinks = (StreamPort("beat", beat),), (StreamPort("codes", codes),)
    parameters = {"Lanes": lanes, "Bits": bits, "Narrower": int(narrower)}
    return Design("quantiser", parameters, sources, sinks, ("code_bits_i",))


class TokenPorts(Activity):
    """A ledger whose cycles are, token by token, beats of the source, division, beats of the source and of the sink."""

    __slots__ = ("_codes", "_gaps", "_pattern", "_taken", "_unit")

    def __init__(self, environment: Environment, unit: Quantiser, gaps: Any, ready: Any, seen: HandshakeTrace):
        super().__init__(environment, unit.name)
        self._unit, self._gaps, self._pattern = unit, gaps, ready
        self._taken, self._codes = seen.open("beat"), seen.open("codes")

    def work(self, cycles: int) -> Timeout:
        beat = self._environment._now
        if self._unit.step != "division":
            after = self._taken[-1] + 1 if self._taken else 0
            beat = max(beat, after + int(self._gaps[len(self._taken)]))
            if self._unit.step == "codes":
                while not self._pattern[beat % len(self._pattern)]:
                    beat += 1
                self._codes.append(beat)
            self._taken.append(beat)
        return super().work(beat + cycles - self._environment._now)


def check(design: Design, seeds: Sequence[int]) -> list[Comparison]:
    """One run of tokens a seed; the differences of each."""
    sides = [_case(design, random.Random(seed)) for seed in seeds]
    results = bench.run(design, [case for case, _ in sides])
    found = []
    for (_, wanted), seen in zip(sides, results, strict=True):
        comparison = Comparison()
        for port, cycles in wanted["trace"].handshakes.items():
            comparison.cycles(port, cycles, seen[port])
        for signal in ("codes_o", "scale_o", "last_o"):
            comparison.payload(signal, wanted[signal], seen["codes"])
        found.append(comparison)
    return found


def _case(design: Design, rng: random.Random) -> tuple[RtlCase, dict[str, Any]]:
    lanes, wide = int(design.parameters["Lanes"]), int(design.parameters["Bits"])
    tokens, values, bits = rng.randint(1, 6), rng.randint(1, 6 * lanes), wide
    if design.parameters["Narrower"]:  # heads of a token's keys or values
        bits, values = rng.choice(CACHED_BITS), rng.choice([64, 80, 128, values])
    codes = random_tokens(np.random.default_rng(rng.getrandbits(32)), tokens, values, bits)
    quantised, beats = TokenIntegers.quantise(fp16.from_codes(codes), bits), ceil_div(values, lanes)
    last = np.tile(np.arange(beats) == beats - 1, tokens)[:, np.newaxis]
    signals = {
        "beat_i": to_bits(_beats(codes, lanes), 16)
        .reshape(tokens, beats, -1)
        .repeat(2, axis=0)
        .reshape(-1, 16 * lanes),
        "last_i": last.reshape(tokens, beats).repeat(2, axis=0).reshape(-1, 1),
    }
    gap, ready = gaps(rng, 2 * tokens * beats), pattern(rng)
    case = RtlCase(
        {"beat": Offer(pack(design.sources[0], signals), np.zeros(len(gap)), gap)},
        {"codes": Want(tokens * beats, ready)},
        {"code_bits_i": bits},
    )
    scales = fp16.to_codes(quantised.scales).repeat(beats)[:, np.newaxis]
    trace = _model(Quantisation("", "other", tokens, values, bits), lanes, gap, ready)
    wanted = {"codes_o": to_bits(_beats(quantised.codes, lanes), wide), "scale_o": to_bits(scales, 16), "last_o": last}
    return case, wanted | {"trace": trace}


def random_tokens(rng: np.random.Generator, tokens: int, values: int, bits: int) -> NDArray[np.uint16]:
    """FP16 codes of tokens: any finite ones, few exponents, subnormal ones, whole and half codes, and zeros only."""
    codes = rng.integers(0, 1 << 16, (tokens, values), dtype=np.uint16)
    codes = np.where((codes >> 10 & 31) == 31, codes & np.uint16(0x83FF), codes)
    top = rng.integers(0, 31, (tokens, 1))
    near = np.clip(top - rng.integers(0, 9, (tokens, values)), 0, 30).astype(np.uint16)
    codes = np.where(rng.random((tokens, 1)) < 0.7, codes & np.uint16(0x83FF) | near << np.uint16(10), codes)
    # A scale of few bits is found again, and its multiples by halves are FP16 numbers.
    most = 2 * largest_code(bits)
    halves = rng.integers(-most, most + 1, (tokens, values))
    halves[:, rng.integers(0, values)] = most
    units = rng.choice([1, 3, 5, 7], (tokens, 1)) * np.exp2(rng.integers(-24, 4, (tokens, 1)))
    codes = np.where(rng.random((tokens, 1)) < 0.3, fp16.to_codes((halves * units).astype(np.float16)), codes)
    return np.where(rng.random((tokens, 1)) < 0.05, codes & np.uint16(0x8000), codes)


def _beats(values: NDArray[Any], lanes: int) -> NDArray[Any]:
    """(tokens, K) as (tokens x beats, lanes), zeros behind."""
    padded = np.pad(values, ((0, 0), (0, -values.shape[1] % lanes)))
    return padded.reshape(-1, lanes)


def _twice(beats: NDArray[Any], tokens: int) -> NDArray[Any]:
    """(tokens x beats, bits) with the beats of each token twice."""
    return beats.reshape(tokens, -1, beats.shape[-1]).repeat(2, axis=0).reshape(-1, beats.shape[-1])


def _model(work: Quantisation, lanes: int, gap: Any, ready: Any) -> HandshakeTrace:
    unit, trace = Bench(Environment(), "beat"), HandshakeTrace()
    environment = unit.environment
    blocks = cut_tokens(work, lanes, 1 << 30)
    buffer = supply(unit, "activation_buffer", BufferConfig(bytes=1 << 30, fill_port_bits=64), [0] * blocks.count)
    sink: Any = Gather(environment, (), trace.open("written"))
    sink.space = Credits(environment, UNLIMITED)
    launched = Event(environment)
    quantiser = Quantiser(
        unit, launched, BlockCursor(blocks), buffer, sink, work=work, lanes=lanes, channel_busy=lambda: 0
    )
    assert blocks.last.operations == work.tokens * token_cycles(work.values, lanes)
    quantiser.activity = TokenPorts(environment, quantiser, gap, ready, trace)
    launched.succeed()
    quantiser.start()
    environment.run()
    del trace.handshakes["written"]
    return trace
