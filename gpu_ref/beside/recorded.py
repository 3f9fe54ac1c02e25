"""A card of our own measurements as platforms, one for each kernel: only the shapes that were timed."""

from __future__ import annotations

from collections.abc import Sequence

from gpu_ref.beside.cost import Outside, PlaceCost, Platform, Resources
from gpu_ref.beside.work import Gemms, Place
from gpu_ref.program import GemmShape
from gpu_ref.record import BenchRecord, Ceilings, Row
from gpu_ref.reference.cards import TabulatedCard, shipped
from sim.errors import InputError


def known_card(record: BenchRecord) -> TabulatedCard | None:
    """The card of the measured tables that a record's device is, if it is one; for its die and its TDP."""
    return next((card for name, card in shipped().cards.items() if name in record.device.name), None)


def resources(record: BenchRecord, operand: str = "f16") -> Resources:
    """At the ceilings measured in the same run; other operands at their stated multiple of FP16's rate.

    Raises
    ------
    InputError
        Where the run ended before it had measured them.
    """
    ceilings = _ceilings(record)
    rate = record.tensor_core_rates.get(operand, 1)
    card = known_card(record)
    return Resources(
        ceilings.bytes_per_second,
        ceilings.fp16_operations_per_second * float(rate),
        card.die.area_square_millimetres if card else None,
        card.die.transistors if card else None,
    )


def platforms(record: BenchRecord, work: Sequence[Place]) -> list[Platform]:
    """A platform for each kernel, FP16 first.

    Raises
    ------
    InputError
        Where no GeMM of the work was measured with FP16, so that nothing has a baseline.
    """
    shapes = {_shape(place, n) for place in work if isinstance(place, Gemms) for n in place.columns}
    baseline = {row.shape for row in record.rows if row.source == "fp16"}
    if not shapes & baseline:
        facts = {"simulated": _listed(shapes), "measured": _listed(baseline or {row.shape for row in record.rows})}
        raise InputError(f"no GeMM was both simulated and measured on {record.device.name}", facts=facts)
    fp16 = [row.kernel for row in record.rows if row.source == "fp16"]
    return [_platform(record, kernel, work) for kernel in dict.fromkeys([*fp16, *(row.kernel for row in record.rows)])]


def _ceilings(record: BenchRecord) -> Ceilings:
    if record.ceilings is None:
        raise InputError("the record has no measured ceilings, so no roofline can be drawn")
    return record.ceilings


def _platform(record: BenchRecord, kernel: str, work: Sequence[Place]) -> Platform:
    fastest: dict[GemmShape, Row] = {}
    for row in record.rows:
        if row.kernel == kernel and (row.shape not in fastest or _is_better(row, fastest[row.shape])):
            fastest[row.shape] = row
    some = next(iter(fastest.values()))
    spread = max(
        (row.upper_quartile_seconds - row.lower_quartile_seconds) / row.median_seconds for row in fastest.values()
    )
    costs = tuple(_cost(record, fastest, place) for place in work)
    return Platform(
        own_name=f"{record.device.name} {kernel}",
        is_simulated=False,
        resources=resources(record, some.operand),
        costs=costs,
        frame=(record.device.name,),
        error=f"{50 * spread:.0f} %",
        most_error=spread / 2,
        measured=tuple(isinstance(cost, PlaceCost) for cost in costs),
        how=tuple("apart" if isinstance(place, Gemms) and len(place.columns) > 1 else "" for place in work),
    )


def _is_better(row: Row, than: Row) -> bool:
    return (not row.is_choice, row.median_seconds) < (not than.is_choice, than.median_seconds)


def _cost(record: BenchRecord, rows: dict[GemmShape, Row], place: Place) -> PlaceCost | Outside:
    if not isinstance(place, Gemms):
        return Outside("the record holds GeMMs only")
    total = PlaceCost()
    for n in place.columns:
        row = rows.get(_shape(place, n))
        if row is None:
            return Outside(f"{_shape(place, n)} was not measured")
        total += _one(record, row)
    return PlaceCost(*(place.count * value for value in vars(total).values()))


def _one(record: BenchRecord, row: Row) -> PlaceCost:
    card = known_card(record)
    most = row.median_seconds * card.power_watts.value if card else 0.0
    least = 8e-12 * row.bytes * shipped().dram_picojoules_per_bit.value
    return PlaceCost(
        seconds=row.median_seconds,
        bytes=row.bytes,
        peak_seconds=row.operations / resources(record, row.operand).operations_per_second,
        least_joules=row.energy_joules or least,
        most_joules=row.energy_joules or most,
    )


def _shape(place: Gemms, columns: int) -> GemmShape:
    return GemmShape(place.m, columns, place.k)


def _listed(shapes: set[GemmShape]) -> str:
    texts = [str(shape) for shape in sorted(shapes, key=lambda shape: (shape.tokens, shape.columns, shape.depth))]
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")
