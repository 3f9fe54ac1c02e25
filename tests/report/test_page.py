"""The page: one file that loads nothing, escapes everything, and shows the figures of the result."""

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from sim.errors import InputError
from sim.report.html import page
from sim.report.quantities import percent, picojoules, ratio, si
from sim.result import Limit
from tests.results import COMMAND, NORM, simulated, small_llama, work_of

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
EVIL = '</script><script>alert("1")</script><b>&amp;'


class Read(HTMLParser):
    """Tags with their attributes, the text outside of scripts, and the figures' data."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.figures, self.scripts, self._inside = [], [], [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = dict(attributes).get("type", tag) if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, text):
        if self._inside == "application/json":
            self.figures.append(json.loads(text))
        elif self._inside:
            self.scripts.append(text)
        else:
            self.words.append(text)


@pytest.fixture(scope="module")
def plotly():
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def read(results, **options):
    return Read(page(results, NOON, **options))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_no_tag_and_no_style_loads_anything(paper, plotly, count):
    text = page(paper[:count], NOON)
    for tag, attributes in Read(text).tags:
        assert not {"src", "href", "action", "data", "srcset", "poster", "background"} & attributes.keys(), tag
    own = text.replace(plotly, "")
    assert "http" not in own.replace("http-equiv", "")
    assert "url(" not in own
    assert "@import" not in own
    # Holds plotly.js itself, and all that it might do, to the same.
    policy = dict(Read(text).tags[[tag for tag, _ in Read(text).tags].index("meta") + 2][1])
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none';")
    assert "http" not in policy["content"]


def test_the_figures_are_never_sent_to_a_server(anda):
    settings = Read(page([anda], NOON)).scripts[-1]
    assert "showSendToCloud: false" in settings
    assert 'plotlyServerURL: ""' in settings
    assert "displaylogo: false" in settings


def test_plotly_stands_in_the_page_once_and_dominates_it(paper, plotly):
    text = page(paper, NOON)
    assert text.count(plotly) == 1
    assert len(text) < 1.1 * len(plotly)


def poisoned(result):
    """The result with the evil name wherever a user's file may put one."""
    limit, layers = Limit(EVIL, EVIL, EVIL, EVIL), result.layers
    mxu = result.units["mxu"]
    units = {**result.units, "mxu": replace(mxu, stalled_cycles={**mxu.stalled_cycles, EVIL: 5})}

    def with_evil(parts):
        return {**parts, EVIL: next(iter(parts.values()))}

    return replace(
        result,
        arch={**result.arch, "name": EVIL, "note": EVIL, EVIL: 1},
        workload={"name": EVIL, "run": {"phase": "prefill", "precision": EVIL}},
        provenance=replace(result.provenance, command=EVIL, versions={EVIL: EVIL}),
        limit=limit,
        waterfall=replace(result.waterfall, losses={EVIL: sum(result.waterfall.losses.values())}),
        ports=with_evil(result.ports),
        phases={EVIL: replace(result.phases["prefill"], limit=limit), "prefill": result.phases["prefill"]},
        energy=with_evil(result.energy),
        area=with_evil(result.area),
        units=with_evil(units),
        modules=with_evil(result.modules),
        counters=with_evil(result.counters),
        fast_forward=replace(result.fast_forward, obstacles=(EVIL,)),
        layers=tuple(replace(layer, name=EVIL, module=EVIL, phase=EVIL, limit=limit) for layer in layers),
    )


@pytest.mark.parametrize("count", [1, 2])
def test_a_name_is_text_wherever_it_stands(anda, count):
    clean = read([anda] * count)
    found = read([poisoned(anda)] * count)
    # plotly.js and the starter are the only scripts that run, as they are without such names.
    assert found.scripts == clean.scripts
    assert {tag for tag, _ in found.tags} == {tag for tag, _ in clean.tags}
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert "".join(found.words).count(EVIL) >= 10
    # plotly.js reads tags and entities in its labels, so they are escaped once more there.
    labels = json.dumps(found.figures, ensure_ascii=False)
    assert "<script" not in labels
    assert "&lt;script&gt;" in labels
    assert "&amp;amp;" in labels


