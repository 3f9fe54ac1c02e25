"""The terminal shows the figures of the result, in plain text where it is not a terminal."""

import io
import math
import re
from dataclasses import replace

import pytest
from rich.console import Console

from sim.report.quantities import percent, picojoules, ratio, si
from sim.report.terminal import print_comparison, print_run
from tests.results import named, simulated, small_llama


def printed(print_it, *arguments, width=80, **options):
    console = Console(file=io.StringIO(), width=width, **options)
    print_it(*arguments, console)
    return console.file.getvalue()


def row_of(text, first_cell):
    """The cells of the first line that starts with a cell; two spaces or more lie between cells."""
    return next(
        line.split() for line in text.splitlines() if line.split()[: len(first_cell.split())] == first_cell.split()
    )


def test_a_run_shows_its_totals(anda):
    totals, text = anda.totals, printed(print_run, anda)
    for figure in (
        si(totals.cycles),
        si(totals.seconds, "s"),
        percent(totals.utilisation),
        si(totals.dram_bytes, "B"),
        si(totals.sram_bytes, "B"),
        picojoules(totals.energy_picojoules),
        f"{totals.area_square_millimetres:.3f} mm2",
        f"{si(anda.bounds.lower_cycles)} to {si(anda.bounds.upper_cycles)}",
        f"MXU: {anda.limit.cause}",
        "prefill; batch 1; tokens 64; scope fp-int; precision wikitext2-1%",
        f"{percent(totals.utilisation)} of {anda.waterfall.multipliers:,} multipliers",
        f"DRAM {percent(anda.ports['dram'])}",
    ):
        assert figure in text
    assert anda.limit.text.removeprefix(f"{anda.limit.cause}: ") in " ".join(text.split())


def waterfall_of(text):
    """The lines of the table of the multipliers' time."""
    return text.split("\nmultipliers' time ")[1].split("\n\n")[0].splitlines()[2:]


def test_the_multipliers_time_is_shown_with_the_key_to_change_and_adds_up(anda):
    lines = waterfall_of(printed(print_run, anda))
    assert 1 < len(lines) <= 10
    assert lines[0].split() == ["useful", *percent(anda.totals.utilisation).split()]
    assert sum(float(line.split(" %")[0].split()[-1]) for line in lines) == pytest.approx(100, abs=0.05 * len(lines))
    assert any(line.endswith("batch") for line in (one.rstrip() for one in lines) if line.startswith("fill and drain"))


def test_phases_stand_beside_the_whole_in_80_columns(paper):
    both = simulated(work=small_llama(phase="both", steps=2, scope="all"))
    text = printed(print_run, both)
    lines = waterfall_of(text)
    assert len(lines) <= 10
    assert max(map(len, text.splitlines())) <= 80
    wanted = [both.waterfall, both.phases["prefill"].waterfall, both.phases["decode"].waterfall]
    useful = " ".join(percent(one.utilisation) for one in wanted)
    assert " ".join(lines[0].split()) == f"useful {useful}"
    shares = [re.findall(r"([0-9.]+) %", line) for line in lines]
    for column in zip(*shares, strict=True):
        assert sum(map(float, column)) == pytest.approx(100, abs=0.05 * len(lines))


def test_components_show_energy_area_and_their_shares(anda):
    text = printed(print_run, anda)
    for name, picojoule in anda.energy.items():
        shown = {"mxu": "MXU", "bpc": "BPC", "dram": "DRAM"}.get(name, name.replace("_", " "))
        line = next(line for line in text.split("component")[1].splitlines() if line.startswith(f"{shown} "))
        assert picojoules(picojoule) in line
        assert percent(picojoule / math.fsum(anda.energy.values())) in line
        if name in anda.area:
            assert f"{anda.area[name]:.3f}" in line
            assert percent(anda.area[name] / math.fsum(anda.area.values())) in line


def test_the_modules_come_in_the_order_of_a_layer_with_their_own_figures(anda):
    anda = replace(anda, modules=dict(reversed(anda.modules.items())))
    lines = printed(print_run, anda).splitlines()
    found = [
        line.split()[0] for line in lines if line.split()[:1] and line.split()[0] in ("qkv", "o", "up/gate", "down")
    ]
    assert found == ["qkv", "o", "up/gate", "down"]
    text = "\n".join(lines)
    cells = row_of(text, "up/gate")
    own = anda.modules["up"]
    assert cells[1:3] == ["6", "4"]
    assert f"{cells[3]} {cells[4]}" == si(own.cycles)
    assert f"{cells[5]} %" == percent(own.cycles / anda.totals.cycles)
    assert cells[-1] == own.limit.partition(":")[0]


def test_a_comparison_has_one_row_a_machine_with_its_ratios(paper):
    text = printed(print_comparison, paper, width=100)
    base = paper[0].totals
    for result in paper:
        own = result.totals
        cells = " ".join(row_of(text, result.machine_name))
        speedup = base.cycles / own.cycles  # one clock for all
        area = base.area_square_millimetres / own.area_square_millimetres
        assert cells == " ".join(
            (
                result.machine_name,
                si(own.cycles),
                si(own.cycles / 285e6, "s"),
                ratio(speedup),
                picojoules(own.energy_picojoules),
                ratio(base.energy_picojoules / own.energy_picojoules),
                f"{own.area_square_millimetres:.2f}",
                ratio(speedup * area),
                si(own.dram_bytes, "B"),
                f"MXU: {result.limit.cause}",
            )
        )


def test_speedups_by_module_are_cycles_over_cycles(paper):
    text = printed(print_comparison, paper).split("Speedup by module")[1]
    cells = row_of(text, "anda-hpca25")
    for shown, module in zip(cells[1:], ("qkv", "o", "up", "down"), strict=False):
        cycles = [result.modules[module].cycles for result in (paper[0], paper[-1])]
        assert shown == ratio(cycles[0] / cycles[1])


def test_the_baseline_can_be_another_machine(paper):
    console = Console(file=io.StringIO(), width=100)
    print_comparison(paper, console, baseline=6)
    assert "relative to anda-hpca25" in console.file.getvalue()
    assert "1.00x" in row_of(console.file.getvalue(), "anda-hpca25")


@pytest.mark.parametrize("width", [80, 100])
def test_no_line_is_wider_than_the_terminal_and_no_limit_is_lost(paper, width):
    text = printed(print_comparison, paper, width=width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert text.count("MXU: ") == len(paper) == [result.limit.unit for result in paper].count("mxu")


def test_a_terminal_too_narrow_gets_whole_numbers(paper):
    text = printed(print_comparison, paper, width=30)
    for result in paper:
        assert si(result.totals.cycles) in text
        assert si(result.totals.dram_bytes, "B") in text


def test_a_pipe_gets_no_colours_and_ascii_is_enough_for_it(paper):
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    print_run(paper[-1], console)
    print_comparison(paper, console)
    assert b"\x1b" not in raw.getvalue()
    assert b"anda-hpca25" in raw.getvalue()


def test_a_terminal_gets_emphasis(anda):
    assert "\x1b[1m" in printed(print_run, anda, force_terminal=True, color_system="standard")


def test_names_are_text_and_not_commands_to_the_terminal(anda):
    text = printed(print_run, named(anda, "[red]x[/red]\x1b[2J"))
    assert "[red]x[/red]?[2J" in text
