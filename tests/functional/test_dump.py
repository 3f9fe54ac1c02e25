"""A dump holds what a replay computed; its verifier, a process of its own, computes the same or says what differs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim.arch.load import load_arch
from sim.cli import main
from sim.errors import InputError
from sim.formats.integer import IntegerTensor
from sim.functional import dump as dumps
from sim.functional.dump import ValueDump
from sim.functional.replay import replay
from sim.functional.tiles import Panel
from sim.machine.machine import Machine
from sim.workload.gemm import Gemm
from sim.workload.manifest import GemmRecord
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.trace_file import open_trace

VERIFIER = Path(dumps.__file__).with_name("verify.py")
MACHINES = ("anda-hpca25", "fp-fp", "fp-int", "ifpu", "figna", "figna-m8")


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """A layer whose K is no multiple of a group everywhere, with a decode step."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from sim.trace.extract import TraceOptions, record
    from sim.trace.linears import linearise
    from sim.trace.load import Loaded
    from sim.trace.weights import quantise

    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 160, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=96, num_hidden_layers=1, max_position_embeddings=64, **sizes)
    model = LlamaForCausalLM(config).eval()
    loaded = Loaded("tiny", model, linearise(model))
    folder = tmp_path_factory.mktemp("traces") / "tiny"
    record(loaded, TraceOptions(steps=1), [list(range(20)), list(range(30, 40))], folder, quantise(loaded))
    return open_trace(folder)


def dumped(trace, folder, name, *overrides):
    machine = Machine(load_arch(name, overrides))
    kept = ValueDump(folder, machine.arch.mxu, "a test")
    plan = PrecisionPlan((7, 7, 6, 5))
    return list(replay(trace, machine.pe, lambda gemm: machine.piece(gemm).plan(), plan, kept))


def verified(folder: Path) -> subprocess.CompletedProcess[str]:
    """The dump's own copy of the verifier, run where nothing of this package can be imported."""
    words = [sys.executable, "-I", str(folder / "verify.py")]
    return subprocess.run(words, cwd="/", capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("name", "overrides"), [*((name, ()) for name in MACHINES), ("anda-hpca25", ("mxu.conversion=fp16",))]
)
def test_the_verifier_computes_what_the_machine_did(trace, tmp_path, name, overrides):
    replayed = dumped(trace, tmp_path / "dump", name, *overrides)
    done = verified(tmp_path / "dump")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(replayed) > 8
    assert all("none of its numbers differ" in line for line in lines)
    told = json.loads((tmp_path / "dump" / "dump.json").read_text())
    assert [gemm["name"] for gemm in told["gemms"]] == [one.record.name for one in replayed]


@pytest.mark.parametrize("array", ["outputs", "accumulators", "activations", "codes", "scales", "zeros"])
def test_a_flipped_bit_is_found(trace, tmp_path, array):
    dumped(trace, tmp_path / "dump", "anda-hpca25")
    path = tmp_path / "dump" / f"00003-{array}.npy"
    values = np.load(path)
    largest = np.unravel_index(np.abs(values.astype(np.float64)).argmax(), values.shape)
    bits = values.view(f"u{values.itemsize}")
    bits[largest] ^= 1 << 8 if array == "activations" else 1  # the lowest of those may be dropped
    np.save(path, values)
    done = verified(tmp_path / "dump")
    assert done.returncode == 1
    wrong = [line for line in done.stdout.splitlines() if "none of" not in line]
    assert len(wrong) == 1
    assert wrong[0] == done.stdout.splitlines()[3]


@pytest.mark.parametrize("bits", [1, 3, 5, 6, 7, 8])
@pytest.mark.parametrize("name", ["anda-hpca25", "fp-int", "fp-fp"])
def test_weights_of_every_width_are_verified(tmp_path, name, bits):
    rng = np.random.default_rng(bits)
    machine = Machine(load_arch(name))
    weights = IntegerTensor.quantise(rng.standard_normal((70, 200)), "zero-point", 128, bits=bits)
    activations = (rng.standard_normal((5, 200)) * 2.0 ** rng.integers(-12, 9, (5, 200))).astype(np.float16)
    gemm = Gemm("g", "up", 5, 200, 70, mantissa_bits=6)
    record = GemmRecord(phase="prefill", step=0, name="g", module="up", m=5, k=200, n=70, stored="int")
    kept = ValueDump(tmp_path / "dump", machine.arch.mxu, "a test").begin(record, gemm, activations, weights)
    accumulators = machine.pe.multiply(activations, weights, 6)
    kept.add(Panel(0, 0, 5, 70, 1), accumulators, accumulators.astype(np.float16))
    done = verified(tmp_path / "dump")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_verifier_is_short_and_imports_nothing_of_ours():
    text = VERIFIER.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 80
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert names == {"json", "sys", "pathlib", "typing", "numpy"}


def test_a_run_leaves_a_dump_that_it_may_replace_and_nothing_foreign(trace, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ["sim.py", "run", "anda-hpca25", str(trace.folder), "--precision", "6", "--dump", "--out", str(out)]
    for more in ([], ["--overwrite"]):
        monkeypatch.setattr(sys, "argv", [*words, "--jobs", "1", *more])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 0
    assert verified(out / "dump").returncode == 0
    (out / "dump" / "thesis.txt").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "a folder with `dump`, which this tool did not write" in capsys.readouterr().err


def test_a_pe_that_the_verifier_does_not_know_is_refused():
    mxu = load_arch("fp-fp").mxu.model_copy(update={"pe": "mine"})
    with pytest.raises(InputError, match=r"--dump: only what can be verified is dumped\n  found +PEs of kind mine"):
        dumps.check(mxu)
