"""Results as tables in a terminal; plain text of 80 columns where the output is a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim.report.comparison import Standing, labels, module_names, standings
from sim.report.quantities import percent, picojoules, ratio, si
from sim.report.result import Result
from sim.report.vocabulary import COMPONENTS, MODULES, colours, label

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

LEFT, RIGHT = "<", ">"


def print_run(result: Result, console: Console) -> None:
    """One machine on one workload: the totals, energy and area by component, and the modules."""
    [name] = labels([result])
    console.print()
    console.print(_text(f"{name} on {work_title(result)}", "bold"))
    console.print()
    console.print(_totals(result))
    console.print()
    console.print(_components(result))
    console.print(_modules(result))


def print_comparison(results: Sequence[Result], console: Console, baseline: int = 0) -> None:
    """One row a machine, relative to `results[baseline]`, then the speedup by module.

    Raises
    ------
    InputError
        Where the results are not of the same work.
    """
    ranking = standings(results, baseline)
    console.print()
    console.print(_text(work_title(results[baseline]), "bold"))
    console.print(_text(f"relative to {ranking[baseline].label}", "dim"))
    table = _machines(ranking)
    fits = console.measure(table).minimum <= console.width
    if not fits:
        table = _machines(ranking, limits=False)
    console.print(table)
    if not fits:
        console.print(_pairs([(f"{one.label} limited by", limit_words(one.result)) for one in ranking]))
        console.print()
    console.print(_text("speedup by module", "bold"))
    console.print(_module_speedups(ranking))


def work_title(result: Result) -> str:
    """The work of a result in one line: model, phases, precision and scope."""
    workload = result["workload"]
    phases = " + ".join(dict.fromkeys(layer["phase"] for layer in result["layers"]))
    precision = workload.get("precision")
    if isinstance(precision, dict):
        precision = ", ".join(f"{label(str(key))} {value}" for key, value in precision.items())
    details = (phases, precision and f"precision {precision}", f"scope {workload.get('scope')}")
    return f"{workload['name']}: {'; '.join(str(part) for part in details if part)}"


def limit_words(result: Result) -> str:
    """The limiting unit and why it limits, such as `MXU: weights`."""
    return f"{label(result['limit']['unit'])}: {label(result['limit']['cause'])}"


def _totals(result: Result) -> Table:
    totals, bounds = result["totals"], result["bounds"]
    return _pairs(
        [
            ("cycles", f"{si(totals['cycles'])} at {si(result['clock_hertz'], 'Hz')}"),
            ("bounds", f"{si(bounds['lower_cycles'])} to {si(bounds['upper_cycles'])} cycles"),
            ("time", si(totals["seconds"], "s")),
            ("utilisation", f"{percent(totals['utilisation'])} of the peak, {si(totals['macs'])} MACs"),
            ("limited by", limit_words(result)),
            ("", result["limit"]["text"]),
            ("DRAM", si(totals["dram_bytes"], "B")),
            ("SRAM", si(totals["sram_bytes"], "B")),
            ("energy", picojoules(totals["energy_picojoules"])),
            ("area", f"{totals['area_square_millimetres']:.3f} mm2"),
        ]
    )


def _components(result: Result) -> Table:
    energy, area = result["energy"], result["area"]
    rows = []
    for name in colours([*energy, *area], COMPONENTS):
        row = [label(name), "", "", "", ""]
        if name in energy:
            row[1:3] = picojoules(energy[name]), _share(energy[name], result["totals"]["energy_picojoules"])
        if name in area:
            row[3:5] = f"{area[name]:.3f}", _share(area[name], result["totals"]["area_square_millimetres"])
        rows.append(row)
    return _table({"component": LEFT, "energy": RIGHT, "share ": RIGHT, "area, mm2": RIGHT, "share": RIGHT}, rows)


def _modules(result: Result) -> Table:
    rows = [
        [
            label(name),
            str(one["mantissa_bits"] or ""),
            si(one["cycles"]),
            _share(one["cycles"], result["totals"]["cycles"]),
            percent(one["utilisation"]),
            si(one["dram_bytes"], "B"),
            picojoules(one["energy_picojoules"]),
            one["limit"],
        ]
        for name, one in _in_order(result)
    ]
    columns = dict.fromkeys(("M", "cycles", "share", "utilised", "DRAM", "energy"), RIGHT)
    return _table({"module": LEFT, **columns, "limited by": LEFT}, rows)


def _machines(ranking: Sequence[Standing], limits: bool = True) -> Table:
    rows = []
    for one in ranking:
        totals = one.result["totals"]
        row = [
            one.label,
            si(totals["cycles"]),
            si(totals["seconds"], "s"),
            ratio(one.speedup),
            picojoules(totals["energy_picojoules"]),
            ratio(one.energy_efficiency),
            f"{totals['area_square_millimetres']:.2f}",
            ratio(one.area_efficiency),
            si(totals["dram_bytes"], "B"),
        ]
        rows.append([*row, limit_words(one.result)] if limits else row)
    names = ("cycles", "time", "speed\nup", "energy", "energy\neff.", "area\nmm2", "area\neff.", "DRAM")
    columns = {"machine": LEFT, **dict.fromkeys(names, RIGHT)}
    return _table(columns | {"limited by": LEFT} if limits else columns, rows)


def _module_speedups(ranking: Sequence[Standing]) -> Table:
    modules = module_names([one.result for one in ranking])
    rows = [
        [one.label, *(ratio(one.module_speedups[name]) if name in one.module_speedups else "" for name in modules)]
        for one in ranking
    ]
    return _table({"machine": LEFT, **{label(name): RIGHT for name in modules}}, rows)
