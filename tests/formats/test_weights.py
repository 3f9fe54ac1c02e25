"""Formats of weights: every code, what it is worth, the bytes, against integers, fractions and ggml's definitions."""

from __future__ import annotations

import struct
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from sim.errors import InputError
from sim.formats.integer import IntegerTensor
from sim.formats.weight import WEIGHTS, WeightFormat, make
from sim.formats.weights.fp8 import Fp8E4M3, Fp8E5M2
from sim.formats.weights.gguf import Q4_0, Q4_1, Q8_0
from sim.formats.weights.half import Bf16Weights, Fp16Weights
from sim.formats.weights.integer import IntegerWeights
from sim.formats.weights.mx import MxFp4, MxFp6E2M3, MxFp6E3M2, MxFp8E4M3, MxFp8E5M2, MxInt8
from sim.formats.weights.nf4 import Nf4
from sim.formats.weights.nvfp4 import NvFp4
from sim.formats.weights.planes import PlaneWeights
from tests.formats import oracle

BITS = pytest.mark.parametrize("bits", range(1, 9))
SCHEMES: dict[str, dict[str, Any]] = {
    "symmetric": {"zero_point_bits": 0},
    "zero-point": {},
    "minimum": {"minimum_bits": 16},
}
EVERY = [
    *(
        IntegerWeights(bits, size, **keys)
        for bits in (1, 3, 4, 8)
        for size in (16, 32, 64, 128, "channel")
        for keys in SCHEMES.values()
    ),
    *(IntegerWeights(bits, "tensor") for bits in (2, 8)),
    *(PlaneWeights(bits, size, **keys) for bits in (1, 4, 7) for size in (16, "channel") for keys in SCHEMES.values()),
    PlaneWeights(3, "tensor"),
    *(Q4_0(), Q4_1(), Q8_0(), Fp16Weights(), Bf16Weights()),
    *(MxFp4(), MxFp6E2M3(), MxFp6E3M2(), MxFp8E4M3(), MxFp8E5M2(), MxInt8(), NvFp4(), Nf4()),
    *(Fp8E4M3(), Fp8E4M3(64), Fp8E5M2("channel")),
]


def all_pairs(bits: int) -> IntegerTensor:
    """Row z, zero point z: every code once; scales of every kind."""
    count = 1 << bits
    codes = np.tile(np.arange(count, dtype=np.uint8), (count, 1)).reshape(count, 1, count)
    scales = np.resize(np.array([2.0**-24, 2.0**-14, 0.1, 1, 3.14, 100, 200, 0], np.float16), (count, 1))
    return IntegerTensor(codes, scales, np.arange(count, dtype=np.uint8).reshape(count, 1), count, bits)


@BITS
def test_every_code_and_zero_point_is_worth_their_difference_times_the_scale(bits):
    tensor, count = all_pairs(bits), 1 << bits
    integers, values, halves = tensor.integers()[:, 0].tolist(), tensor.decode().tolist(), tensor.dequantise_fp16()
    for zero, code in product(range(count), range(count)):
        exact = (code - zero) * Fraction(float(tensor.scales[zero, 0]))
        assert integers[zero][code] == code - zero
        assert Fraction(values[zero][code]) == exact
        assert Fraction(float(halves[zero, code])) == oracle.binary16(exact)


@BITS
@pytest.mark.parametrize("width", [1, 2, 3, 4, 8])
def test_digits_of_codes_and_zeros_add_up_to_every_weight(bits, width):
    tensor, total = all_pairs(bits), 0
    for shift, digit in tensor.slices(width):
        assert digit.bits <= width
        total = total + (digit.integers().astype(np.int64) << shift)
    np.testing.assert_array_equal(total, tensor.integers())


@BITS
@pytest.mark.parametrize("scheme", ["zero-point", "minimum"])
@pytest.mark.parametrize("kind", [IntegerWeights, PlaneWeights])
def test_encoding_what_codes_are_worth_gives_the_codes(kind, bits, scheme):
    stored = kind(bits, 256 if bits == 8 else 128, **SCHEMES[scheme])
    codes = np.resize(np.arange(1 << bits, dtype=np.uint8), (3, 1, stored.group_size))
    zeros = np.array([[0], [1], [(1 << bits) - 1]], np.uint8) if scheme == "zero-point" else np.zeros((3, 1), np.uint8)
    minimums = np.array([[-7.5], [0], [3]], np.float16) if scheme == "minimum" else None
    tensor = IntegerTensor(codes, np.full((3, 1), 0.25, np.float16), zeros, codes.shape[-1], bits, minimums)
    np.testing.assert_array_equal(stored.encode(tensor.decode()).codes, codes)


