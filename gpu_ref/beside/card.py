"""A card of the measured tables as platforms, one for each type: BF16, W4A16, FP8, NVFP4.

GeMMs of one input are taken together or apart, whichever is faster. Weights that the model does not quantise stay BF16,
and attention is the card's 16-bit one, whatever the type. Energy: between DRAM alone and the card's TDP all along.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpu_ref.beside.cost import Outside, PlaceCost, Platform, Resources
from gpu_ref.beside.work import AttentionWork, Gemms, Place
from gpu_ref.reference.attention import HEAD_SIZE, attention_estimate
from gpu_ref.reference.cards import TabulatedCard, shipped
from gpu_ref.reference.estimate import OutsideTableError, error_bars
from gpu_ref.reference.gemm import gemm_estimate
from gpu_ref.reference.tables import TYPES, NumberType, types_of

BASELINE = "BF16"


def resources(card: TabulatedCard, kind: str) -> Resources:
    """What a card puts into products of one type."""
    return Resources(
        card.bytes_per_second.value,
        card.peak(TYPES[kind].operand),
        card.die.area_square_millimetres,
        card.die.transistors,
    )


def platforms(name: str, work: Sequence[Place]) -> list[Platform]:
    """A platform for each type measured on the card, the 16-bit one first."""
    return [_platform(name, TYPES[kind], work) for kind in types_of(name)]


def _platform(name: str, kind: NumberType, work: Sequence[Place]) -> Platform:
    card = shipped().cards[name]
    found = [_timed(name, kind, place) for place in work]
    costs = tuple(one if isinstance(one, Outside) else _cost(card, kind, place, one[0])
                  for one, place in zip(found, work, strict=True))  # fmt: skip
    return Platform(
        own_name=f"{name} {kind.name}",
        is_simulated=False,
        resources=resources(card, kind.name),
        costs=costs,
        frame=(name,),
        error=str(error_bars()[name][kind.name]),
        most_error=error_bars()[name][kind.name].most,
        measured=tuple(not isinstance(one, Outside) and one[1] for one in found),
        how=tuple("" if isinstance(one, Outside) else one[2] for one in found),
    )


def _timed(name: str, kind: NumberType, place: Place) -> tuple[float, bool, str] | Outside:
    """Seconds of all calls, whether just these shapes were measured, and how it was done."""
    try:
        if isinstance(place, Gemms):
            return _products(name, _used(kind, place).name, place)
        if isinstance(place, AttentionWork) and not place.obstacle:
            return _attended(name, place)
    except OutsideTableError as error:
        return Outside(str(error))
    return Outside(place.obstacle if isinstance(place, AttentionWork) else "norms and the like are in no table")


def _used(kind: NumberType, place: Gemms) -> NumberType:
    """The type of a place's weights: those that are not quantised stay 16 bits wide."""
    if kind.name == "W4A16" and place.weight_bits not in (4, 16):
        raise OutsideTableError(f"W4A16 was measured with weights of 4 bits, not of {place.weight_bits}")
    return TYPES[BASELINE] if place.weight_bits == 16 else kind


def _products(card: str, kind: str, place: Gemms) -> tuple[float, bool, str]:
    options: list[tuple[float, bool, str]] = []
    refused: list[OutsideTableError] = []
    for how, columns in (("together", (sum(place.columns),)), ("apart", place.columns)):
        try:
            timed = [gemm_estimate(card, kind, place.m, n, place.k) for n in columns]
        except OutsideTableError as error:
            refused.append(error)
        else:
            measured = all(one.is_measured for one in timed)
            options.append((place.count * sum(one.seconds for one in timed), measured, how))
    if not options:
        raise refused[-1]
    best = min(options)
    return best if len(place.columns) > 1 else (best[0], best[1], "")


def _attended(card: str, place: AttentionWork) -> tuple[float, bool, str]:
    timed = [
        (times, attention_estimate(card, place.phase, place.heads, place.kv_heads, place.batch, tokens))
        for tokens, times in place.calls
    ]
    return sum(times * one.seconds for times, one in timed), all(one.is_measured for _, one in timed), ""


def _cost(card: TabulatedCard, kind: NumberType, place: Place, seconds: float) -> PlaceCost:
    if isinstance(place, Gemms):
        used = _used(kind, place)
        moved, peak = place.fewest_bytes(used.weight_bits), card.peak(used.operand)
    else:
        assert isinstance(place, AttentionWork)
        moved, peak = _cache_bytes(place), card.peak("bfloat16")
    return PlaceCost(
        seconds=seconds,
        bytes=moved,
        peak_seconds=place.operations / peak,
        least_joules=8e-12 * moved * shipped().dram_picojoules_per_bit.value,
        most_joules=seconds * card.power_watts.value,
    )


def _cache_bytes(place: AttentionWork) -> float:
    """Queries, keys, values and outputs of all calls, 16 bits each, once."""
    queries = [tokens if place.phase == "prefill" else 1 for tokens, _ in place.calls]
    values = sum(
        times * (2 * place.heads * asked + 2 * place.kv_heads * tokens)
        for (tokens, times), asked in zip(place.calls, queries, strict=True)
    )
    return 2.0 * place.batch * HEAD_SIZE * values
