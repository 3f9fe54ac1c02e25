"""Small floats, MX and NVFP4 blocks, NF4: every code and every FP16 input against fractions, and packages of others.

Codes of ml_dtypes, torchao and bitsandbytes: tests/formats/small_floats.
"""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.formats import minifloat
from sim.formats.minifloat import Minifloat
from sim.formats.weight import WeightFormat, make
from sim.formats.weights.fp8 import Fp8E4M3
from sim.machine.machine import Machine
from sim.units.processing_element import KINDS
from sim.workload.gemm import Gemm
from tests.formats.small_floats.numbers import every_half, weights

WITNESSES = json.loads((Path(__file__).parent / "small_floats" / "witnesses.json").read_text(encoding="utf-8"))
NUMBERS = [minifloat.E2M1, minifloat.E2M3, minifloat.E3M2, minifloat.E4M3, minifloat.E5M2]
NUMBER = pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
BLOCKS = ["mxfp4", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp8_e4m3", "mxfp8_e5m2", "mxint8"]
KINDS_HERE = [*BLOCKS, "nvfp4", "nf4", "fp8_e4m3", "fp8_e5m2"]


def digest(values: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def by_definition(number: Minifloat, code: int) -> Fraction | None:
    sign, rest = divmod(code, 1 << number.bits - 1)
    exponent, fraction = divmod(rest, 1 << number.fraction_bits)
    top = (1 << number.exponent_bits) - 1
    if number.name == "E5M2" and exponent == top:
        return None
    if number.name == "E4M3" and rest == 127:
        return None
    bias = (1 << number.exponent_bits - 1) - 1
    size = Fraction(fraction, 1 << number.fraction_bits) + (exponent > 0)
    return (-1) ** sign * size * Fraction(2) ** (max(exponent, 1) - bias)


@NUMBER
def test_every_code_is_worth_what_the_definition_says(number: Minifloat) -> None:
    assert len(number.values) == 1 << number.bits
    for code, value in enumerate(number.values.tolist()):
        exact = by_definition(number, code)
        assert (exact is None and np.isnan(value)) or Fraction(value) == exact
    assert number.largest == {"E2M1": 6, "E2M3": 7.5, "E3M2": 28, "E4M3": 448, "E5M2": 57344}[number.name]


@NUMBER
def test_every_half_is_rounded_to_the_nearest_number_and_ties_to_the_even_code(number: Minifloat) -> None:
    inputs, values = every_half(), number.values
    codes = number.round(inputs)
    assert ((codes >> number.bits - 1 == 1) == np.signbit(inputs)).all()
    finite = np.flatnonzero(np.isfinite(values[: 1 << number.bits - 1]))
    sizes = np.abs(inputs.astype(np.float64))
    distances = np.abs(values[finite][:, np.newaxis] - sizes)  # exact: FP16 and at most 4 bits
    taken = codes & (1 << number.bits - 1) - 1
    nearest = distances.min(axis=0)
    assert (distances[taken, np.arange(len(sizes))] == nearest).all()
    tied = (distances == nearest).sum(axis=0) > 1
    assert tied.sum() >= 2 * (number.magnitudes - 1)  # every middle, of both signs
    assert (taken[tied] & 1 == 0).all()
    assert (taken[sizes > number.largest] == finite[-1]).all()


@NUMBER
def test_codes_and_values_are_those_of_ml_dtypes(number: Minifloat) -> None:
    witness, inputs = WITNESSES["ml_dtypes"]["types"][number.name], every_half()
    inputs = inputs[np.abs(inputs.astype(np.float64)) <= number.largest]
    assert len(inputs) == witness["inputs"]
    assert digest(number.round(inputs)) == witness["codes_sha256"]
    assert digest(number.values[np.isfinite(number.values)].astype("<f8")) == witness["values_sha256"]
    wrong = number.round(inputs)
    wrong[1000] ^= 1
    assert digest(wrong) != witness["codes_sha256"]


@pytest.mark.parametrize(
    ("number", "type_"), [(minifloat.E4M3, torch.float8_e4m3fn), (minifloat.E5M2, torch.float8_e5m2)]
)
def test_fp8_is_torch_s(number: Minifloat, type_: torch.dtype) -> None:
    inputs = every_half()
    inputs = inputs[np.abs(inputs.astype(np.float64)) <= number.largest]
    codes = torch.from_numpy(inputs.astype(np.float32)).to(type_).view(torch.uint8).numpy()
    np.testing.assert_array_equal(number.round(inputs), codes)


@pytest.mark.parametrize("kind", [*BLOCKS[:-1], "nvfp4"])
def test_blocks_are_those_of_torchao(kind: str) -> None:
    witness, tensor = WITNESSES["torchao"]["formats"][kind], make(kind, {}).encode(weights())
    assert digest(tensor.stored_scales) == witness["scales_sha256"]
    assert digest(tensor.codes) == witness["codes_sha256"]
    if kind == "nvfp4":
        assert tensor.whole == WITNESSES["torchao"]["formats"]["whole"]


def test_nf4_is_that_of_bitsandbytes() -> None:
    witness, stored = WITNESSES["bitsandbytes"]["nf4"], make("nf4", {})
    tensor = stored.encode(weights())
    assert digest(tensor.table.astype("<f4")) == witness["table_sha256"]
    assert (tensor.table.astype(np.float32) == tensor.table).all()
    assert digest(tensor.stored_scales.astype("<f4")) == witness["scales_sha256"]
    assert digest(tensor.codes) == witness["codes_sha256"]


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_decoded_values_are_products_of_what_is_stored(kind: str) -> None:
    stored = make(kind, {})
    tensor = stored.encode(weights())
    values = tensor.decode()
    rng = np.random.default_rng(0)
    for column, place in zip(rng.integers(0, 24, 300), rng.integers(0, 128, 300), strict=True):
        code, scale = int(tensor.codes[column, place]), tensor.stored_scales[column, place // tensor.size]
        if kind == "mxint8":
            exact = Fraction(code - 256 * (code > 127), 64)
        elif kind == "nf4":
            exact = Fraction(float(np.float32(tensor.table[code])))
        else:
            name = {"mxfp4": "E2M1", "nvfp4": "E2M1"}.get(kind, kind.rpartition("_")[2].upper())
            exact = by_definition(next(one for one in NUMBERS if one.name == name), code) or Fraction(0)
        if kind in BLOCKS:
            exact *= Fraction(2) ** (int(scale) - 127)
        elif kind == "nvfp4":
            exact *= (by_definition(minifloat.E4M3, int(scale)) or 0) * Fraction(tensor.whole)
        else:
            exact *= Fraction(float(scale))
        assert values[column, place] == float(exact)


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_encoding_what_codes_are_worth_gives_the_codes(kind: str) -> None:
    """Every number; with the largest of each block among them, so that its scale comes back."""
    stored: WeightFormat = make(kind, {})
    first = stored.encode(np.linspace(-1, 1, 64, dtype=np.float32)[np.newaxis])
    table = np.abs(first.table)
    usable = np.flatnonzero(np.isfinite(table) & ((first.table != 0) | (np.arange(len(table)) == first.table.argmin())))
    usable = np.array([code for code in usable if not (kind == "mxint8" and code == 128)])
    top = usable[table[usable].argmax()]
    span = stored.span or len(usable) + 1
    rows = [np.append(usable[at : at + span - 1], top) for at in range(0, len(usable), span - 1)]
    codes = np.concatenate([np.append(row, np.full(span - len(row), top)) for row in rows]).astype(np.uint8)[np.newaxis]
    values = first.table[codes]
    again = stored.encode(values)
    np.testing.assert_array_equal(again.codes, codes)
    # 1 / (448 * 6), NVFP4's scale of all weights, is no number of binary32.
    np.testing.assert_allclose(again.decode(), values, rtol=2.0**-24 if kind == "nvfp4" else 0)


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("mxfp4", 4.25), ("mxfp6_e2m3", 6.25), ("mxfp8_e5m2", 8.25), ("mxint8", 8.25), ("nvfp4", 4.5), ("nf4", 4.5),
     ("fp8_e4m3", 8 + 32 / 4096)],
)  # fmt: skip
def test_stored_bits(kind: str, bits: float) -> None:
    assert float(make(kind, {}).stored_bits(4096)) == bits


@pytest.mark.parametrize("kind", KINDS_HERE)
@pytest.mark.parametrize("machine", ["anda-hpca25", "fp-fp", "fp-int", "ifpu", "figna", "int8", "int8-int4"])
def test_a_format_that_no_pe_takes_is_refused_by_name(kind: str, machine: str) -> None:
    gemm = Gemm("up", "up", 4, 128, 64, mantissa_bits=5, weights=make(kind, {}))
    with pytest.raises(InputError, match="do not multiply the weights of up") as refused:
        Machine(load_arch(machine)).piece(gemm)
    assert refused.value.facts["found"].startswith(kind)
    assert machine.replace("-", "_").removesuffix("_hpca25") in KINDS.names()


@pytest.mark.parametrize("size", [8, 17, "tensor"])
def test_groups_that_fp8_does_not_have_are_refused(size: Any) -> None:
    with pytest.raises(InputError, match="group_size"):
        Fp8E4M3(group_size=size)


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_codes_and_scales_that_are_no_numbers_are_refused_with_their_place(kind: str) -> None:
    stored = make(kind, {})
    tensor = stored.encode(weights())
    image, shape = bytearray(stored.image(tensor)), tensor.shape
    with pytest.raises(InputError, match="another size"):
        stored.from_image(bytes(image[:-1]), shape)
    if np.isnan(tensor.table).any():
        image[5] = 0x7F
        with pytest.raises(InputError, match="code 5 of column 0 is no number") as refused:
            stored.from_image(bytes(image), shape)
        assert refused.value.facts["found"] == "code 127"
    scales = len(image) - (4 if kind == "nvfp4" else 0) - tensor.scales.size * (stored.scale_bits // 8)
    image = bytearray(stored.image(tensor))
    nan = b"\xff" if kind in BLOCKS else b"\x7f" if kind == "nvfp4" else np.float32(np.nan).tobytes()
    image[scales : scales + len(nan)] = nan
    with pytest.raises(InputError, match="scale 0 of column 0 is no number"):
        stored.from_image(bytes(image), shape)
    with pytest.raises(InputError, match="weights"):
        stored.encode(np.full((2, 64), np.nan, np.float32))
