"""Computes every GeMM of a dump again from its operands, and compares accumulators and outputs bit for bit.

    python verify.py [FOLDER]        # the folder of dump.json; the one of this file unless told

Needs numpy and nothing of the simulator. Ends with 1 where a bit differs. What the files hold: docs/values.md.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def split(values: Any, size: int) -> Any:
    """(rows, K) as (rows, groups, size), zeros after K."""
    return np.pad(values, [(0, 0), (0, -values.shape[1] % size)]).reshape(len(values), -1, size)


def aligned(activations: Any, size: int, bits: int) -> Any:
    """Signed mantissas under the largest exponent of their group, and the worth of their last bit."""
    code = activations.view(np.uint16).astype(np.int64)
    exponent, significand = np.maximum(code >> 10 & 31, 1), code & 1023 | (code & 31 << 10 > 0) << 10
    shared = split(exponent, size).max(axis=2)
    mantissa = (split(significand, size) << 5) >> (shared[:, :, None] - split(exponent, size) + 16 - bits)
    return np.where(split(code >> 15, size), -mantissa, mantissa), 2.0 ** (shared - 15 - (bits - 1))


def terms(gemm: Any, arrays: Any, columns: slice) -> Any:
    """What is added to the accumulators (m, columns), in order."""
    size, bits, values = gemm["dot_length"], gemm["weight_bits"], arrays["activations"]
    if gemm["pe"] == "fp_fp":
        halves = arrays["halves"][columns].astype(np.float32)
        yield from (values[:, k : k + 1].astype(np.float32) * halves[:, k] for k in range(gemm["k"]))
        return
    codes, zeros, scales = (arrays[name][columns] for name in ("codes", "zeros", "scales"))
    numbers, unit = split(values.astype(np.float64), size), np.ones((gemm["m"], -(-gemm["k"] // size)))
    if gemm["pe"] != "fp_int":
        numbers, unit = aligned(values, size, gemm["mantissa_bits"])
    step = -(-bits // -(-bits // 4))  # bits of a digit of the weights: four at most, all as even as can be
    of = np.arange(gemm["k"]) // gemm["weight_group"]
    for group in range(numbers.shape[1]):
        for low in range(0, bits, step):
            mask = (1 << min(step, bits - low)) - 1
            digits = (codes >> low & mask).astype(np.float64) - (zeros >> low & mask)[:, of]
            dots = numbers[:, group] @ split(digits, size)[:, group].T  # exact in binary64
            worth, scale = unit[:, group, None], scales[:, of[group * size]].astype(np.float32) * np.float32(1 << low)
            if gemm["conversion"] == "fp16" and gemm["pe"] != "fp_int":
                yield (dots * worth).astype(np.float16).astype(np.float32) * scale
            else:
                yield dots.astype(np.float32) * (worth.astype(np.float32) * scale)


def differences(folder: Path, gemm: Any) -> int:
    """How many accumulators and outputs of a GeMM differ."""
    arrays, wrong = {name: np.load(folder / file) for name, file in gemm["files"].items()}, 0
    for first in range(0, gemm["n"], 512):
        columns = slice(first, min(first + 512, gemm["n"]))
        sums = np.zeros((gemm["m"], columns.stop - first), np.float32)
        for term in terms(gemm, arrays, columns):
            sums += term
        for name, made in (("accumulators", sums), ("outputs", sums.astype(np.float16))):
            bits = f"u{made.itemsize}"  # compared as integers: zeros have signs, and NaN equals NaN
            wrong += int(np.count_nonzero(made.view(bits) != arrays[name][:, columns].copy().view(bits)))
    return wrong


if __name__ == "__main__":
    where, failed = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent, 0
    np.seterr(over="ignore", invalid="ignore")
    for told in json.loads((where / "dump.json").read_text())["gemms"]:
        failed |= (found := differences(where, told)) > 0
        print(f"{told['name']}, {told['m']} x {told['k']} x {told['n']}: {found or 'none'} of its numbers differ")
    sys.exit(int(failed))
