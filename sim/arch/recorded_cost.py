"""`cost: {pe: rtl}`: what the PE costs as synthesised from sim/rtl, instead of the machine's own figures."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import yaml

from sim.arch.schema import MxuConfig
from sim.errors import InputError
from sim.shipped import ROOT
from sim.source import Source

RECORD = ROOT / "results" / "rtl" / "pe_costs.yaml"
"""Entries of `mxu`, the keys that make a PE, and `cost`, its cost.pe."""
NAME = "rtl"


def with_recorded_cost(described: Source) -> Source:
    """The machine with the recorded figures of its PE where it asks for them.

    Raises
    ------
    InputError
        For a PE that was not synthesised.
    """
    mxu = described.values.get("mxu")
    if not asks_for_record(described) or not isinstance(mxu, dict):
        return described
    entries = _entries()
    for entry in entries:
        if all(
            mxu.get(key, MxuConfig.model_fields[key].default) == value
            for key, value in {"conversion": "fp32", **entry["mxu"]}.items()
        ):
            cost = described.values["cost"] | {"pe": entry["cost"]}
            written = {**described.expressions, ("cost", "pe"): NAME}
            return replace(described, values=described.values | {"cost": cost}, expressions=written)
    raise InputError(
        "this PE was not synthesised",
        place=described.place(("cost", "pe")),
        field=f"cost.pe: {NAME}",
        facts={"recorded": "; ".join(_words(entry["mxu"]) for entry in entries)},
    )


def asks_for_record(described: Source) -> bool:
    """Whether the description names the record instead of giving figures."""
    cost = described.values.get("cost")
    return isinstance(cost, dict) and cost.get("pe") == NAME


@cache
def _entries() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    return entries


def _words(mxu: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in mxu.items() if value is not None)
