"""A trace of a model through every machine: sampled outputs equal the oracle, figures follow the format."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.formats import fp16
from sim.functional.execute import execute
from sim.functional.replay import by_module, replay
from sim.machine.machine import Machine
from sim.workload.gemm import INT4
from sim.workload.precision import PrecisionFile
from sim.workload.precision_rules import PrecisionPlan, PrecisionRule, everywhere
from sim.workload.readers.trace import gemm_of
from sim.workload.trace_file import open_trace
from tests.formats import oracle
from tests.functional.oracles import accumulator

MACHINES = ("anda-hpca25", "fp-fp", "fp-int", "ifpu", "figna", "figna-m11", "figna-m8")
PRECISION = (7, 7, 6, 5)


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
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


def run(trace, machine, precision=PRECISION):
    return list(replay(trace, machine.pe, lambda gemm: machine.piece(gemm).plan(), PrecisionPlan(precision)))


@pytest.mark.parametrize("name", MACHINES)
def test_sampled_outputs_equal_the_oracle(name, trace):
    machine = Machine(load_arch(name))
    rng = np.random.default_rng(0)
    for record in trace.manifest.records:
        if record.activations is None:
            continue
        gemm = gemm_of(record, everywhere(PRECISION), INT4)
        activations, weights = trace.activations(record), trace.weights(record)
        plan = machine.piece(gemm).plan()
        outputs = execute(plan, machine.pe, activations, weights).outputs
        integers = weights.integers().reshape(record.n, -1)[:, : record.k]
        for row, column in zip(rng.integers(record.m, size=3), rng.integers(record.n, size=3), strict=True):
            pair = oracle.Column(
                fp16.to_codes(activations[row]).tolist(),
                integers[column].tolist(),
                [Fraction(scale) for scale in weights.scales[column].tolist()],
                weights.group_size,
            )
            expected = accumulator(name, pair, gemm.mantissa_bits)
            assert outputs[row, column] == float(oracle.binary16(expected))


def test_every_recorded_gemm_with_tensors_is_computed_with_the_tiles_of_its_timing(trace):
    machine = Machine(load_arch("anda-hpca25"))
    replayed = run(trace, machine)
    assert len(replayed) == sum(record.activations is not None for record in trace.manifest.records) == 2 * 7
    for one in replayed:
        counters = machine.run(gemm_of(one.record, everywhere(PRECISION), INT4)).counters
        assert one.tiles == counters["mxu.tiles"]
        assert one.quality.count == one.record.m * one.record.n


def test_noise_falls_with_the_mantissa_length_until_fp16_is_kept_whole(trace):
    machine = Machine(load_arch("anda-hpca25"))
    noise = [by_module(run(trace, machine, (bits,) * 4))["qkv"].errors_squared for bits in (2, 4, 6, 8)]
    assert noise == sorted(noise, reverse=True)
    assert noise[0] > 16 * noise[-1]


def test_figna_machines_keep_their_own_length_whatever_is_asked(trace):
    machine = Machine(load_arch("figna-m8"))
    one, other = (by_module(run(trace, machine, precision)) for precision in ((4,) * 4, (12,) * 4))
    assert one == other


def test_a_trace_of_shapes_alone_is_refused(tmp_path):
    import torch

    from sim.trace.extract import record_module

    record_module(torch.nn.Linear(64, 8), {"input": torch.zeros(2, 64)}, tmp_path / "shapes")
    with pytest.raises(InputError, match="a trace without values"):
        run(open_trace(tmp_path / "shapes"), Machine(load_arch("fp-int")))


def test_rules_reach_layers_and_steps_of_a_trace(trace):
    """Two prompts of 20 and 10 tokens, one step after them: its position is that of the longer one."""
    rules = [
        {"layers": 0, "precision": [5, 6, 7, 8]},
        {"phase": "decode", "steps": 0, "positions": 20, "weight_bits": [4, 3, 2, 1], "precision": 9},
        {"positions": "21-", "precision": 1},
    ]
    file = PrecisionFile(precision="fp16", rules=[PrecisionRule(**rule) for rule in rules])
    plan = file.plan(file.precision)
    machine = Machine(load_arch("anda-hpca25", ["weight_dispatcher.fills_planes=true"]))
    done = list(replay(trace, machine.pe, lambda gemm: machine.piece(gemm).plan(), plan))
    modules, told = ("qkv", "o", "up", "down"), set()
    for one in done:
        number = modules.index(one.record.module)
        expected = (5 + number, 4) if one.record.phase == "prefill" else (9, 4 - number)
        assert (one.mantissa_bits, one.weight_bits) == expected
        told.add(one.record.phase)
    assert told == {"prefill", "decode"}
    whole = by_module(list(replay(trace, machine.pe, lambda gemm: machine.piece(gemm).plan(), PrecisionPlan((9,) * 4))))
    decoded = by_module([one for one in done if one.record.phase == "decode"])
    noise = [decoded[module].sqnr_decibels for module in modules]
    assert noise == sorted(noise, reverse=True), "each plane less is 6 dB"
    assert whole["down"].sqnr_decibels > noise[3] + 12


def test_a_layer_that_a_trace_does_not_have_is_refused(trace):
    plan = PrecisionPlan((8,) * 4, rules=(PrecisionRule(layers="1-", precision=5),))
    with pytest.raises(InputError, match=r"rules\.0\.layers: a layer that the trace does not have"):
        list(replay(trace, Machine(load_arch("anda-hpca25")).pe, lambda gemm: None, plan))
