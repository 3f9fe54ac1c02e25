"""A search that is interrupted goes on; its precision file is what `--precision` takes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sim.accuracy.loss import quantile
from sim.errors import InputError
from sim.formats.weights.integer import IntegerWeights
from sim.formats.weights.planes import PlaneWeights
from sim.precision_search.memory import Remembered
from sim.precision_search.run import bit_operations, run
from sim.workload.load import load_workload
from sim.workload.precision import MODULES, resolve


class Measured:
    """Stands in for an evaluator: a function of the lengths, counted, that may fail once."""

    name, fingerprint, experts_used, sites = "toy", {"model": "one", "text": "same"}, 1.0, ()

    def __init__(self, fails_at=None, spread=0.0):
        self.calls, self.fails_at, self.spread = [], fails_at, spread

    def scores(self, format):
        if len(self.calls) == self.fails_at:
            raise KeyboardInterrupt
        self.calls.append(format.lengths)
        loss = 0.0 if format.lengths is None else sum(2.0**-bits for bits in format.lengths)
        loss += sum(0.02 * 4.0**-bits for bits in format.weight_bits or ())
        return -math.log(10 + loss) + loss * self.spread * np.sin(np.arange(640)) - np.cos(np.arange(640))


@pytest.fixture(autouse=True)
def equal_modules(monkeypatch):
    from sim.precision_search.search import BitOperations

    monkeypatch.setattr("sim.precision_search.run.bit_operations", lambda sites, share: BitOperations((3, 1, 4, 4)))


def test_an_interrupted_search_ends_as_an_uninterrupted_one_and_measures_nothing_twice(tmp_path):
    whole = Measured()
    expected = run(whole, tmp_path / "whole", 0.01, 32)
    first, second = Measured(fails_at=5), Measured()
    with pytest.raises(KeyboardInterrupt):
        run(first, tmp_path / "cut", 0.01, 32)
    resumed = run(second, tmp_path / "cut", 0.01, 32)
    assert resumed.visits == expected.visits
    assert first.calls + second.calls == whole.calls


def test_the_precision_file_is_taken_by_a_workload(tmp_path):
    best = run(Measured(), tmp_path, 0.01, 32).best
    assert resolve(str(tmp_path / "precision.yaml")) == best.precision
    assert load_workload("opt-125m", precision=str(tmp_path / "precision.yaml")).precision == best.precision


def test_planes_are_searched_and_taken_by_a_workload(tmp_path):
    measured = Measured()
    measured.sites = [SimpleNamespace(name="layer")]
    measured.formats = {"layer": PlaneWeights(4)}
    plain = run(Measured(), tmp_path / "plain", 0.01, 100)
    outcome = run(measured, tmp_path / "planes", 0.01, 100, planes=True)
    best = outcome.best.precision
    assert min(best[4:]) < 4
    assert outcome.cost.saving(best) > plain.cost.saving(plain.best.precision)
    report = json.loads((tmp_path / "planes" / "search.json").read_text())
    assert (report["best"]["precision"], report["best"]["weight_bits"]) == (list(best[:4]), list(best[4:]))
    overrides = ["weights={format: planes}"]
    work = load_workload("opt-125m", precision=str(tmp_path / "planes" / "precision.yaml"), overrides=overrides)
    found = {gemm.module: (gemm.mantissa_bits, gemm.weights.read_bits) for gemm in work.gemms}
    assert found == dict(zip(MODULES, zip(best[:4], best[4:], strict=True), strict=True))
    assert json.loads((tmp_path / "plain" / "search.json").read_text())["best"].keys().isdisjoint({"weight_bits"})


def test_layers_of_several_widths_have_no_planes_in_common(tmp_path):
    measured = Measured()
    measured.sites = [SimpleNamespace(name="one"), SimpleNamespace(name="two")]
    measured.formats = {"one": PlaneWeights(4), "two": IntegerWeights(8)}
    with pytest.raises(InputError, match="--planes: layers with weights of several widths\n  found      4, 8"):
        run(measured, tmp_path, 0.01, 32, planes=True)


def test_the_report_holds_every_visit(tmp_path):
    outcome = run(Measured(), tmp_path, 0.01, 32)
    report = json.loads((tmp_path / "search.json").read_text())
    assert [tuple(row["precision"]) for row in report["visits"]] == [visit.precision for visit in outcome.visits]
    assert report["best"]["saving"] == outcome.cost.saving(outcome.best.precision)
    limit = 1.01 * report["reference_perplexity"]
    assert all(row["accepted"] <= (row["perplexity"] <= limit) for row in report["visits"])


def test_a_page_is_made_of_it(tmp_path):
    from sim.report.search import search_page

    outcome = run(Measured(), tmp_path, 0.01, 32)
    page = search_page(outcome)
    assert all(",".join(map(str, visit.precision)) in page for visit in outcome.visits)


def test_a_memory_of_another_search_is_refused_with_what_differs(tmp_path):
    run(Measured(), tmp_path, 0.01, 32)
    other = Measured()
    other.fingerprint = {**other.fingerprint, "model": "two"}
    with pytest.raises(InputError, match=r"belongs to a search of another model\n", check=lambda e: other.calls == []):
        run(other, tmp_path, 0.01, 32)


def test_judgements_within_noise_are_marked_and_told_what_would_settle_them(tmp_path):
    from sim.report.search import search_page

    outcome = run(Measured(spread=3.0), tmp_path, 0.01, 32)
    noisy = [visit.precision for visit in outcome.visits if outcome.within_noise(visit.precision)]
    assert noisy
    assert len(noisy) < len(outcome.visits)
    for precision in noisy:
        loss = outcome.evaluations[precision].loss
        settled = replace(loss, tokens=outcome.tokens_to_settle(precision))
        shrunk = replace(settled, standard_error=loss.standard_error * math.sqrt(loss.tokens / settled.tokens))
        assert not shrunk.within_noise(outcome.tolerance)
    assert search_page(outcome).count("within noise<") == len(noisy)


def test_a_confidence_accepts_nothing_that_noise_may_have_let_pass(tmp_path):
    usual, sure = (run(Measured(spread=20.0), tmp_path / str(c), 0.01, 32, c) for c in (None, 0.95))
    assert sure.cost.of(sure.best.precision) > usual.cost.of(usual.best.precision)
    for visit in sure.visits:
        loss = sure.evaluations[visit.precision].loss
        assert visit.accepted == (loss.relative(quantile(0.95)) <= 0.01)


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="something else than a search"):
        run(Measured(), tmp_path, 0.01, 32)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1]",
        '{"fingerprint": {"model": "one"}}',
        "[" * 100_000,
        '{"fingerprint": {}, "evaluations": {"4": 1}}',
    ],
)
def test_a_damaged_memory_is_refused(tmp_path, content):
    (tmp_path / "evaluations.json").write_text(content)
    with pytest.raises(InputError, match="not the memory of a search"):
        Remembered(tmp_path, {"model": "one"}, lambda precision: np.zeros(4))


def test_bit_operations_count_the_weights_of_each_module_once_a_token():
    from sim.trace.linears import Site

    class Layer:
        def __init__(self, n, k):
            import torch

            self.weight = torch.zeros(n, k)

    sites = [
        Site("a.q_proj", "qkv", Layer(8, 4), expert=False),
        Site("a.o_proj", "o", Layer(4, 8), expert=False),
        Site("a.experts.up.0", "up", Layer(6, 4), expert=True),
        Site("a.experts.up.1", "up", Layer(6, 4), expert=True),
        Site("head", "head", Layer(90, 4), expert=False),
    ]
    assert bit_operations(sites, experts_used=1 / 2).macs == (32, 32, 24, 0)
