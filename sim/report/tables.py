"""The tables of a page: key figures, machine against machine, modules, layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sim.report.comparison import Standing
from sim.report.markup import Html, join, table, tag
from sim.report.quantities import percent, picojoules, ratio, si
from sim.report.rates import RATES, rates_by_phase
from sim.report.vocabulary import MODULES, dram_rows, explained, label, limiting, ordered, skipped
from sim.report.work import scope
from sim.result import DramFloor, LayerSchedule, Limit, Result, WeightBytes


def key_figures(result: Result) -> Html:
    """What a reader asks first, each in a tile of its own."""
    totals, bounds = result.totals, result.bounds
    tiles = (
        ("cycles", si(totals.cycles), f"bounds {si(bounds.lower_cycles)} to {si(bounds.upper_cycles)}"),
        ("time", si(totals.seconds, "s"), f"at {si(result.clock_hertz, 'Hz')}"),
        (
            "utilisation",
            percent(totals.utilisation),
            f"of {result.waterfall.multipliers:,} multipliers; "
            f"{percent(totals.share_of_what_ports_allow)} of what ports and FPUs allow",
        ),
        ("MACs", si(totals.macs), ""),
        (
            "energy",
            picojoules(totals.energy_picojoules),
            f"{totals.energy_picojoules / totals.macs:.3g} pJ per MAC" if totals.macs else "",
        ),
        ("area", f"{totals.area_square_millimetres:.3f} mm²", ""),
        ("DRAM", si(totals.dram_bytes, "B"), f"{si(totals.dram_bytes / totals.seconds, 'B/s')} on average"),
        *([("DRAM banks", "", rows)] if (rows := dram_rows(result.counters, result.totals.cycles)) else []),
        ("SRAM", si(totals.sram_bytes, "B"), ""),
        *_weights(result.weights),
        ("simulated", "", skipped(result.fast_forward, totals.cycles, result.counters.get("dram.slip_cycles", 0))),
    )
    return tag(
        "div",
        *(tag("div", tag("h3", name), tag("p", value, class_="value"), tag("p", more)) for name, value, more in tiles),
        class_="tiles",
    )


def _weights(stored: WeightBytes | None) -> list[tuple[str, str, str]]:
    """What the weights take in memory, and what their codes alone would."""
    if stored is None:
        return []
    codes = f"codes alone {si(stored.claimed_bytes, 'B')}, {stored.claimed_bits_a_weight:.4g} bits"
    return [("weights", si(stored.stored_bytes, "B"), f"{stored.stored_bits_a_weight:.4g} bits each; {codes}")]


def machines(ranking: Sequence[Standing], colour: Mapping[str, str]) -> Html:
    """One row a machine; speedup and efficiencies relative to the baseline."""
    columns = (
        "machine", "cycles", "time", "speedup", "utilisation", "energy", "energy efficiency", "area, mm²",
        "area efficiency", "DRAM", "SRAM", "limit",
    )  # fmt: skip
    rows = []
    for one in ranking:
        result, totals = one.result, one.result.totals
        rows.append(
            [
                join([tag("span", "", class_="swatch", style=f"background:{colour[one.label]}"), one.label]),
                si(totals.cycles),
                si(totals.seconds, "s"),
                ratio(one.speedup),
                percent(totals.utilisation),
                picojoules(totals.energy_picojoules),
                ratio(one.energy_efficiency),
                f"{totals.area_square_millimetres:.3f}",
                ratio(one.area_efficiency),
                si(totals.dram_bytes, "B"),
                si(totals.sram_bytes, "B"),
                _limit(result.limit),
            ]
        )
    return table(columns, rows, words=(0, len(columns) - 1))


def energy_groups(ranking: Sequence[Standing], baseline: Standing) -> Html:
    """One row a machine, one column a group, in percent of the baseline's energy."""
    whole = baseline.result.totals.energy_picojoules
    groups = list(baseline.result.energy_groups)
    rows = (
        [one.label, *(percent(part / whole) for part in (*(own.get(group, 0) for group in groups), sum(own.values())))]
        for one in ranking
        for own in [one.result.energy_groups]
    )
    return table(("machine", *map(label, groups), "all"), rows)


