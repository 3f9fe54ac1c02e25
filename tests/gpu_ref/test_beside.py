"""Machines beside a card: real runs, the card's times by other code, every ratio from its definition."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gpu_ref import record as records
from gpu_ref.beside.comparison import Beside, request
from gpu_ref.beside.cost import PlaceCost, SimulatedLayer
from gpu_ref.beside.standing import NORMALISATIONS, PhaseStanding, ratios, verdict, within
from gpu_ref.beside.terminal import print_beside
from gpu_ref.beside.work import Gemms
from gpu_ref.reference.cards import shipped
from gpu_ref.reference.estimate import error_bars
from gpu_ref.reference.gemm import gemm_estimate
from sim.arch.load import load_arch
from sim.cli import app
from sim.errors import InputError
from sim.report.comparison import labels
from sim.simulation import simulate_all
from sim.workload.load import load_workload
from tests.gpu_ref.test_records import SHAPE, made

LAYERS = 32


@cache
def runs(machines: tuple[str, ...], model: str = "llama-7b", **asked: Any) -> list[Any]:
    return simulate_all([load_arch(name, ()) for name in machines], load_workload(model, **asked))


def beside(results: list[Any], gpu: str = "H200", scale: str | None = None) -> Beside:
    return request(gpu, scale).answer(results, labels(results))


def part(found: Beside, name: str) -> PhaseStanding:
    return next(one for one in found.parts if one.name == name)


def seconds(found: Beside, phase: str, platform: str) -> float:
    return next(one.cost.seconds for one in part(found, phase).entries if one.platform.name == platform)


BOTH = ("fp-int", "anda-hpca25")


@pytest.fixture(scope="module")
def llama() -> Beside:
    return beside(runs(BOTH, phase="both"))


# One layer in microseconds, from another interpolation of the same tables.
@pytest.mark.parametrize(
    ("phase", "kind", "layer"),
    [
        ("prefill", "BF16", 1047.5), ("prefill", "W4A16", 1002.8), ("prefill", "FP8", 734.55),
        ("decode", "BF16", 119.87), ("decode", "W4A16", 57.489), ("decode", "FP8", 102.87),
    ],
)  # fmt: skip
def test_a_phase_takes_the_card_what_another_interpolation_found(
    llama: Beside, phase: str, kind: str, layer: float
) -> None:
    assert seconds(llama, phase, f"H200 {kind}") == pytest.approx(LAYERS * layer * 1e-6, rel=1e-2)


def test_machines_keep_the_seconds_and_joules_of_their_results(llama: Beside) -> None:
    for label, result in zip(BOTH, runs(BOTH, phase="both"), strict=True):
        entry = next(one for one in part(llama, "model").entries if one.platform.name == label)
        assert entry.cost.seconds == pytest.approx(result.totals.seconds)
        assert entry.cost.most_joules == pytest.approx(result.totals.energy_picojoules * 1e-12)
        assert entry.cost.least_joules == pytest.approx(result.energy["dram"] * 1e-12)
        assert entry.cost.bytes == result.totals.dram_bytes


def test_a_model_is_the_sum_of_its_phases(llama: Beside) -> None:
    for entry in part(llama, "model").entries:
        phases = [seconds(llama, phase, entry.platform.name) for phase in ("prefill", "decode")]
        assert entry.cost.seconds == pytest.approx(sum(phases))


def test_one_chip_is_compared_with_itself_first(llama: Beside) -> None:
    text = printed(llama)
    ratio = seconds(llama, "decode", "fp-int") / seconds(llama, "decode", "anda-hpca25")
    own = seconds(llama, "decode", "H200 BF16") / seconds(llama, "decode", "H200 W4A16")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert any(line.startswith("anda-hpca25 over fp-int") and line.split()[4] == f"{ratio:.2f}x" for line in lines)
    assert any(line.startswith("H200 W4A16 over H200 BF16") and line.split()[6] == f"{own:.2f}x" for line in lines)
    assert text.index("Within one chip") < text.index("prefill, 2,048 tokens")


@pytest.mark.parametrize("scale", ["3", "bandwidth", "peak", "area"])
def test_no_scale_touches_the_ratios_within_one_chip(llama: Beside, scale: str) -> None:
    several = beside(runs(BOTH, phase="both"), scale=scale)
    for one, many in zip(llama.parts, several.parts, strict=True):
        assert [row[:2] for row in within(many)] == [row[:2] for row in within(one)]
        assert [row[2] for row in within(many)] == pytest.approx([row[2] for row in within(one)])


def test_every_normalisation_is_what_its_name_says(llama: Beside) -> None:
    decode, card = part(llama, "decode"), shipped().cards["H200"]
    best = min(("BF16", "W4A16", "FP8"), key=lambda kind: seconds(llama, "decode", f"H200 {kind}"))
    assert decode.best.platform.name == f"H200 {best}" == "H200 W4A16"
    machine = next(one for one in decode.machines if one.platform.name == "anda-hpca25")
    result = runs(BOTH, phase="both")[1]
    area = result.totals.area_square_millimetres
    speedup = decode.best.cost.seconds / machine.cost.seconds
    values = ratios(machine, decode.best)
    assert list(values) == list(NORMALISATIONS)
    assert values["as built"] == speedup
    assert values["bandwidth"] == pytest.approx(speedup * 4.8e12 / 256e9)
    peak = 2 * result.clock_hertz * sum(one.macs * one.count for one in result.layers)
    peak /= sum(one.macs * one.count / one.peak_macs_per_cycle for one in result.layers)
    assert values["peak"] == pytest.approx(speedup * 989.4e12 / peak)
    assert values["area"] == pytest.approx(speedup * 814 / area)
    assert values["transistors"] == pytest.approx(speedup * card.die.transistors / (area * 25.1e6))


def test_a_rebuilt_machine_scales_compute_and_dram_apart() -> None:
    bound_by_dram = SimulatedLayer(seconds=12.0, compute_seconds=4.0, memory_seconds=10.0)
    # compute 4 / 2 = 2 and DRAM 10 / 10 = 1: now compute is the larger, and the overhead of 12 / 10 stays
    assert bound_by_dram.rebuilt_seconds(1 / 2, 1 / 10) == pytest.approx(2 * 12 / 10)
    assert bound_by_dram.rebuilt_seconds(1, 1) == 12.0


def test_more_rows_of_a_batch_cost_a_rebuilt_machine_no_less() -> None:
    """One token or sixteen fill the same tiles, so a card's peak and bandwidth must not turn the order round."""
    times = []
    for batch in (1, 16):
        found = beside(runs(("anda-hpca25",), phase="decode", batch=batch))
        [machine] = part(found, "decode").machines
        times.append(machine.rebuilt_seconds(found.card.resources))
    assert times[0] <= times[1] <= 1.2 * times[0]


