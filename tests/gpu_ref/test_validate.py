"""One trace through every witness: they agree on real runs, and a planted fault in any of them is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from gpu_ref.validate import rtl, show, validate, witnesses
from gpu_ref.validate.parts import parts
from gpu_ref.validate.validate import Checked, ValidationRequest
from gpu_ref.validate.witnesses import KernelRunner, Witness
from sim.cli import app
from sim.errors import InputError
from sim.formats.int4 import Int4Tensor
from sim.rtl.checks.build import missing_tool
from sim.trace.writer import TraceWriter
from sim.workload.gemm import INT4
from sim.workload.manifest import GemmRecord, TracedModel, TracedTokens
from sim.workload.trace_file import open_trace

needs_rtl = pytest.mark.skipif(missing_tool() is not None, reason=str(missing_tool()))

SMALL = """
extends: anda-hpca25
name: anda-small
mxu: {rows: 2, columns: 4}
weight_dispatcher: {port_bits: 256}
activation_dispatcher: {port_bits: 128, exponent_port_bits: 80}
collector: {port_bits: 64}
bpc: {lanes: 2}
schedule: {token_block: 4, output_block: 64, k_block: 128}
"""
"""Small, so that its RTL compiles in seconds; served by the same DRAM."""


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GeMMs as `trace --text` records them: one whose outputs leave as FP16, one whose outputs are compressed."""
    folder = tmp_path_factory.mktemp("traces") / "recorded"
    rng = np.random.default_rng(3)
    with TraceWriter(folder) as writer:
        for name, module, m, k, n in (("q", "qkv", 5, 128, 128), ("o", "o", 3, 256, 64), ("q2", "qkv", 5, 128, 128)):
            values = (rng.standard_normal((m, k)) * np.exp2(rng.integers(-6, 3, k))).astype(np.float16)
            writer.add_tensor(f"{name}.x", values)
            dense = rng.standard_normal((n, k)).astype(np.float32) / 8
            writer.add_weights(f"{name}.w", INT4, Int4Tensor.quantise(dense, "zero-point"))
            shape: dict[str, Any] = {"m": m, "k": k, "n": n, "stored": writer.add_format(INT4)}
            keys = {"activations": f"{name}.x", "weights": f"{name}.w"}
            writer.add_record(GemmRecord(phase="prefill", step=0, name=f"layer.{name}", module=module, **shape, **keys))
        writer.finish(
            TracedModel(name="made", architecture="none", revision="", parameters=0),
            TracedTokens(prompts=[5], steps=0, identifiers=None),
            "rtn zero-point",
            {},
            "",
        )
    return folder


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("machines") / "anda-small.yaml"
    file.write_text(SMALL)
    return str(file)


@pytest.fixture(scope="module")
def runner() -> KernelRunner:
    """On the host, its kernels compiled once for all tests."""
    return KernelRunner(None, "a test")


@pytest.fixture(scope="module")
def checked(trace: Path, machine: str, runner: KernelRunner) -> list[Checked]:
    return list(validate.validate(ValidationRequest(trace, machine, "6"), runner))


def witness(one: Checked, name: str) -> Witness:
    return next(found for found in one.witnesses if found.name == name)


@needs_rtl
def test_four_witnesses_agree_on_every_bit(checked: list[Checked]) -> None:
    assert [one.part.record.name for one in checked] == ["layer.q", "layer.o"]  # one of each module and shape
    for one in checked:
        assert [found.name for found in one.asked] == ["golden model", "simulator", "RTL", "CUDA kernel"]
        assert len({found.digest for found in one.witnesses}) == 1
        assert one.agree
        assert np.count_nonzero(one.witnesses[0].outputs) > 0.9 * one.witnesses[0].outputs.size  # type: ignore[union-attr]
    assert show.verdict(checked) == "2 GeMMs, 832 outputs: 4 witnesses agree on every bit"


@needs_rtl
def test_the_rtl_ends_with_the_machine_s_own_run(checked: list[Checked]) -> None:
    """The RTL's last output leaves a few cycles before the complete run's last write has left DRAM's queue."""
    for one in checked:
        about = witness(one, "RTL").about
        numbers = [int(word) for word in about.replace(",", "").replace(";", "").split() if word.isdigit()]
        cycles, of = numbers[:2]
        assert of == one.speed.cycles
        assert of - 10 < cycles < of


