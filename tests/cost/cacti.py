"""The SRAM table as it stands in its file, read by other code."""

from __future__ import annotations

import csv
from pathlib import Path

import sim.cost.sram

FIGURES = ("read_picojoules", "write_picojoules", "area_square_millimetres", "leakage_milliwatts")
KEYS = ("node_nanometres", "capacity_bytes", "width_bits")


def table() -> dict[tuple[int, int, int], dict[str, float]]:
    lines = Path(sim.cost.sram.__file__).with_name("sram_cacti.csv").read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {tuple(int(row[key]) for key in KEYS): {name: float(row[name]) for name in FIGURES} for row in rows}  # type: ignore[misc]


TABLE = table()
