"""The comparison as data: gpu.json, and gpu.csv, a row for each platform on each layer, phase, token and model."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_ref.beside.cost import PlaceCost, Platform
from gpu_ref.beside.notes import notes
from gpu_ref.beside.standing import Entry, PhaseStanding, ratios, transistors, verdict, within

if TYPE_CHECKING:
    from gpu_ref.beside.comparison import Beside


def write(beside: Beside, folder: Path) -> None:
    """Write both files."""
    text = json.dumps(as_dict(beside), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "gpu.json").write_text(text + "\n", encoding="utf-8")
    lines = rows(beside)
    columns = list(dict.fromkeys(key for line in lines for key in line))
    with (folder / "gpu.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def as_dict(beside: Beside) -> dict[str, Any]:
    """Everything that is shown, and what it is made of."""
    return {
        "card": beside.card.name,
        "provenance": list(beside.card.provenance),
        "notes": notes(beside),
        "platforms": [_platform(one) for one in beside.platforms],
        "parts": [_part(one) for one in beside.parts],
        "rows": rows(beside),
    }


def rows(beside: Beside) -> list[dict[str, Any]]:
    """Layer by layer (one instance of it), then phase, token and model."""
    found = []
    for part in beside.parts:
        if part.name != "model":
            found += [row for index in part.covered for row in _layer_rows(beside, part, index)]
        for entry in part.entries:
            level = "model" if part.name == "model" else "phase"
            found.append(_row(level, part, entry, entry.cost))
            if part.tokens:
                found.append(_row("token", part, entry, entry.cost / part.tokens))
            if len(beside.parts) == 1:
                found.append(_row("model", part, entry, entry.cost))
    return found


def _layer_rows(beside: Beside, part: PhaseStanding, index: int) -> list[dict[str, Any]]:
    place, found = beside.work[index], []
    for entry in part.entries:
        cost, platform = entry.platform.costs[index], entry.platform
        if not isinstance(cost, PlaceCost):
            continue
        about = {
            "module": place.module,
            "layer": "+".join(place.names),
            "shape": place.text,
            "count": place.count,
            "measured_at_this_shape": platform.measured[index] if platform.measured else None,
            "how": platform.how[index] if platform.how else "",
        }
        found.append(_row("layer", part, Entry(platform, cost, (index,)), cost / place.count, about))
    return found


def _row(
    level: str, part: PhaseStanding, entry: Entry, cost: PlaceCost, about: dict[str, Any] | None = None
) -> dict[str, Any]:
    against = ratios(entry, part.best) if entry.platform.is_simulated and about is None else {}
    return {
        "level": level,
        "phase": part.name,
        **(about or {}),
        "platform": entry.platform.name,
        "simulated": entry.platform.is_simulated,
        "seconds": cost.seconds,
        "error_median_and_95_percent": entry.platform.error,
        "bandwidth_share": entry.bandwidth_share,
        "peak_share": entry.peak_share,
        "bytes": cost.bytes,
        "least_joules": cost.least_joules,
        "most_joules": cost.most_joules,
        **{f"speedup.{name}": value for name, value in against.items()},
    }


def _platform(platform: Platform) -> dict[str, Any]:
    return {
        "name": platform.name,
        "simulated": platform.is_simulated,
        "error_median_and_95_percent": platform.error,
        **vars(platform.resources),
        "transistors": transistors(platform),
    }


def _part(part: PhaseStanding) -> dict[str, Any]:
    return {
        "phase": part.name,
        "tokens": part.tokens,
        "operations_share": part.operations_share,
        "left_out": list(part.left_out),
        "dropped": list(part.dropped),
        "within_one_chip": [{"platform": one, "over": first, "speedup": value} for one, first, value in within(part)],
        "best_of_the_card": part.best.platform.name,
        "machines": [
            {
                "platform": entry.platform.name,
                "speedup": ratios(entry, part.best),
                "verdict": verdict(ratios(entry, part.best), part.best.platform.most_error),
            }
            for entry in part.machines
        ],
    }
