"""Results as tables in a terminal; plain text of 80 columns where the output is a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sim.report.comparison import Standing, labels, module_names, standings
from sim.report.quantities import percent, picojoules, ratio, si
from sim.report.rates import RATES, rates_by_phase
from sim.report.vocabulary import COMPONENTS, MODULES, dram_rows, explained, label, limiting, ordered, skipped
from sim.report.waterfall import columns, key, largest, shares
from sim.report.work import scope, work_details
from sim.result import Result, WeightBytes

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

LEFT: JustifyMethod = "left"
RIGHT: JustifyMethod = "right"
LOSSES = 9
"""Lines of a waterfall."""
PORTS = {
    "activation_dispatcher": "activations",
    "weight_dispatcher": "weights",
    "collector": "outputs",
    "dram": "DRAM",
}


def print_run(result: Result, console: Console) -> None:
    """One machine on one workload: totals, where the multipliers' time went, energy and area, and the modules."""
    [name] = labels([result])
    console.print()
    console.print(_text(f"{name} on {result.workload_name}", "bold"))
    console.print(_text(work_details(result), "dim"))
    console.print()
    console.print(_totals(result))
    _show(_rates(result), console)
    waterfall = _waterfall(result)
    if _needed(waterfall, console).maximum > console.width:  # the sentence above names the key
        waterfall.columns.pop()
    _show(waterfall, console)
    _show(_components(result), console)
    _show(_modules(result), console)
    console.print()


def print_comparison(results: Sequence[Result], console: Console, baseline: int = 0) -> None:
    """One row a machine, relative to `results[baseline]`, then the speedup by module.

    Raises
    ------
    InputError
        Where the results are not of the same work.
    """
    ranking = standings(results, baseline)
    console.print()
    console.print(_text(f"{results[baseline].workload_name}, relative to {ranking[baseline].label}", "bold"))
    console.print(_text(work_details(results[baseline]), "dim"))
    machines, modules = _machines(ranking), _module_speedups(ranking)
    if _needed(machines, console).maximum > console.width:  # the limits stand in the second table instead
        modules.columns.append(machines.columns.pop())
    _show(machines, console)
    console.print()
    console.print(_text("Speedup by module", "bold"))
    _show(modules, console)
    console.print()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], words: Sequence[int], console: Console) -> None:
    """A table whose columns numbered in `words` are text, the others figures."""
    _show(_table({name: LEFT if n in words else RIGHT for n, name in enumerate(columns)}, rows), console)


def _totals(result: Result) -> Table:
    totals, bounds = result.totals, result.bounds
    return _pairs(
        [
            ("cycles", f"{si(totals.cycles)} at {si(result.clock_hertz, 'Hz')}"),
            ("bounds", f"{si(bounds.lower_cycles)} to {si(bounds.upper_cycles)} cycles"),
            ("time", si(totals.seconds, "s")),
            ("utilisation", f"{percent(totals.utilisation)} of {result.waterfall.multipliers:,} multipliers"),
            ("", f"{percent(totals.share_of_what_ports_allow)} of what ports and FPUs allow"),
            ("limited by", limiting(result.limit)),
            ("", explained(result.limit)),
            ("ports at work", ", ".join(f"{words} {percent(result.ports[port])}" for port, words in PORTS.items())),
            ("MACs", si(totals.macs)),
            *_weights(result.weights),
            ("DRAM", si(totals.dram_bytes, "B")),
            *([("", rows)] if (rows := dram_rows(result.counters, result.totals.cycles)) else []),
            ("SRAM", si(totals.sram_bytes, "B")),
            ("energy", picojoules(totals.energy_picojoules)),
            ("area", f"{totals.area_square_millimetres:.3f} mm2"),
            ("simulated", skipped(result.fast_forward, totals.cycles, result.counters.get("dram.slip_cycles", 0))),
        ]
    )


def _rates(result: Result) -> Table:
    rows = [(phase, *figures) for phase, figures in rates_by_phase(result).items()]
    kept = [n for n, _ in enumerate(RATES, start=1) if any(row[n] for row in rows)]
    columns = dict.fromkeys((RATES[n - 1] for n in kept), RIGHT)
    return _table({scope(result): LEFT, **columns}, [[row[0], *(row[n] for n in kept)] for row in rows])