def test_products_of_one_input_are_taken_together_where_that_is_faster(llama: Beside) -> None:
    index = next(i for i, one in enumerate(llama.work) if one.phase == "decode" and one.module == "qkv")
    place = llama.work[index]
    assert isinstance(place, Gemms)
    assert place.columns == (4096, 4096, 4096)
    together, apart = (gemm_estimate("H200", "BF16", 1, n, 4096).seconds for n in (12288, 4096))
    platform = next(one for one in llama.platforms if one.name == "H200 BF16")
    cost = platform.costs[index]
    assert isinstance(cost, PlaceCost)
    assert cost.seconds == pytest.approx(LAYERS * min(together, 3 * apart))
    assert platform.how[index] == ("together" if together < 3 * apart else "apart")
    assert cost.bytes == LAYERS * (2 * 12288 * 4096 + 2 * 4096 + 2 * 12288)


def test_energy_lies_between_dram_alone_and_tdp_all_along(llama: Beside) -> None:
    for entry in part(llama, "decode").rivals:
        assert entry.cost.least_joules == pytest.approx(8 * 3.9e-12 * entry.cost.bytes)
        assert entry.cost.most_joules == pytest.approx(700 * entry.cost.seconds)
        assert entry.platform.error == str(error_bars()["H200"][entry.platform.name.split()[1]])


@pytest.mark.parametrize(
    ("scale", "number"),
    [
        ("3", lambda own, card: 3.0),
        ("bandwidth", lambda own, card: card.bytes_per_second / own.bytes_per_second),
        ("peak", lambda own, card: card.operations_per_second / own.operations_per_second),
        ("area", lambda own, card: card.square_millimetres / own.square_millimetres),
    ],
)
def test_scaled_machines_share_the_work_evenly(llama: Beside, scale: str, number: Callable[[Any, Any], float]) -> None:
    several = beside(runs(BOTH, phase="both"), scale=scale)
    for one, many in zip(part(llama, "decode").machines, part(several, "decode").machines, strict=True):
        count = number(one.platform.resources, several.card.resources)
        assert many.platform.name == f"{count:.4g} x {one.platform.name}"
        assert many.cost.seconds == pytest.approx(one.cost.seconds / count)
        assert many.cost.most_joules == one.cost.most_joules
        assert many.bandwidth_share == pytest.approx(one.bandwidth_share)
        assert many.peak_share == pytest.approx(one.peak_share)
        before, after = (ratios(entry, part(llama, "decode").best) for entry in (one, many))
        assert {name: after[name] for name in after if name != "as built"} == pytest.approx(
            {name: before[name] for name in before if name != "as built"}
        )