def test_one_result_shows_its_key_figures_and_how_it_was_obtained(anda):
    words, totals = " ".join(read([anda]).words), anda.totals
    for figure in (
        si(totals.cycles),
        si(totals.seconds, "s"),
        percent(totals.utilisation),
        picojoules(totals.energy_picojoules),
        f"{totals.area_square_millimetres:.3f} mm²",
        si(totals.dram_bytes, "B"),
        si(totals.sram_bytes, "B"),
        f"bounds {si(anda.bounds.lower_cycles)} to {si(anda.bounds.upper_cycles)}",
        "2026-01-02 12:00 UTC",
        ", ".join(f"{package} {version}" for package, version in anda.provenance.versions.items()),
        COMMAND,
        "seed",
        f"Limited by MXU: {anda.limit.cause}",
    ):
        assert figure in words


def test_the_multipliers_time_is_a_bar_a_machine_and_a_phase_useful_work_first(anda):
    both = simulated(work=small_llama(phase="both", steps=2))
    phases = ["anda-hpca25", "anda-hpca25, prefill", "anda-hpca25, decode"]
    for result, bars in ((anda, phases[:1]), (both, phases)):
        [figure] = [one for one in read([result]).figures if one["data"][0].get("name") == "useful"]
        assert figure["data"][0]["y"] == bars
        assert sum(sum(part["x"]) for part in figure["data"]) == pytest.approx(100 * len(bars))
        shown = [note["text"] for note in figure["layout"]["annotations"]]
        parts = [result.waterfall, *(phase.waterfall for phase in result.phases.values())][: len(bars)]
        assert shown == [percent(part.utilisation) for part in parts]
        words = " ".join(read([result]).words)
        assert f"of {result.waterfall.multipliers:,} multipliers" in words
        for phase in result.phases.values():
            assert percent(phase.ports["dram"]) in words


def test_the_resolved_configuration_stands_in_the_page_as_yaml(anda):
    words = "".join(read([anda]).words)
    rows, columns = anda.arch["mxu"]["rows"], anda.arch["mxu"]["columns"]
    assert f"\n  rows: {rows}\n  columns: {columns}\n" in words.partition("mxu:\n")[2]
    assert "run:\n  phase: prefill\n  batch: 1\n  tokens: 64\n" in words


def test_every_layer_has_its_row(anda):
    words = read([anda]).words
    for layer in anda.layers:
        assert layer.name in words
        assert f"{layer.cycles:,}" in words
        assert f"{layer.bounds.upper_cycles:,}" in words


def test_work_of_the_vector_unit_has_a_row_without_a_shape():
    everything = simulated(work=small_llama(scope="all"))
    for module in ("attention", "rotary"):
        [name] = {layer.name for layer in everything.layers if layer.module == module}
        assert name in read([everything]).words


def test_work_without_macs_has_a_page():
    norm = simulated(work=work_of(NORM))
    words = " ".join(read([norm]).words)
    assert picojoules(norm.totals.energy_picojoules) in words
    assert "pJ a MAC" not in words


def test_several_results_show_their_ratios_to_the_baseline(paper):
    words = read(paper, baseline=1).words
    assert "Relative to fp-int" in words
    base, own = paper[1].totals, paper[-1].totals
    assert ratio(base.seconds / own.seconds) in words
    assert ratio(base.energy_picojoules / own.energy_picojoules) in words
    # Energy groups in percent of the baseline's energy.
    assert percent(paper[-1].energy_groups["dram"] / base.energy_picojoules) in words


def test_results_of_other_work_are_refused(anda):
    with pytest.raises(InputError, match="does other work"):
        page([anda, simulated(work=small_llama(tokens=32))], NOON)


def test_a_page_of_seven_machines_is_written_in_under_three_seconds(paper):
    start = time.perf_counter()
    page(paper, NOON)
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize("count", [1, 7])
def test_plotly_knows_every_key_of_the_figures(paper, count):
    from plotly.graph_objects import Figure

    figures = read(paper[:count]).figures
    assert len(figures) == (7 if count == 1 else 8)
    for figure in figures:
        Figure(figure)  # raises on a key or a value that it does not know
        axes = {key: value for key, value in figure["layout"].items() if re.fullmatch(r"[xy]axis\d*", key)}
        # Every figure says along an axis what it shows, with a unit of measure; categories speak for themselves.
        assert any(axis["title"]["text"] for axis in axes.values())
