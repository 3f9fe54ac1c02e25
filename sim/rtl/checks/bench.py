"""Runs cases on a compiled design: what each port is offered, and the cycle and payload of every handshake."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.rtl.checks.build import Design, StreamPort, build, signal_bytes

Bytes = NDArray[np.uint8]
Cycles = NDArray[np.int64]


@dataclass(frozen=True)
class Offer:
    """What a source offers: item k from cycle at[k] on, and gap[k] cycles after the item before it was taken.

    Attributes
    ----------
    payload : uint8, (items, record bytes)
    at, gap : integers, (items,)
    """

    payload: Bytes
    at: NDArray[Any]
    gap: NDArray[Any]


@dataclass(frozen=True)
class Want:
    """What a sink does: how many handshakes end the case, and its ready pattern (repeated; 1 = ready)."""

    count: int
    pattern: NDArray[Any] = field(default_factory=lambda: np.ones(1, np.uint32))


@dataclass(frozen=True)
class RtlCase:
    """One run from reset.

    Attributes
    ----------
    power_up
        Seed of what all registers hold before; the case's number unless told.
    """

    offers: Mapping[str, Offer]
    wants: Mapping[str, Want]
    config: Mapping[str, int] = field(default_factory=dict)
    max_cycles: int = 200_000
    power_up: int | None = None


@dataclass(frozen=True)
class Handshakes:
    """Cycles of a port's handshakes, and for sinks their payloads by signal, as bytes."""

    cycles: Cycles
    payload: Mapping[str, Bytes] = field(default_factory=dict)


class BenchError(RuntimeError):
    """The simulation stopped: an assertion of the design failed."""


def pack(port: StreamPort, signals: Mapping[str, NDArray[Any]]) -> Bytes:
    """Records of a port from the bits of its signals.

    Parameters
    ----------
    signals : bits, (items, width), least significant first
    """
    parts = []
    for name, width in port.payload.items():
        bits = signals[name].astype(np.bool_)
        part = np.zeros((bits.shape[0], signal_bytes(width)), np.uint8)
        packed = np.packbits(bits, axis=1, bitorder="little")
        part[:, : packed.shape[1]] = packed
        parts.append(part)
    return np.concatenate(parts, axis=1) if parts else np.zeros((0, 0), np.uint8)


def to_bits(integers: NDArray[Any], width: int) -> NDArray[np.bool_]:
    """(..., n) integers as (..., n * width) bits, least significant first."""
    bits = integers.astype(np.int64)[..., np.newaxis] >> np.arange(width) & 1
    return bits.astype(np.bool_).reshape(*integers.shape[:-1], -1)


def run(design: Design, cases: Sequence[RtlCase]) -> list[dict[str, Handshakes]]:
    """Run cases one after the other; handshakes by port.

    Raises
    ------
    BenchError
        Where an assertion fails.
    """
    program = build(design)
    with tempfile.TemporaryDirectory() as folder:
        offered, seen = Path(folder, "cases"), Path(folder, "results")
        offered.write_bytes(b"".join(_encode(design, case, number) for number, case in enumerate(cases, 1)))
        done = subprocess.run([program, offered, seen], capture_output=True, text=True)
        if done.returncode:
            raise BenchError((done.stdout + done.stderr).strip())
        data = seen.read_bytes()
    results, position = [], 0
    for _ in cases:
        result, position = _decode(design, data, position)
        results.append(result)
    return results


def _encode(design: Design, case: RtlCase, number: int) -> bytes:
    power_up = number if case.power_up is None else case.power_up
    parts = [np.array([case.max_cycles, power_up, *(case.config[name] for name in design.config)], np.uint32).tobytes()]
    for port in design.sources:
        offer = case.offers[port.name]
        items = len(offer.at)
        if offer.payload.shape != (items, port.record_bytes):
            raise ValueError(f"{port.name}: records of shape {offer.payload.shape}, not {(items, port.record_bytes)}")
        parts += [
            np.uint32(items).tobytes(),
            offer.at.astype(np.uint32).tobytes(),
            offer.gap.astype(np.uint32).tobytes(),
        ]
        parts.append(np.ascontiguousarray(offer.payload).tobytes())
    for port in design.sinks:
        want = case.wants[port.name]
        parts += [
            np.array([want.count, len(want.pattern)], np.uint32).tobytes(),
            want.pattern.astype(np.uint32).tobytes(),
        ]
    return b"".join(parts)


def _decode(design: Design, data: bytes, position: int) -> tuple[dict[str, Handshakes], int]:
    def take(count: int, dtype: Any) -> NDArray[Any]:
        nonlocal position
        values = np.frombuffer(data, dtype, count, position)
        position += values.nbytes
        return values

    result = {}
    for port in design.sources:
        count = int(take(1, np.uint32)[0])
        result[port.name] = Handshakes(take(count, np.uint32).astype(np.int64))
    for port in design.sinks:
        count = int(take(1, np.uint32)[0])
        cycles = take(count, np.uint32).astype(np.int64)
        records = take(count * port.record_bytes, np.uint8).reshape(count, port.record_bytes)
        payload, start = {}, 0
        for name, width in port.payload.items():
            payload[name] = records[:, start : start + signal_bytes(width)]
            start += signal_bytes(width)
        result[port.name] = Handshakes(cycles, payload)
    return result, position