def test_attention_counts_every_step_of_decoding() -> None:
    found = beside(runs(("anda-hpca25",), phase="decode", context=2047, steps=2, scope="all"))
    decode = part(found, "decode")
    attention = next(i for i, one in enumerate(found.work) if one.module == "attention")
    assert attention in decode.covered
    platform = next(one for one in found.platforms if one.name == "H200 W4A16")
    cost = platform.costs[attention]
    assert isinstance(cost, PlaceCost)
    from gpu_ref.reference.attention import attention_estimate

    both = [attention_estimate("H200", "decode", 32, 32, 1, tokens).seconds for tokens in (2048, 2049)]
    assert cost.seconds == pytest.approx(LAYERS * sum(both))
    assert any("norms and the like" in line for line in decode.left_out)
    head = next(i for i, one in enumerate(found.work) if one.module == "head")
    bf16 = next(one for one in found.platforms if one.name == "H200 BF16")
    assert platform.costs[head] == bf16.costs[head]  # the head is not quantised


@pytest.mark.parametrize(("context", "covered"), [(4095, True), (4096, False)])
def test_a_sliding_window_matters_once_it_leaves_tokens_out(context: int, covered: bool) -> None:
    """Mistral-7B sees 4,096 tokens back: no table holds what lies beyond."""
    results = runs(("anda-hpca25",), model="mistral-7b", phase="decode", context=context, scope="all", precision="6")
    found = beside(results)
    decode = part(found, "decode")
    assert ("attention" in {found.work[index].module for index in decode.covered}) == covered
    assert any("sliding window, here of 4,096 tokens" in line for line in decode.left_out) == (not covered)


def test_what_the_tables_lack_is_left_out_on_both_sides_and_named() -> None:
    results = runs(("anda-hpca25",), model="qwen2.5-7b", phase="decode", batch=3, scope="all", precision="6")
    decode = part(beside(results), "decode")
    assert any(line.startswith("H200 W4A16: 3 tokens were not measured") for line in decode.dropped)
    assert any(line.startswith("head: n = 152,064 is outside") for line in decode.left_out)
    assert any("attention of 28/4 heads was not measured" in line for line in decode.left_out)
    kept = {layer.name for layer in results[0].layers if layer.module in ("qkv", "o", "up", "down")}
    expected = sum(one.cycles * one.count for one in results[0].layers if one.name in kept)
    assert decode.machines[0].cost.seconds == pytest.approx(expected / results[0].clock_hertz)
    assert decode.operations_share < 1


def test_work_that_was_not_measured_at_all_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match="nothing of this work was measured") as caught:
        beside(runs(("fp-int",), tokens=1000))
    assert "1,000 tokens were not measured with BF16; nearest: 768 and 1,024" in caught.value.facts["because"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((2.0, 1.11), "faster under all of these"),
        ((0.5, 0.89), "slower under all of these"),
        ((2.0, 0.5), "faster: as built; slower: bandwidth"),
        ((1.09, 0.5), "slower: bandwidth; within the error: as built"),
    ],
)
def test_a_verdict_says_what_survives(values: tuple[float, float], told: str) -> None:
    assert verdict({"as built": values[0], "bandwidth": values[1], "area": None}, 0.1) == told


def test_an_unpublished_die_gives_no_figure_by_area() -> None:
    found = beside(runs(BOTH, phase="both"), gpu="B200")
    prefill = part(found, "prefill")
    assert ratios(prefill.machines[0], prefill.best)["area"] is None
    assert prefill.best.platform.name == "B200 NVFP4"
    with pytest.raises(InputError, match="area of this card's die is not known"):
        beside(runs(BOTH, phase="both"), gpu="B200", scale="area")


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "1e9", "bandwith", ""])
def test_a_scale_that_is_none_is_refused(scale: str) -> None:
    with pytest.raises(InputError, match="--scale: found") as caught:
        request("H100", scale)
    assert caught.value.nearest == ("bandwidth" if scale == "bandwith" else None)