def phases(names: Sequence[str], results: Sequence[Result]) -> Html:
    """One row a phase of a machine: what it takes, how much of its multipliers and ports it uses, what limits it."""
    ports = list(dict.fromkeys(port for result in results for port in result.ports))
    rows = []
    for name, result in zip(names, results, strict=True):
        for phase, one in result.phases.items():
            shares = (percent(one.ports[port]) if port in one.ports else "" for port in ports)
            rows.append([name, phase, si(one.seconds, "s"), percent(one.utilisation), *shares, _limit(one.limit)])
    columns = ("machine", "phase", "time", "utilisation", *map(label, ports), "limit")
    return table(columns, rows, words=(0, 1, len(columns) - 1))


def rates(names: Sequence[str], results: Sequence[Result]) -> Html:
    """One row a phase of a machine: what its user feels and its owner pays."""
    rows = [
        [name, phase, *figures]
        for name, result in zip(names, results, strict=True)
        for phase, figures in rates_by_phase(result).items()
    ]
    return table(("machine", scope(results[0]), *RATES), rows, words=(0, 1))


def modules(result: Result) -> Html:
    """One row a module of one machine."""
    columns = ("module", "M", "W", "cycles", "share", "utilisation", "MACs", "DRAM", "SRAM", "energy", "limit")
    rows = []
    for name in ordered(result.modules, MODULES):
        one = result.modules[name]
        rows.append(
            [
                label(name),
                str(one.mantissa_bits or ""),
                str(one.weight_bits or ""),
                si(one.cycles),
                percent(one.cycles / result.totals.cycles),
                percent(one.utilisation),
                si(one.macs),
                si(one.dram_bytes, "B"),
                si(one.sram_bytes, "B"),
                picojoules(one.energy_picojoules),
                one.limit,
            ]
        )
    return table(columns, rows, words=(0, len(columns) - 1))


def layers(result: Result) -> Html:
    """One row a layer; its quantities are of one instance, its share is of all its instances."""
    columns = (
        "layer", "module", "phase", "count", "m", "k", "n", "M", "W", "bits a weight stored", "cycles",
        "share", "utilisation", "of what ports and FPUs allow", "MAC a cycle ports allow", "DRAM", "operands once",
        "communication bound", "SRAM", "energy", "lower bound", "upper bound", "limit", "schedule", "fast-forward",
    )  # fmt: skip
    rows = (
        [
            layer.name,
            label(layer.module),
            layer.phase,
            str(layer.count),
            *("" if size is None else str(size) for size in (layer.m, layer.k, layer.n)),
            str(layer.mantissa_bits or ""),
            str(layer.weight_bits or ""),
            "" if layer.stored_bits_a_weight is None else f"{layer.stored_bits_a_weight:.4g}",
            f"{layer.cycles:,}",
            percent(layer.count * layer.cycles / result.totals.cycles),
            percent(layer.utilisation),
            percent(layer.share_of_what_ports_allow),
            f"{layer.peak_macs_per_cycle:,.6g}",
            si(layer.dram_bytes, "B"),
            *_floor(layer.dram_floor),
            si(layer.sram_bytes, "B"),
            picojoules(layer.energy_picojoules),
            f"{layer.bounds.lower_cycles:,}",
            f"{layer.bounds.upper_cycles:,}",
            _limit(layer.limit),
            _schedule(layer.schedule),
            layer.fast_forward.levels or layer.fast_forward.obstacle or "",
        ]
        for layer in result.layers
    )
    return table(columns, rows, words=(0, 1, 2, len(columns) - 3, len(columns) - 2, len(columns) - 1))


def _floor(floor: DramFloor | None) -> tuple[str, str]:
    """The two limits on a GeMM's DRAM bytes: every operand once, and what the memory on the chip allows."""
    return ("", "") if floor is None else (si(floor.compulsory_bytes, "B"), si(floor.communication_bytes, "B"))


def _schedule(schedule: LayerSchedule | None) -> str:
    if schedule is None:
        return ""
    told = asdict(schedule)
    if (split := told.pop("split")) is not None:
        told["MXUs"] = f"{split['tokens']} x {split['outputs']} x {split['k']} (tokens, outputs, K)"
    return ", ".join(f"{label(key)} {value}" for key, value in told.items())


def _limit(limit: Limit) -> Html:
    """The limiting unit and cause; the sentence about it shows under the pointer."""
    return tag("span", limiting(limit), title=explained(limit))
