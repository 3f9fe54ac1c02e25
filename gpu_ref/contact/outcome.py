"""A journal as a record of measurements, and as lines to read on the spot."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

from gpu_ref.contact.job import Job
from gpu_ref.contact.journal import Journal
from gpu_ref.contact.supervisor import TIME_IS_UP
from gpu_ref.record import BenchRecord, Ceilings, DeviceRecord, Failure, GoldenCheck, Reading, Row
from gpu_ref.roofline import Roofline
from gpu_ref.timing import NOMINAL


def record(job: Job, journal: Journal) -> BenchRecord | None:
    """The measurements; None where not even the card answered."""
    found = _all(journal, "card")
    if not found:
        return None
    seen = found[0]
    rows = _rows(journal)
    ceilings, rows = _with_ceilings(_all(journal, "ceilings"), rows)
    rates = asdict(job.settings.tensor_core_rates)
    return BenchRecord(
        device=DeviceRecord(**seen["card"]),
        versions=seen["versions"],
        started=journal.entries[0]["started"],
        spent_seconds=sum(entry["content"] for entry in journal.entries if entry["kind"] == "spent"),
        complete=not any(entry["reason"] == TIME_IS_UP for entry in _settled(journal)),
        sources=job.sources,
        tensor_core_rates=rates,
        state_before=Reading(**seen["state"]),
        ceilings=ceilings,
        checks=[GoldenCheck(**one) for one in _all(journal, "check")],
        rows=rows,
        failures=[
            Failure(
                kernel=entry["subject"],
                **{axis: entry.get(axis, 0) for axis in ("tokens", "columns", "depth")},
                message=f"{entry['step']}: {entry['reason']}",
            )
            for entry in _settled(journal)
            if entry["reason"] not in ("", TIME_IS_UP)
        ],
    )


def lines(journal: Journal) -> list[str]:
    """What was done and what was not, a reason each, equal reasons together."""
    checks = _all(journal, "check")
    wrong = [one for one in checks if not one["passed"]]
    told = [
        f"{len(checks) - len(wrong)} of {len(checks)} verifications passed, {len(_all(journal, 'row'))} rows measured"
    ]
    carried = sum(one["golden"] == "carried" for one in checks)
    if carried:
        told.append(f"{carried} of them by golden results that the bundle carries")
    for one in wrong:
        shape = f"{one['tokens']} x {one['columns']} x {one['depth']}"
        told.append(f"WRONG  {one['configuration']}, {shape}, {one['case']}: {one['error']}, allowed {one['limit']}")
    reasons = Counter((_who(entry), entry["reason"]) for entry in _settled(journal) if entry["reason"])
    for (who, reason), count in reasons.items():
        times = f" ({count} items)" if count > 1 else ""
        told.append(f"not done  {who}{times}: {reason}")
    return told


def _who(entry: dict[str, Any]) -> str:
    """A step and its subject; all of a step where the time was up, which is no subject's fault."""
    return entry["step"] if entry["reason"] == TIME_IS_UP else f"{entry['step']}, {entry['subject']}"


def _settled(journal: Journal) -> list[dict[str, Any]]:
    """The last word on every item."""
    last = {(entry["step"], entry["item"]): entry for entry in journal.entries if entry["kind"] == "settled"}
    return list(last.values())


def _with_ceilings(measured: list[dict[str, Any]], rows: list[Row]) -> tuple[Ceilings | None, list[Row]]:
    """The measured ceilings; where they failed, the best that a row reached, and all rooflines at that."""
    if measured or not rows:
        return (Ceilings(**measured[-1]) if measured else None), rows
    # A row was so fast: the card does at least what the row's roofline would then take, all of it in its seconds.
    work = [max(row.compute_seconds, row.contract_seconds) / row.median_seconds for row in rows]
    bytes_per_second = max(row.bytes / row.median_seconds for row in rows)
    best = Ceilings(bytes_per_second, max(work) * NOMINAL.fp16_operations_per_second)
    return best, [_at(row, best) for row in rows]


def _at(row: Row, ceilings: Ceilings) -> Row:
    nominal = Roofline(row.memory_seconds, row.compute_seconds, row.contract_seconds)
    bound = nominal.at(
        NOMINAL.bytes_per_second / ceilings.bytes_per_second,
        NOMINAL.fp16_operations_per_second / ceilings.fp16_operations_per_second,
    )
    return replace(row, **vars(bound), roofline_share=bound.seconds / row.median_seconds, limited_by=bound.limited_by)


def _rows(journal: Journal) -> list[Row]:
    """Rows, each once, with the energy that was counted for it later."""
    counted = {_key(one): one["joules"] for one in _all(journal, "energy")}
    rows: dict[tuple[Any, ...], Row] = {}
    for one in _all(journal, "row"):
        row = Row(**{**one, "state": Reading(**one["state"])})
        rows[_key(one)] = replace(row, energy_joules=counted.get(_key(one)))
    return list(rows.values())


def _key(one: dict[str, Any]) -> tuple[Any, ...]:
    return (one["kernel"], one["configuration"], one["tokens"], one["columns"], one["depth"])


def _all(journal: Journal, kind: str) -> list[dict[str, Any]]:
    return [entry["content"] for entry in journal.entries if entry["kind"] == kind]
