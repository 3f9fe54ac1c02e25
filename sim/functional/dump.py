"""Every operand, accumulator and output of a replayed trace as NumPy files, and beside them what verifies them.

dump.json                 what was computed, by GeMM: the PE, lengths, groups, and the file of each array
00000-outputs.npy ...     its arrays; docs/values.md says what each holds
verify.py                 computes them again, with nothing of this package
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from sim.arch.schema import MxuConfig
from sim.errors import InputError
from sim.formats.groups import join
from sim.formats.integer import IntegerTensor
from sim.formats.weight import WeightTensor
from sim.functional.product import Float32, Half
from sim.functional.tiles import Panel
from sim.workload.gemm import Gemm
from sim.workload.manifest import GemmRecord

FORMAT = "anda-sim dump 1"
DUMP, VERIFIER = "dump.json", "verify.py"
KINDS = ("anda", "figna", "ifpu", "fp_int", "fp_fp")
"""PEs whose products the verifier knows."""


class ValueDump:
    """A new folder that is filled GeMM by GeMM, for PEs that `check` lets pass."""

    def __init__(self, folder: Path, mxu: MxuConfig, made_by: str) -> None:
        self._folder, self._mxu, self._made_by = folder, mxu, made_by
        self._gemms: list[dict[str, Any]] = []
        folder.mkdir()
        (folder / VERIFIER).write_text(files("sim.functional").joinpath(VERIFIER).read_text("utf-8"), encoding="utf-8")
        self._write()

    def begin(self, record: GemmRecord, gemm: Gemm, activations: Half, weights: WeightTensor) -> DumpedGemm:
        """Write the operands of a GeMM, and make room for what it gives."""
        mxu = self._mxu
        told = {
            **{"name": record.name, "phase": record.phase, "step": record.step},
            **{"m": gemm.m, "k": gemm.k, "n": gemm.n},
            **{"pe": mxu.pe, "dot_length": mxu.dot_length, "conversion": mxu.conversion},
            "mantissa_bits": gemm.mantissa_bits if mxu.pe == "anda" else mxu.mantissa_bits,
            **_groups(weights),
        }
        arrays = {"activations": activations, **(_halves(weights) if mxu.pe == "fp_fp" else _integers(weights))}
        for name, array in arrays.items():
            np.save(self._path(name), array)
        shape = gemm.m, gemm.n
        accumulators = _room(self._path("accumulators"), np.float32, shape)
        outputs = _room(self._path("outputs"), np.float16, shape)
        told["files"] = {name: self._path(name).name for name in (*arrays, "accumulators", "outputs")}
        self._gemms.append(told)
        self._write()
        return DumpedGemm(accumulators, outputs)

    def _path(self, name: str) -> Path:
        return self._folder / f"{len(self._gemms):05}-{name}.npy"

    def _write(self) -> None:
        told = {"format": FORMAT, "made_by": self._made_by, "gemms": self._gemms}
        (self._folder / DUMP).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class DumpedGemm:
    """What a GeMM gives, filled panel by panel."""

    accumulators: NDArray[np.float32]
    outputs: NDArray[np.float16]

    def add(self, panel: Panel, accumulators: Float32, outputs: Half) -> None:
        where = slice(panel.row, panel.row + panel.rows), slice(panel.column, panel.column + panel.columns)
        self.accumulators[where], self.outputs[where] = accumulators, outputs


def check(mxu: MxuConfig) -> None:
    """Refuse PEs that the verifier does not know.

    Raises
    ------
    InputError
        Naming those that it knows.
    """
    if mxu.pe not in KINDS:
        facts = {"found": f"PEs of kind {mxu.pe}", "allowed": ", ".join(KINDS)}
        raise InputError("only what can be verified is dumped", field="--dump", facts=facts)


def _room(path: Path, kind: type[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """An array in a file, that is as large on disk from the start: a full disk is told now, and not by a signal."""
    array: NDArray[Any] = open_memmap(path, "w+", kind, shape)
    with path.open("r+b") as stream:
        os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    return array


def _groups(weights: WeightTensor) -> dict[str, int]:
    if not isinstance(weights, IntegerTensor):
        return {"weight_bits": 16, "weight_group": weights.shape[1]}
    groups, size = weights.codes.shape[-2:]
    return {"weight_bits": weights.bits, "weight_group": weights.length if groups == 1 else size}


def _integers(weights: WeightTensor) -> dict[str, NDArray[Any]]:
    if not isinstance(weights, IntegerTensor) or weights.minimums is not None:
        facts = {"allowed": "integers under a scale, without a minimum"}
        raise InputError("only what can be verified is dumped: found other weights", field="--dump", facts=facts)
    return {"codes": join(weights.codes, weights.length), "scales": weights.scales, "zeros": weights.zeros}


def _halves(weights: WeightTensor) -> dict[str, NDArray[Any]]:
    return {"halves": weights.dequantise_fp16()}
