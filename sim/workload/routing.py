"""Which experts tokens go to: how many of them each expert has, in whole tokens that add up.

    even          as evenly as whole tokens can be spread: the least work that routing can be
    zipf:S:SEED   by chance, the expert of rank r in proportion to 1 / r^S; zipf:0 is by chance without a skew
    TRACE         by chance, in proportion to the tokens that each layer's experts have in a recorded trace

A token goes to `per_token` different experts, so that an expert is chosen with a chance of at most 1; what its share
would be above that is spread over the others in proportion to theirs. Each layer draws anew in each step: for a token
an order of the experts and a number u. They lie one after the other on a line, each as long as its chance, and those
are chosen on which u, u + 1, u + 2 ... fall (systematic sampling: Madow 1949). So

    steps   0 of a prompt, s + 1 of the s-th decoded token;  of `mixed`, s of the s-th chunk
    mean tokens of an expert = rows * its chance,  tokens of all experts = rows * per_token

Chances are whole multiples of 1 / UNIT, so that nothing is rounded on the line.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sim.errors import InputError, Place
from sim.workload.gemm import FusedAttention, Gemm, Item, Phase, VectorWork

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNIT = 1 << 32
LARGEST_SKEW, LARGEST_SEED = 16, (1 << 32) - 1
MOST_DRAWS = 1 << 27
"""Tokens times experts times layers times steps."""
BLOCK = 1 << 20
"""Of them drawn at a time."""
EXPERTS = ".experts."
"""Of the names of what belongs to one expert."""


@dataclass(frozen=True)
class Mixture:
    """The experts of a model.

    Attributes
    ----------
    layers
        That have experts.
    count, per_token
        Experts of a layer, and those that a token goes to.
    """

    layers: int
    count: int
    per_token: int


class Routing(Protocol):
    """Loads of experts."""

    def loads(self, mixture: Mixture, rows: int, layers: range, steps: range) -> Counter[int]:
        """Of `rows` tokens in each of some layers and steps: how many experts have how many tokens, 0 left out."""
        ...


@dataclass(frozen=True)
class EvenRouting:
    """As many tokens for each, or one more."""

    def loads(self, mixture: Mixture, rows: int, layers: range, steps: range) -> Counter[int]:
        tokens, more = divmod(rows * mixture.per_token, mixture.count)
        times = len(layers) * len(steps)
        return +Counter({tokens + 1: more * times, tokens: (mixture.count - more) * times if tokens else 0})


@dataclass(frozen=True)
class DrawnRouting:
    """By chance.

    Attributes
    ----------
    weights
        Of each expert, of each layer or of all.
    """

    weights: tuple[tuple[Fraction, ...], ...]
    seed: int

    def loads(self, mixture: Mixture, rows: int, layers: range, steps: range) -> Counter[int]:
        import numpy as np

        draws = rows * mixture.count * len(layers) * len(steps)
        if draws > MOST_DRAWS:
            facts = {
                "found": f"{rows} tokens x {mixture.count} experts x {len(layers)} layers x {len(steps)} steps",
                "allowed": f"{MOST_DRAWS:,}, or routing `even`",
            }
            raise InputError("more than is drawn", field="run.routing", facts=facts)
        counts: Counter[int] = Counter()
        ends = [chances(weights, mixture.per_token) for weights in self.weights]
        for layer in layers:
            own = np.array(ends[layer % len(ends)], np.int64)
            for step in steps:
                random = np.random.Generator(np.random.PCG64([self.seed, layer, step]))
                tokens, experts = np.unique(_drawn(random, own, mixture.per_token, rows), return_counts=True)
                counts.update({int(one): int(many) for one, many in zip(tokens, experts, strict=True) if one})
        return counts


def chances(weights: Sequence[Fraction], per_token: int) -> list[int]:
    """Chances of experts in units of 1 / UNIT, from the weights that they are chosen in proportion to.

    They add up to `per_token` exactly, and none is above 1.
    """
    chance, left, free = [0] * len(weights), per_token * UNIT, dict(enumerate(weights))
    while full := [one for one, weight in free.items() if weight * left > sum(free.values()) * UNIT]:
        for one in full:
            chance[one] = UNIT
            del free[one]
        left = (per_token - chance.count(UNIT)) * UNIT
    total = sum(free.values())
    if not total:  # experts that are never chosen, as far as was seen, where some have to be
        free = dict.fromkeys(free, Fraction(1))
        total = Fraction(len(free))
    for one, weight in free.items():
        chance[one] = int(weight * left / total)
    for one in sorted(free, key=lambda one: chance[one] - free[one] * left / total)[: per_token * UNIT - sum(chance)]:
        chance[one] += 1
    return chance


def _drawn(random: np.random.Generator, chance: NDArray[np.int64], per_token: int, rows: int) -> NDArray[np.int64]:
    """Tokens of each expert."""
    import numpy as np

    tokens, most = np.zeros(len(chance), np.int64), max(1, BLOCK // len(chance))
    for first in range(0, rows, most):
        count = min(most, rows - first)
        order = random.random((count, len(chance))).argsort(axis=1, kind="stable")
        ends = chance[order].cumsum(axis=1)
        begins = ends - chance[order]
        u = random.integers(0, UNIT, (count, 1))
        # Whole numbers n with begin <= u + n UNIT < end: at most one, for no chance is above UNIT.
        chosen = (ends - u + UNIT - 1) // UNIT - (begins - u + UNIT - 1) // UNIT
        tokens += np.bincount(order.ravel(), chosen.ravel(), len(chance)).astype(np.int64)
    return tokens


def routing_of(text: str, place: Place | None, mixture: Mixture) -> Routing:
    """What `run.routing` asks for.

    Raises
    ------
    InputError
        For a text that is none of them, and a trace without routing, or of another mixture.
    """
    if text == "even":
        return EvenRouting()
    field = "run.routing"
    found = re.fullmatch(r"zipf:(\d{1,2}(?:\.\d{1,9})?)(?::(\d{1,10}))?", text)
    if found:
        skew, seed = Decimal(found[1]), int(found[2] or 0)
        if skew > LARGEST_SKEW or seed > LARGEST_SEED:
            facts = {"allowed": f"exponents to {LARGEST_SKEW}, seeds to {LARGEST_SEED}"}
            raise InputError(f"found {text}", place=place, field=field, facts=facts)
        ranks = range(1, mixture.count + 1)
        return DrawnRouting((tuple(Fraction(Decimal(rank) ** -skew) for rank in ranks),), seed)
    if "/" not in text and not Path(text).is_dir():
        facts = {"allowed": "even, zipf:EXPONENT, zipf:EXPONENT:SEED, or the folder of a trace"}
        raise InputError(f"found {text!r:.80}", place=place, field=field, facts=facts)
    return _recorded(Path(text), place, mixture)


def _recorded(folder: Path, place: Place | None, mixture: Mixture) -> Routing:
    from sim.workload.trace_file import open_trace

    manifest, field = open_trace(folder).manifest, "run.routing"
    tokens: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for record in manifest.records:
        if record.expert and record.module == "down":
            layer, _, expert = record.name.partition(EXPERTS)
            tokens[layer][int(re.findall(r"\d+", expert)[-1])] += record.m
    if manifest.tokens.identifiers is None or not tokens:
        facts = {"found": str(folder), "mend": "record a mixture of experts with --text"}
        raise InputError("a trace that tells no routing", place=place, field=field, facts=facts)
    experts = 1 + max(max(one) for one in tokens.values())
    if len(tokens) != mixture.layers or experts > mixture.count:
        facts = {
            "found": f"{len(tokens)} layers, expert {experts - 1}",
            "expected": f"{mixture.layers} layers of {mixture.count} experts",
        }
        raise InputError("a trace of another mixture of experts", place=place, field=field, facts=facts)
    weights = (tuple(Fraction(one[expert]) for expert in range(mixture.count)) for one in tokens.values())
    return DrawnRouting(tuple(weights), 0)


def rerouted(phase: Phase, routing: Routing, mixture: Mixture, rows: int, steps: range) -> Phase:
    """A phase whose experts were run evenly, with their loads as routed: GeMMs and vector work of single experts."""
    loads, items = routing.loads(mixture, rows, range(mixture.layers), steps), list[Item]()
    kinds: set[Item] = set()
    for item in phase.items:
        if EXPERTS not in item.name or isinstance(item, FusedAttention):
            items.append(item)
            continue
        for one in _by_load(item, phase, loads) if (kind := _kind(item)) not in kinds else ():
            items.append(one)
        kinds.add(kind)
    return Phase(phase.name, tuple(items))


def _kind(item: Item) -> Item:
    """An item of an expert, whatever its load."""
    if isinstance(item, Gemm):
        return replace(item, m=1, count=1)
    return VectorWork(item.name, item.module, 0, 0, 0) if isinstance(item, VectorWork) else item


def _by_load(like: Item, phase: Phase, loads: Counter[int]) -> list[Item]:
    same = [item for item in phase.items if _kind(item) == _kind(like)]
    if isinstance(like, Gemm):
        return [replace(like, m=tokens, count=count) for tokens, count in sorted(loads.items(), reverse=True)]
    total = sum(tokens * count for tokens, count in loads.items())
    each = {
        key: sum(getattr(item, key) * item.count for item in same) // total
        for key in ("operations", "read_bytes", "write_bytes")
    }
    return [
        replace(like, **{key: one * tokens for key, one in each.items()}, count=count)
        for tokens, count in sorted(loads.items(), reverse=True)
    ]