@pytest.mark.parametrize("bits", range(2, 9))
def test_encoding_symmetric_weights_gives_all_codes_but_the_one_without_a_counterpart(bits):
    codes = np.resize(np.arange(1, 1 << bits, dtype=np.uint8), (1, 1, 256))
    tensor = IntegerTensor(codes, np.ones((1, 1), np.float16), np.full((1, 1), 1 << bits - 1, np.uint8), 256, bits)
    np.testing.assert_array_equal(IntegerWeights(bits, 256, zero_point_bits=0).encode(tensor.decode()).codes, codes)


@pytest.mark.parametrize("length", [256, 100, 8, 1])
@pytest.mark.parametrize("stored", EVERY, ids=repr)
def test_the_bytes_are_as_many_as_the_format_says_and_give_the_tensor_back(stored: WeightFormat, length: int):
    weights = np.random.default_rng(0).normal(size=(8, length)).astype(np.float32)
    tensor = stored.encode(weights)
    image = stored.image(tensor)
    register = 16 if getattr(stored, "group_size", None) == "tensor" else 32 if stored.kind == "nvfp4" else 0
    assert 8 * len(image) == 8 * stored.column_bits(length) + register
    again = stored.from_image(image, (8, length))
    assert again.shape == tensor.shape == (8, length)
    np.testing.assert_array_equal(again.decode(), tensor.decode())
    assert stored.image(again) == image
    with pytest.raises(InputError, match="another size"):
        stored.from_image(image[:-1], (8, length))


