"""What limits a run: the largest of the losses of its waterfall, and the key that would make it smaller.

Losses of one unit with one cause count together, such as all waits beside a busy channel; what to do is said of the
largest among them. Where none takes a tenth of the multipliers' time, more of them is what would speed the run up: it
is limited by compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sim.laws.waterfall import Waterfall
from sim.units.catalogue import unit_kinds
from sim.units.unit import Loss

NEGLIGIBLE = 0.1
"""Share of the multipliers' time: without a smaller loss a run would be faster by a ninth at most."""


@dataclass(frozen=True)
class Limit:
    """The limiting unit, the cause in two words, the likeliest key to change, and a sentence.

    The key is one of the arch YAML, or an option of the workload (batch, tokens).
    """

    unit: str
    cause: str
    key: str
    text: str


@cache
def loss_of() -> dict[str, tuple[str, Loss]]:
    """The unit that each loss is named for, and its words."""
    return {name: (unit.names[0], loss) for unit in unit_kinds() for name, loss in unit.losses.items()}


def limit_of(waterfall: Waterfall, rows: int) -> Limit:
    """What limits a run, from where its multipliers' time went.

    Parameters
    ----------
    rows
        Of an MXU.
    """
    kinds: dict[tuple[str, str], list[str]] = {}
    for name in waterfall.losses:
        unit, loss = loss_of()[name]
        kinds.setdefault((unit, loss.cause), []).append(name)
    (unit, cause), names = max(kinds.items(), key=lambda kind: sum(waterfall.losses[name] for name in kind[1]))
    share = sum(waterfall.losses[name] for name in names) / waterfall.whole
    _, largest = loss_of()[max(names, key=lambda name: waterfall.losses[name])]
    words = largest.words.format(working=f"{waterfall.rows_at_work * rows:.3g}", rows=rows)
    lost = f"lost{', mostly' if len(names) > 1 else ''} to {words}"
    time = "of the multipliers' time is"
    if share < NEGLIGIBLE:
        text = f"compute: {_percent(waterfall.utilisation)} {time} useful, {_percent(share)} {lost}"
        return Limit("mxu", "compute", "mxu.count", text)
    return Limit(unit, cause, largest.key, f"{cause}: {_percent(share)} {time} {lost}; mend: {largest.advice}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