@needs_rtl
def test_a_block_that_is_late_in_the_complete_run_is_told(
    trace: Path, machine: str, runner: KernelRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = rtl.arrivals

    def late(piece: Any) -> Any:
        found = served(piece)
        return replace(found, blocks=found.blocks + (np.arange(len(found.blocks)) == 3))

    monkeypatch.setattr(rtl, "arrivals", late)
    [one, *_] = validate.validate(ValidationRequest(trace, machine, "6"), runner)
    assert not one.agree
    assert any(text.startswith("output blocks: handshake 3") for text in witness(one, "RTL").differences)
    assert show.word(one, witness(one, "RTL")) == "cycles differ"


def test_one_bit_in_any_witness_is_told(checked: list[Checked]) -> None:
    one = checked[0]
    for index in range(1, len(one.witnesses)):
        told = one.witnesses[index]
        if told.outputs is None:
            continue
        outputs = told.outputs.copy()
        outputs.view(np.uint16)[2, 7] ^= 1
        wrong = replace(told, outputs=outputs)
        planted = replace(one, witnesses=(*one.witnesses[:index], wrong, *one.witnesses[index + 1 :]))
        assert planted.wrong(wrong) == 1
        assert not planted.agree
        assert wrong.digest != told.digest
        assert show.verdict([planted]).startswith("1 of 1 GeMMs differ: layer.q")


def test_a_fault_of_the_simulator_is_found_by_the_run(
    trace: Path, machine: str, runner: KernelRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The golden model and the simulator share no arithmetic: a fault in one does not hide in the other."""
    execute = witnesses.execute

    class Short:
        encoded = True

        def __init__(self, pe: Any) -> None:
            self.pe = pe

        def multiply(self, activations: Any, weights: Any, mantissa_bits: int) -> Any:
            return self.pe.multiply(activations, weights, mantissa_bits - 1)

    def planted(plan: Any, pe: Any, activations: Any, weights: Any) -> Any:
        return execute(plan, Short(pe), activations, weights)

    monkeypatch.setattr(witnesses, "execute", planted)
    monkeypatch.setattr(rtl, "rtl", lambda part, machine: Witness("RTL", "not run: a test"))
    one = next(validate.validate(ValidationRequest(trace, machine, "6"), runner))
    assert one.wrong(witness(one, "simulator")) > 0
    assert one.wrong(witness(one, "CUDA kernel")) == 0
    assert "not asked: RTL" in show.verdict([one])


def test_a_part_is_the_first_tokens_and_outputs(trace: Path) -> None:
    part, *_ = parts(open_trace(trace), (6, 6, 6, 6), tokens=2, outputs=100, every=False)
    whole, *_ = parts(open_trace(trace), (6, 6, 6, 6), tokens=64, outputs=1024, every=False)
    assert part.shape == (2, 128, 100)
    assert part.share == 2 * 100 / (5 * 128)
    assert np.array_equal(part.activations, whole.activations[:2])
    assert np.array_equal(part.weights.codes, whole.weights.codes[:100])
    assert len(list(parts(open_trace(trace), (6, 6, 6, 6), 64, 1024, every=True))) == 3


def test_what_the_kernel_cannot_take_is_said(trace: Path, runner: KernelRunner) -> None:
    part, *_ = parts(open_trace(trace), (6, 6, 6, 6), tokens=2, outputs=100, every=False)
    assert "not run: anda cannot take 100" in witnesses.kernel(part, runner, 64).about
    assert "not run: it takes groups of 64 values, not of 32" in witnesses.kernel(part, runner, 32).about
    long = replace(part, mantissa_bits=15)
    assert "not run: anda cannot take 15" in witnesses.kernel(long, runner, 64).about  # with zero points, 14 at most


@needs_rtl
def test_the_command_writes_page_and_json(trace: Path, machine: str, tmp_path: Path) -> None:
    out = tmp_path / "v"
    arguments = ["validate", str(trace), "--arch", machine, "--precision", "6", "--out", str(out)]
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80 or "/" in done.output
    content = json.loads((out / "validation.json").read_text())
    assert content["agree"]
    assert [one["name"] for one in content["gemms"]] == ["layer.q", "layer.o"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "4 witnesses agree on every bit" in page
    assert "No card ran the CUDA kernel" in page or "The CUDA kernel ran on" in page
    again = CliRunner().invoke(app, arguments)
    assert isinstance(again.exception, InputError)
    assert CliRunner().invoke(app, [*arguments, "--overwrite"]).exit_code == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--arch", "fp-int"], "only Anda has its RTL"),
        (["--precision", "fp16"], "needs a mantissa length"),
        (["--precision", "17"], "17"),
    ],
)
def test_what_cannot_be_validated_is_refused(trace: Path, options: list[str], told: str) -> None:
    refused = CliRunner().invoke(app, ["validate", str(trace), *options]).exception
    assert isinstance(refused, InputError)
    assert told in str(refused)


def test_a_folder_that_is_no_trace_is_refused(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["validate", str(tmp_path)]).exception
    assert isinstance(refused, InputError)
    assert "not a recorded trace" in str(refused)
