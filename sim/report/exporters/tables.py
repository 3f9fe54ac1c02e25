"""layers.csv and comparison.csv: a line a layer, and a line a machine."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.report.exporter import Export, Exporter
from sim.result import Layer
from sim.result.json import layer_data


class Tables(Exporter):
    name = "csv"
    summary = "layers.csv of each machine, and comparison.csv"
    files = ("layers.csv", "comparison.csv")

    def write(self, export: Export) -> None:
        for result, machine in zip(export.results, export.machines, strict=True):
            _write_csv(machine / "layers.csv", [_layer_row(layer) for layer in result.layers])
        if export.rows:
            _write_csv(export.folder / "comparison.csv", export.rows)


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested keys joined by dots, so that a layer is a row: `units.mxu.busy_cycles`."""
    row: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            row |= {f"{key}.{inner}": one for inner, one in flat(value).items()}
        else:
            row[key] = value
    return row


def _layer_row(layer: Layer) -> dict[str, Any]:
    """A layer's line; work of the vector unit leaves the columns about blocks empty."""
    told = layer_data(layer)
    return flat({**told, **{key: told[key] or {} for key in ("schedule", "dram_floor")}})


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a row; a key that a row lacks leaves its cell empty."""
    seen: dict[str, int] = {}
    places = {key: _place(key, seen) for row in rows for key in row}
    columns = sorted(places, key=places.__getitem__)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _place(key: str, seen: dict[str, int]) -> list[int]:
    """Sorts a key by when it, or one with the same beginning, was seen first."""
    parts = key.split(".")
    return [seen.setdefault(".".join(parts[: depth + 1]), len(seen)) for depth in range(len(parts))]