@pytest.mark.parametrize("stored", [Q4_0(), Q4_1(), Q8_0()], ids=repr)
def test_encoding_what_blocks_are_worth_gives_their_codes(stored: WeightFormat):
    """All of Q4_0 and Q4_1; Q8_0 has none of -128."""
    codes = np.arange(1 if stored.bits == 8 else 0, 1 << stored.bits, dtype=np.uint8)
    ends = codes[[0, -1]]  # in every block, so that its scale is told by them
    rows = np.concatenate([[*ends, *codes[at : at + 30]] for at in range(0, len(codes), 30)])
    filled = np.resize(np.append(rows, np.resize(ends, -len(rows) % 32)), (1, -(-len(rows) // 32), 32)).astype(np.uint8)
    shape, zero = filled.shape[:2], {"q4_0": 8, "q4_1": 0, "q8_0": 128}[stored.kind]
    minimums = np.full(shape, -3, np.float16) if stored.minimum else None
    half, zeros = np.full(shape, 0.5, np.float16), np.full(shape, zero, np.uint8)
    tensor = IntegerTensor(filled, half, zeros, filled.size, stored.bits, minimums)
    again = stored.encode(tensor.decode())
    np.testing.assert_array_equal(again.codes, filled)
    assert stored.image(again) == stored.image(tensor)


@BITS
def test_planes_that_are_not_read_are_a_one_or_a_zero(bits):
    tensor = all_pairs(bits)
    for read in range(1, bits + 1):
        values, unread = tensor.planes(read).decode().tolist(), bits - read
        half = max(1, (1 << unread) // 2)
        for zero, code in product(range(1 << bits), repeat=2):  # the code stands at k = code
            cut = zero % half if unread else 0
            one = half if unread and code % (1 << unread) >= 2 * cut + 1 else 0
            integer = (code >> unread << unread) + one - (zero - cut)
            assert values[zero][code] == integer * float(tensor.scales[zero, 0])  # 9 bits by 11: exact


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("bits", range(2, 8))
def test_weights_of_fewer_planes_do_not_drift(bits, scheme):
    """Over every code at every place of 2^unread, whatever the zero point, the errors sum up to nothing."""
    zeros = {"symmetric": [1 << bits - 1], "minimum": [0]}.get(scheme, list(range(1 << bits)))
    for read in range(1, bits):
        every = np.repeat(np.arange(1 << bits, dtype=np.uint8), 1 << bits - read)
        codes = np.broadcast_to(every, (len(zeros), 1, every.size)).copy()
        points, ones = np.array(zeros, np.uint8)[:, np.newaxis], np.ones((len(zeros), 1), np.float16)
        tensor = IntegerTensor(codes, ones, points, every.size, bits, ones if scheme == "minimum" else None)
        assert not (tensor.planes(read).decode() - tensor.decode()).sum(axis=-1).any()


@BITS
def test_what_is_read_is_the_beginning_of_what_is_stored(bits):
    weights = np.random.default_rng(bits).normal(size=(8, 100))
    for read, (size, keys) in product(range(1, bits + 1), product((16, "channel"), SCHEMES.values())):
        stored = PlaneWeights(bits, size, read_bits=read, **keys)
        image = stored.image(stored.encode(weights))
        begin = stored.column_bits(100)  # of eight columns, so as many bytes
        assert len(image) == stored.stored_column_bits(100) == begin + 100 * (bits - read)
        cut = image[:begin] + bytes(len(image) - begin)
        whole, part = (stored.read(stored.from_image(one, (8, 100))) for one in (image, cut))
        np.testing.assert_array_equal(whole.decode(), part.decode())
        if read < bits:
            assert (whole.bits, stored.factor_bits, stored.read_bits) == (read + 1, read + 1, read)


def test_fewer_planes_lose_more():
    weights = np.random.default_rng(0).normal(size=(16, 256))
    stored = PlaneWeights(8, 64)
    errors = [np.abs(stored.encode(weights).planes(read).decode() - weights).mean() for read in range(1, 9)]
    # Each plane about halves what is left; of the last one rounding by the full code is left as well.
    assert all(1.5 < one / next_ < 2.3 for one, next_ in pairwise(errors[:6])), errors
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("bits", range(1, 9))
def test_groups_that_do_not_divide_k_begin_one_more_scale(bits):
    for size, values in product((16, 32, 64, 128), (1, 100, 128, 200)):
        groups = -(-values // size)
        assert IntegerWeights(bits, size).column_bits(values) == values * bits + groups * (16 + bits)
        assert IntegerWeights(bits, size, zero_point_bits=0).column_bits(values) == values * bits + groups * 16
        assert IntegerWeights(bits, size, minimum_bits=16).column_bits(values) == values * bits + groups * 32
    assert IntegerWeights(bits, "channel").column_bits(200) == 200 * bits + 16 + bits
    assert IntegerWeights(bits, "tensor").column_bits(200) == 200 * bits


def ggml_block(kind: str, row: list[float]) -> bytes:
    """A block as ggml-quants.c's quantize_row_*_ref writes it, value by value in binary32."""
    f = np.float32
    if kind == "q8_0":
        d = f(max(abs(f(x)) for x in row)) / f(127)
        inverse = f(1) / d if d else f(0)
        scaled = [float(f(x) * inverse) for x in row]
        return struct.pack("<e32b", d, *(int(abs(x) + 0.5) * (1 if x >= 0 else -1) for x in scaled))
    if kind == "q4_0":
        largest = f(0)
        for x in row:
            largest = f(x) if abs(f(x)) > abs(largest) else largest
        head, d, low, half = [largest / f(-8)], largest / f(-8), f(0), f(8.5)
    else:
        low = f(min(row))
        d, half = (f(max(row)) - low) / f(15), f(0.5)
        head = [d, low]
    inverse = f(1) / d if d else f(0)
    codes = [min(15, int((f(x) - low) * inverse + half)) for x in row]
    nibbles = bytes(codes[i] | codes[i + 16] << 4 for i in range(16))
    return struct.pack(f"<{len(head)}e", *head) + nibbles


@pytest.mark.parametrize(("kind", "size"), [("q4_0", 18), ("q4_1", 20), ("q8_0", 34)])
def test_blocks_of_gguf_are_those_of_ggml_byte_for_byte(kind, size):
    rng = np.random.default_rng(1)
    weights = (rng.normal(size=(50, 128)) * np.exp2(rng.integers(-12, 4, (50, 1)))).astype(np.float32)
    weights[0, :32] = 0
    weights[1, 32:64] = 0.5
    stored = make(kind, {})
    blocks = [ggml_block(kind, row[at : at + 32]) for row in weights.tolist() for at in range(0, 128, 32)]
    assert {len(block) for block in blocks} == {size}
    assert stored.image(stored.encode(weights)) == b"".join(blocks)
    assert stored.column_bits(128) == 4 * size * 8


@pytest.mark.parametrize("kind", ["q4_0", "q4_1", "q8_0"])
def test_blocks_are_those_that_the_gguf_package_writes(kind):
    gguf = pytest.importorskip("gguf")
    written = gguf.GGMLQuantizationType[kind.upper()]
    stored, rng = make(kind, {}), np.random.default_rng(2)
    weights = (rng.normal(size=(64, 256)) * np.exp2(rng.integers(-12, 4, (64, 1)))).astype(np.float32)
    theirs = gguf.quants.quantize(weights, written)
    assert stored.image(stored.encode(weights)) == theirs.tobytes()
    decoded = stored.from_image(theirs.tobytes(), weights.shape).decode()
    np.testing.assert_array_equal(decoded.astype(np.float32), gguf.quants.dequantize(theirs, written))


def test_halves_keep_every_finite_code():
    codes = np.arange(1 << 16, dtype="<u2")
    for stored, exponent in ((Fp16Weights(), 0x7C00), (Bf16Weights(), 0x7F80)):
        finite = codes[codes & exponent != exponent].reshape(1, -1)
        tensor = stored.from_image(finite.tobytes(), finite.shape)
        np.testing.assert_array_equal(stored.encode(tensor.decode()).codes, finite)
        with pytest.raises(InputError, match="weights: "):
            stored.from_image(np.array([exponent], "<u2").tobytes(), (1, 1))


def test_bf16_rounds_to_nearest_even():
    # 8 bits of significand: halfway between 1 and 1 + 2^-7 lies 1 + 2^-8.
    values = np.array([[1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20]], np.float32)
    assert Bf16Weights().encode(values).decode().tolist() == [[1, 1 + 2**-6, 1 + 2**-7]]


def test_codes_out_of_range_are_refused_with_their_place():
    codes = np.zeros((2, 1, 16), np.uint8)
    codes[1, 0, 5] = 8
    with pytest.raises(InputError, match=r"codes: found 8 at index \[1, 0, 5\]\n.*0\.\.7"):
        IntegerTensor(codes, np.ones((2, 1), np.float16), np.zeros((2, 1), np.uint8), 16, 3)


@pytest.mark.parametrize("part", ["scales", "zeros", "minimums"])
def test_a_wrong_count_of_scales_is_refused_with_its_part(part):
    parts = {"scales": np.ones((2, 1), np.float16), "zeros": np.zeros((2, 1), np.uint8)}
    parts["minimums"] = np.ones((2, 1), np.float16)
    parts[part] = np.concatenate([parts[part], parts[part]], axis=-1)
    message = f"{part}: found 2 x 2\n  expected   2 x 1, one a group of 16"
    with pytest.raises(InputError, match=message):
        IntegerTensor(np.zeros((2, 1, 16), np.uint8), parts["scales"], parts["zeros"], 16, 4, parts["minimums"])
    with pytest.raises(ValueError, match="not the groups of 40 values"):
        IntegerTensor(np.zeros((2, 1, 16), np.uint8), np.ones((2, 1), np.float16), np.zeros((2, 1), np.uint8), 40, 4)


def test_formats_are_found_by_name_and_take_their_own_keys_only():
    assert {"integer", "planes", "fp16", "bf16", "q4_0", "q4_1", "q8_0"} <= set(WEIGHTS.names())
    assert make("integer", {"bits": 3, "group_size": 64}) == IntegerWeights(3, 64, 16, 3)
    assert make("q8_0", {"bits": 8}) == Q8_0()
    for kind, keys, message in (
        ("q8_0", {"bits": 4}, "weights of format q8_0 have no bits to choose"),
        ("intger", {}, "no weight format 'intger'; did you mean `integer`"),
        ("integer", {"bits": 9}, "integers of 9 bits"),
        ("integer", {"read_bits": 3}, "weights of format integer have no read_bits to choose"),
        ("planes", {"bits": 3, "read_bits": 4}, "4 planes read\n  allowed    1 to 3"),
    ):
        with pytest.raises(InputError, match=message):
            make(kind, keys)