def _weights(stored: WeightBytes | None) -> list[tuple[str, str]]:
    """What the weights take in memory, and what their codes alone would."""
    if stored is None:
        return []
    told = f"{si(stored.stored_bytes, 'B')}, {stored.stored_bits_a_weight:.4g} bits a weight"
    codes = f"codes alone {si(stored.claimed_bytes, 'B')}, {stored.claimed_bits_a_weight:.4g} bits"
    return [("weights", f"{told}; {codes}")]


def _waterfall(result: Result) -> Table:
    found = columns(result)
    rows = [
        [label(name), *map(percent, parts), key(name)]
        for name, parts in largest([shares(one) for one in found.values()], LOSSES)
    ]
    return _table({"multipliers' time": LEFT, **dict.fromkeys(found, RIGHT), "mend": LEFT}, rows)


def _components(result: Result) -> Table:
    energy, area = result.energy, result.area
    rows = []
    for name in ordered([*energy, *area], COMPONENTS):
        row = [label(name), "", "", "", ""]
        if name in energy:
            row[1:3] = picojoules(energy[name]), _share(energy[name], result.totals.energy_picojoules)
        if name in area:
            row[3:5] = f"{area[name]:.3f}", _share(area[name], result.totals.area_square_millimetres)
        rows.append(row)
    return _table({"component": LEFT, "energy": RIGHT, "share ": RIGHT, "area, mm2": RIGHT, "share": RIGHT}, rows)


def _modules(result: Result) -> Table:
    rows = [
        [
            label(name),
            str(one.mantissa_bits or ""),
            str(one.weight_bits or ""),
            si(one.cycles),
            _share(one.cycles, result.totals.cycles),
            percent(one.utilisation),
            si(one.dram_bytes, "B"),
            picojoules(one.energy_picojoules),
            one.limit.partition(":")[0],
        ]
        for name in ordered(result.modules, MODULES)
        for one in [result.modules[name]]
    ]
    columns = dict.fromkeys(("M", "W", "cycles", "share", "utilised", "DRAM", "energy"), RIGHT)
    return _table({"module": LEFT, **columns, "limit": LEFT}, rows)


def _machines(ranking: Sequence[Standing]) -> Table:
    rows = []
    for one in ranking:
        totals = one.result.totals
        rows.append(
            [
                one.label,
                si(totals.cycles),
                si(totals.seconds, "s"),
                ratio(one.speedup),
                picojoules(totals.energy_picojoules),
                ratio(one.energy_efficiency),
                f"{totals.area_square_millimetres:.2f}",
                ratio(one.area_efficiency),
                si(totals.dram_bytes, "B"),
                limiting(one.result.limit),
            ]
        )
    numbers = ("cycles", "time", "speedup", "energy", "energy\neff.", "area,\nmm2", "area\neff.", "DRAM")
    return _table({"machine": LEFT, **dict.fromkeys(numbers, RIGHT), "limit": LEFT}, rows)


def _module_speedups(ranking: Sequence[Standing]) -> Table:
    modules = module_names([one.result for one in ranking])
    rows = [
        [one.label, *(ratio(one.module_speedups[name]) if name in one.module_speedups else "" for name in modules)]
        for one in ranking
    ]
    return _table({"machine": LEFT, **{label(name): RIGHT for name in modules}}, rows)


def _share(part: float, whole: float) -> str:
    return percent(part / whole) if whole else ""


def _text(words: str, style: str = "") -> Text:
    """Text as it stands: no markup, no control characters of a user's names."""
    from rich.text import Text

    return Text("".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in words), style)


def _pairs(rows: Sequence[tuple[str, str]]) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, value in rows:
        table.add_row(_text(f"  {name}", "dim"), _text(value))
    return table


def _table(columns: Mapping[str, JustifyMethod], rows: Sequence[Sequence[str]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False, header_style="bold")
    for heading, justify in columns.items():
        table.add_column(_text(heading), justify=justify, no_wrap=justify == RIGHT, overflow="fold", vertical="bottom")
    for row in rows:
        table.add_row(*map(_text, row))
    return table


def _needed(table: Table, console: Console) -> Measurement:
    """The table's narrowest and its natural width, however narrow the console is."""
    return console.measure(table, options=console.options.update_width(10_000))


def _show(table: Table, console: Console) -> None:
    """Print a table, wider where there is room; one too wide runs over the edge, as a cut number is a wrong number."""
    needed = _needed(table, console)
    if needed.minimum > console.width:
        table.width = needed.minimum
    elif needed.maximum + len(table.columns) <= console.width:
        table.padding = (0, 1, 0, 0)
    console.print()
    console.print(table, crop=False)
