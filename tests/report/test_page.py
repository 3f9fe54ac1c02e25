"""The page: one file that loads nothing, escapes everything, and shows the figures of the result."""

import json
import re
import time
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from sim.errors import InputError
from sim.report.html import page
from sim.report.quantities import percent, picojoules, ratio, si

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
    result["arch"] |= {"name": EVIL, "note": EVIL, EVIL: 1}
    result["workload"] |= {"name": EVIL, "run": {"phase": "prefill", "precision": EVIL}}
    result["provenance"] |= {"command": EVIL, "versions": {EVIL: EVIL}}
    result["limit"] = {"unit": EVIL, "cause": EVIL, "text": EVIL}
    for key in ("energy", "area", "units", "modules", "counters"):
        result[key][EVIL] = next(iter(result[key].values()))
    result["units"]["mxu"]["stalled_cycles"][EVIL] = 5
    for layer in result["layers"]:
        layer |= {"name": EVIL, "module": EVIL, "phase": EVIL, "limit": result["limit"], "schedule": {EVIL: EVIL}}
    return result


@pytest.mark.parametrize("count", [1, 2])
def test_a_name_is_text_wherever_it_stands(make_result, count):
    clean = read([make_result(name="a") for _ in range(count)])
    found = read([poisoned(make_result()) for _ in range(count)])
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
    words, totals = " ".join(read([anda]).words), anda["totals"]
    for figure in (
        si(totals["cycles"]),
        si(totals["seconds"], "s"),
        percent(totals["utilisation"]),
        picojoules(totals["energy_picojoules"]),
        f"{totals['area_square_millimetres']:.3f} mm²",
        si(totals["dram_bytes"], "B"),
        si(totals["sram_bytes"], "B"),
        f"bounds {si(anda['bounds']['lower_cycles'])} to {si(anda['bounds']['upper_cycles'])}",
        "2026-01-02 12:00 UTC",
        "anda-sim 0.1.0, python 3.11.2, numpy 2.4.6",
        "sim.py run anda-hpca25 llama-13b --tokens 2048",
        "seed",
        "Limited by MXU: compute",
    ):
        assert figure in words


def test_the_resolved_configuration_stands_in_the_page_as_yaml(anda):
    words = "".join(read([anda]).words)
    assert "mxu:\n  rows: 16\n  columns: 16\n" in words
    assert "run:\n  phase: prefill\n  batch: 1\n  tokens: 2048\n" in words


def test_every_layer_has_its_row(anda):
    words = read([anda]).words
    for layer in anda["layers"]:
        assert layer["name"] in words
        assert f"{layer['cycles']:,}" in words
        assert f"{layer['bounds']['upper_cycles']:,}" in words


def test_work_of_the_vector_unit_has_a_row_without_a_shape(anda):
    anda["layers"][0] |= {
        "name": "softmax", "m": None, "k": None, "n": None, "macs": 0, "schedule": None, "dram_bytes": 0,
    }  # fmt: skip
    assert "softmax" in read([anda]).words


def test_several_results_show_their_ratios_to_the_baseline(paper):
    words = read(paper, baseline=1).words
    assert "Relative to fp-int" in words
    base, own = paper[1]["totals"], paper[-1]["totals"]
    assert ratio(base["seconds"] / own["seconds"]) in words
    assert ratio(base["energy_picojoules"] / own["energy_picojoules"]) in words
    # Energy groups in percent of the baseline's energy.
    assert percent(paper[-1]["energy_groups"]["dram"] / base["energy_picojoules"]) in words


def test_results_of_other_work_are_refused(make_result):
    with pytest.raises(InputError, match="does other work"):
        page([make_result(), make_result(gemms=[("q", "qkv", "prefill", 16, 64, 64, 1)])], NOON)


def test_a_page_of_seven_machines_is_written_in_under_three_seconds(paper):
    start = time.perf_counter()
    page(paper, NOON)
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize("count", [1, 7])
def test_plotly_knows_every_key_of_the_figures(paper, count):
    from plotly.graph_objects import Figure

    figures = read(paper[:count]).figures
    assert len(figures) == (5 if count == 1 else 6)
    for figure in figures:
        Figure(figure)  # raises on a key or a value that it does not know
        axes = {key: value for key, value in figure["layout"].items() if re.fullmatch(r"[xy]axis\d*", key)}
        # Every figure says along an axis what it shows, with a unit of measure; categories speak for themselves.
        assert any(axis["title"]["text"] for axis in axes.values())
