"""Speed of functional execution against a NumPy float32 product of the same shape, on the same number of threads.

    python -m benchmarks.functional --out results/functional_speed.json

A GeMM of 512 x 4096 x 4096 from FP16 activations and INT4 weights to FP16 outputs, along the tiles of a machine's plan:
encoding, decoding of weights and the walk over the tiles are in the time, as they are in a replay.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sim.arch.load import load_arch
from sim.arch.schema import Schedule
from sim.formats.int4 import Int4Tensor
from sim.functional.execute import execute
from sim.mapping.operands import GroupedWeights
from sim.mapping.plan import make_plan
from sim.units import processing_element
from sim.workload.gemm import Gemm

M, K, N = 512, 4096, 4096
CASES: tuple[tuple[str, int | None], ...] = (
    *(("anda-hpca25", bits) for bits in (4, 7, 15, 16)),
    *((name, None) for name in ("figna", "figna-m8", "ifpu", "fp-int", "fp-fp")),
)


def measure(repeats: int) -> dict[str, Any]:
    """Seconds of the product and, for each machine, the ratio of its execution to it: the least of each."""
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    activations = rng.standard_normal((M, K)).astype(np.float16)
    weights = Int4Tensor.quantise(rng.standard_normal((N, K)), "zero-point")
    left, right = activations.astype(np.float32), weights.dequantise()
    threads = len(os.sched_getaffinity(0))
    with threadpool_limits(threads, "blas"):
        product = _least(lambda: left @ right.T, repeats)
    ratios = {}
    for name, mantissa_bits in CASES:
        arch = load_arch(name)
        assert isinstance(arch.schedule, Schedule)
        pe = processing_element.make(arch)
        gemm = Gemm(name, "up", M, K, N, mantissa_bits=mantissa_bits)
        plan = make_plan(arch, gemm, pe.activations(mantissa_bits), GroupedWeights(gemm.weights), arch.schedule)
        call = partial(execute, plan, pe, activations, weights)
        spent = _least(call, repeats)
        label = name if mantissa_bits is None else f"{name} M={mantissa_bits}"
        ratios[label] = {"elapsed": spent.elapsed / product.elapsed, "processor": spent.processor / product.processor}
    return {
        "shape": {"m": M, "k": K, "n": N},
        "threads": threads,
        "load_average": os.getloadavg()[0],
        "product_seconds": asdict(product),
        "ratios": ratios,
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }


@dataclass(frozen=True)
class Seconds:
    """Time on the clock, and time of all threads on processors: that counts where other programs run beside."""

    elapsed: float
    processor: float


def _least(call: Callable[[], object], repeats: int) -> Seconds:
    elapsed, processor = [], []
    for _ in range(repeats + 1):  # the first compiles and warms up
        begun = time.perf_counter(), time.process_time()
        call()
        elapsed.append(time.perf_counter() - begun[0])
        processor.append(time.process_time() - begun[1])
    return Seconds(min(elapsed[1:]), min(processor[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    text = json.dumps(measure(arguments.repeats), indent=1) + "\n"
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
