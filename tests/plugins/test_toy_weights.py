"""A format of weights from outside the tree, one file: listed, named in a model, timed, multiplied, refused."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sim import plugins
from tests.plugins.conftest import TOY, Shell

FILE = TOY / "toy_package" / "weights.py"
DECODE = ("llama-7b", "--phase", "decode", "--precision", "8", "--set-workload", "layers=1", "--json", "--no-report")


def test_the_file_is_short() -> None:
    assert len(FILE.read_text().splitlines()) < 80


def test_it_is_listed_installed_or_as_a_file(shell: Shell, site: Path) -> None:
    assert "toy_log4" in shell("list", site=site).stdout
    assert "toy_log4" in shell("--plugin", str(FILE), "list").stdout
    assert "toy_log4" not in shell("list").stdout


def test_a_model_stores_its_weights_in_it(shell: Shell) -> None:
    """4 bits and 16 every 32: 4.5, as Q4_0."""
    moved = {}
    for name in ("toy_log4", "q4_0"):
        run = ("run", "fp-fp", *DECODE, "--set-workload", f"weights={{format: {name}}}", "--jobs", "2", "--out", name)
        done = shell("--plugin", str(FILE), *run)
        assert done.returncode == 0, done.stderr
        moved[name] = json.loads(done.stdout)["counters"]["dram.weight_bytes"]
    assert moved["toy_log4"] == moved["q4_0"]


def test_a_pe_of_integers_refuses_it(shell: Shell) -> None:
    run = ("run", "anda-hpca25", *DECODE, "--set-workload", "weights={format: toy_log4}", "--out", "r")
    done = shell("--plugin", str(FILE), *run)
    assert done.returncode == 2
    assert "PEs of kind anda do not multiply the weights of attention.q" in done.stderr
    assert "toy_log4" in done.stderr
    assert "weights that are integers under a scale" in done.stderr


def test_its_values_are_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.arch.load import load_arch
    from sim.formats.weight import make
    from sim.machine.machine import Machine

    monkeypatch.setenv(plugins.FILES, str(FILE))
    stored, rng = make("toy_log4", {}), np.random.default_rng(0)
    weights = stored.encode(rng.normal(size=(3, 64)))
    assert stored.stored_bits(64) == Fraction(9, 2) == Fraction(8 * len(stored.image(weights)), 3 * 64)
    again = stored.from_image(stored.image(weights), (3, 64))
    np.testing.assert_array_equal(again.decode(), weights.decode())
    found = Machine(load_arch("fp-fp")).pe.multiply(np.eye(64, dtype=np.float16), weights, None)
    np.testing.assert_array_equal(found.T, weights.dequantise_fp16().astype(np.float32))


def test_a_model_computes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from sim.formats.weight import make
    from sim.trace.linears import linearise
    from sim.trace.load import Loaded
    from sim.trace.weights import as_format, quantise

    monkeypatch.setenv(plugins.FILES, str(FILE))
    stored, layer = make("toy_log4", {}), torch.nn.Linear(64, 8)
    before = layer.weight.detach().numpy().copy()
    model = torch.nn.Sequential(layer)
    made = quantise(as_format(Loaded("toy", model, linearise(model)), stored))
    assert list(made.tensors) == ["0"]
    np.testing.assert_array_equal(layer.weight.numpy(), stored.encode(before).decode().astype(np.float32))