@pytest.mark.parametrize(("gpu", "nearest"), [("H300", "H200"), ("../x", None), ("", None)])
def test_an_unknown_card_is_refused_before_anything_runs(
    gpu: str, nearest: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.simulation.simulate_all", None)  # a call would be another error
    told = CliRunner().invoke(app, ["compare", *BOTH, "--workload", "llama-7b", "--gpu", gpu]).exception
    assert isinstance(told, InputError)
    assert (told.field, told.nearest) == ("--gpu", nearest)
    assert told.facts["cards"] == "A100, H100, H200, B200"


def test_a_scale_needs_a_card() -> None:
    told = CliRunner().invoke(app, ["compare", *BOTH, "--workload", "llama-7b", "--scale", "2"]).exception
    assert isinstance(told, InputError)
    assert told.field == "--scale"


def test_the_command_prints_draws_and_writes_one_comparison(tmp_path: Path) -> None:
    out = tmp_path / "c"
    arguments = ["compare", *BOTH, "--workload", "llama-7b", "--phase", "decode", "--gpu", "h200", "--jobs", "1"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(out)], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output[done.output.index("Beside H200") :].splitlines()[:-1])) <= 80
    again = CliRunner().invoke(app, [*arguments, "--out", str(out), "--overwrite", "--json"])
    assert again.exit_code == 0, again.output
    content = json.loads((out / "gpu.json").read_text())
    assert json.loads(again.stdout)["gpu"] == content
    rows = list(csv.DictReader((out / "gpu.csv").open()))
    assert len(rows) == len(content["rows"])
    assert {row["level"] for row in rows} == {"layer", "phase", "token", "model"}
    layers = [row for row in rows if row["level"] == "layer" and row["platform"] == "H200 BF16"]
    whole = next(row for row in rows if row["level"] == "phase" and row["platform"] == "H200 BF16")
    assert sum(float(row["seconds"]) * int(row["count"]) for row in layers) == pytest.approx(float(whole["seconds"]))
    page = (out / "report.html").read_text(encoding="utf-8")
    for text in ("Beside H200", "Within one chip", "faster", "Not in a machine's area", "H200 W4A16"):
        assert text.replace("'", "&#x27;") in page


def printed(found: Beside) -> str:
    text = StringIO()
    print_beside(found, Console(file=text, width=80))
    return text.getvalue()


def test_the_terminal_keeps_to_eighty_columns(llama: Beside) -> None:
    assert max(map(len, printed(llama).splitlines())) <= 80


@pytest.fixture
def own_record(tmp_path: Path) -> str:
    path = tmp_path / "record.json"
    records.save(made(), path)
    return str(path)


@pytest.fixture
def one_gemm(tmp_path: Path) -> list[Any]:
    file = tmp_path / "gemms.csv"
    file.write_text(f"down,{SHAPE.tokens},{SHAPE.columns},{SHAPE.depth}\n")
    return simulate_all([load_arch("fp-fp", ()), load_arch("fp-int", ())], load_workload(str(file)))


def test_a_record_of_ones_own_stands_where_a_card_would(own_record: str, one_gemm: list[Any]) -> None:
    found = beside(one_gemm, gpu=own_record)
    [only] = found.parts
    assert [entry.platform.name for entry in only.rivals] == ["Pretended fp16", "Pretended anda M=6"]
    assert [entry.cost.seconds for entry in only.rivals] == [4e-5, 1e-5]
    machine = only.machines[0]
    values = ratios(machine, only.best)
    assert values["bandwidth"] == pytest.approx(1e-5 / machine.cost.seconds * 2e12 / 256e9)
    assert values["area"] is None  # the pretended card is none of the known ones
    assert "measured here" in printed(found)
    assert "2026-01-02" in printed(found)


def test_a_record_of_other_kernels_says_which_have_changed(tmp_path: Path, one_gemm: list[Any]) -> None:
    path = tmp_path / "record.json"
    records.save(made(sources={**made().sources, "anda": "0" * 16}), path)
    assert "kernels changed since: anda" in printed(beside(one_gemm, gpu=str(path)))


def test_a_record_of_a_known_card_has_its_die_and_its_power(tmp_path: Path, one_gemm: list[Any]) -> None:
    record = made(device={**vars(made().device), "name": "NVIDIA H100 80GB HBM3"})
    path = tmp_path / "h100.json"
    records.save(record, path)
    [only] = beside(one_gemm, gpu=str(path)).parts
    assert only.best.platform.resources.square_millimetres == 814
    assert only.best.cost.most_joules == pytest.approx(700 * 1e-5)


def test_a_record_without_a_common_gemm_names_both_sides(own_record: str) -> None:
    with pytest.raises(InputError, match="no GeMM was both simulated and measured") as caught:
        beside(runs(("fp-int",), phase="decode"), gpu=own_record)
    assert caught.value.facts["measured"] == "16 x 4096 x 11008"
    assert "1 x 4096 x 4096" in caught.value.facts["simulated"]


def test_a_record_without_ceilings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    records.save(made(ceilings=None), path)
    with pytest.raises(InputError, match="no measured ceilings"):
        request(str(path))
