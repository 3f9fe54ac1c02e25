"""INT8 and INT4 activations, a scale a token: codes, scales and bytes against Python integers."""

from __future__ import annotations

import numpy as np
import pytest

from sim.errors import InputError
from sim.formats import fp16
from sim.formats.token_integer import TokenIntegers
from sim.mapping.operands import TokenActivations
from sim.rtl.checks.quantiser import random_tokens
from tests.formats import oracle

BITS = pytest.mark.parametrize("bits", [3, 4, 8])


@BITS
@pytest.mark.parametrize("seed", range(20))
def test_codes_and_scales_are_those_of_integers(bits, seed):
    codes = random_tokens(np.random.default_rng(seed), 12, 70, bits)
    tokens = TokenIntegers.quantise(fp16.from_codes(codes), bits)
    for row, scale, given in zip(
        tokens.codes.tolist(), fp16.to_codes(tokens.scales).tolist(), codes.tolist(), strict=True
    ):
        assert scale == oracle.token_scale(given, bits)
        assert row == oracle.token_integers(given, bits)


@BITS
def test_every_fp16_value_as_the_largest_of_its_token(bits):
    codes = np.array(oracle.FINITE_CODES, np.uint16)[:, np.newaxis]
    tokens = TokenIntegers.quantise(fp16.from_codes(codes), bits)
    count = 2 ** (bits - 1) - 1
    for code, scale, [integer] in zip(
        codes[:, 0].tolist(), fp16.to_codes(tokens.scales).tolist(), tokens.codes.tolist(), strict=True
    ):
        largest = oracle.steps(code)
        assert count * oracle.steps(scale) >= largest, "nothing is clipped"
        assert scale == 1 or count * oracle.steps(scale - 1) < largest, "no smaller scale would do"
        assert abs(integer) <= count
        assert largest < count * 2**10 or abs(integer) == count, "under a normal scale the largest takes L"


@BITS
def test_what_was_quantised_is_quantised_as_itself(bits):
    # The largest code is L in each token, so that the scale is found again.
    count = 2 ** (bits - 1) - 1
    codes = np.random.default_rng(5).integers(-count, count + 1, (50, 40)).astype(np.int8)
    codes[:, 7] = count
    tokens = TokenIntegers(codes, np.full(50, 0.125, np.float16), bits)
    again = TokenIntegers.quantise(tokens.decode().astype(np.float16), bits)
    np.testing.assert_array_equal(again.codes, codes)
    np.testing.assert_array_equal(again.scales, tokens.scales)


@BITS
@pytest.mark.parametrize("length", [1, 2, 7, 64, 65])
def test_the_bytes_are_codes_dense_a_token_and_then_the_scales(bits, length):
    tokens = TokenIntegers.quantise(
        fp16.from_codes(random_tokens(np.random.default_rng(length), 5, length, bits)), bits
    )
    image = tokens.image()
    assert len(image) == TokenActivations(bits).data_bytes(5, 1, length)
    expected = b""
    for row in tokens.codes.tolist():
        word = sum((code % 2**bits) << bits * place for place, code in enumerate(row))
        expected += word.to_bytes(-(-bits * length // 8), "little")
    expected += b"".join(code.to_bytes(2, "little") for code in fp16.to_codes(tokens.scales).tolist())
    assert image == expected
    back = TokenIntegers.from_image(image, (5, length), bits)
    np.testing.assert_array_equal(back.codes, tokens.codes)
    np.testing.assert_array_equal(back.scales, tokens.scales)


def test_what_is_no_such_activation_is_refused_with_place_and_value():
    scales = np.ones(2, np.float16)
    with pytest.raises(InputError, match=r"codes: found -8 at index \[1, 2\]\n  allowed    -7\.\.7"):
        TokenIntegers(np.array([[0, 1, 7], [0, 0, -8]], np.int8), scales, 4)
    with pytest.raises(InputError, match="bits of a token's integers: found 5\n  allowed    3, 4 or 8"):
        TokenIntegers(np.zeros((2, 3), np.int8), scales, 5)
    with pytest.raises(InputError, match="scales"):
        TokenIntegers(np.zeros((2, 3), np.int8), np.array([1, np.inf], np.float16))
    with pytest.raises(InputError, match="activations"):
        TokenIntegers.quantise(np.array([[1, np.nan]], np.float16))
    with pytest.raises(ValueError, match="no tokens with a scale each"):
        TokenIntegers(np.zeros((2, 3), np.int8), np.ones(3, np.float16))
    with pytest.raises(InputError, match="activations"):
        TokenIntegers.from_image(b"123", (2, 3))
