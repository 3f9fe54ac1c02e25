"""Random stalls, from none at all to mostly closed."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.rtl.checks.bench import Offer

Integers = NDArray[Any]


def arrivals(rng: random.Random, count: int) -> Integers:
    """Cycles that do not fall, dense or sparse."""
    pace = rng.choice([0, 0, 5, 40, 200])
    return np.cumsum([rng.randint(0, pace) for _ in range(count)], dtype=np.int64)


def gaps(rng: random.Random, count: int) -> Integers:
    """Cycles that a source waits before each item."""
    chance, longest = rng.choice([0.0, 0.0, 0.05, 0.4]), rng.choice([1, 3, 20])
    return np.array([rng.randint(1, longest) if rng.random() < chance else 0 for _ in range(count)], np.int64)


def pattern(rng: random.Random) -> Integers:
    """A ready pattern with at least one 1."""
    chance = rng.choice([1.0, 1.0, 0.9, 0.5, 0.1])
    ready = np.array([rng.random() < chance for _ in range(rng.randint(1, 97))], np.uint32)
    ready[rng.randrange(len(ready))] = 1
    return ready


def tokens(at: Integers) -> Offer:
    """An offer without payload."""
    return Offer(np.zeros((len(at), 0), np.uint8), at, np.zeros_like(at))
