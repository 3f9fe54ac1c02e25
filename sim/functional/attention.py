"""Values of fused attention: both products as the PEs round, the softmax between them by its contract, block by block.

K, V   each head of a token integers under an FP16 scale (sim/formats/token_integer.py), after rotation; or FP16
S      = FP16(Q K^T), a key's scale in every group of its column
P, O   sim/formats/softmax.py; in P V the values' integers have a scale of 1, for P holds theirs
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats.integer import IntegerTensor
from sim.formats.softmax import AttentionOutput, OnlineSoftmax
from sim.formats.token_integer import TokenIntegers
from sim.formats.weight import WeightTensor
from sim.formats.weights.half import Fp16Weights
from sim.functional.product import Float32, Half

PAGES_AT_ONCE = 4
"""Pages of queries that are done together: more of them multiply more masked scores."""


class AttentionMultiplier(Protocol):
    """What computes both products: a processing element (sim/units/processing_element.py)."""

    def multiply(self, activations: Half, weights: WeightTensor, mantissa_bits: int | None) -> Float32:
        """Accumulators (rows, columns) of activations (rows, K) and weights (columns, K)."""
        ...


@dataclass(frozen=True, eq=False)
class CachedHead:
    """Keys and values of a key-value head, as the cache keeps them.

    Attributes
    ----------
    keys, values : (tokens, head size) and (tokens, value size)
        Integers, or FP16.
    """

    keys: TokenIntegers | Half
    values: TokenIntegers | Half

    @classmethod
    def quantise(cls, keys: Half, values: Half, bits: int | None) -> Self:
        """Finite FP16 keys and values of `bits`; None: as they are.

        Raises
        ------
        InputError
            For Inf or NaN.
        """
        if bits is None:
            return cls(keys, values)
        return cls(TokenIntegers.quantise(keys, bits, "keys"), TokenIntegers.quantise(values, bits, "values"))

    @property
    def tokens(self) -> int:
        return len(self.keys.codes if isinstance(self.keys, TokenIntegers) else self.keys)

    @property
    def value_size(self) -> int:
        return int((self.values.codes if isinstance(self.values, TokenIntegers) else self.values).shape[1])

    def part(self, tokens: slice) -> CachedHead:
        """Keys and values of neighbouring tokens."""
        return CachedHead(_part(self.keys, tokens), _part(self.values, tokens))

    @property
    def key_columns(self) -> WeightTensor:
        """Keys as the weights of S: columns are tokens."""
        if isinstance(self.keys, TokenIntegers):
            return _as_weights(self.keys.codes, self.keys.scales, self.keys.bits)
        return Fp16Weights().encode(self.keys)

    @property
    def value_columns(self) -> WeightTensor:
        """Values as the weights of P V: columns are a value's channels, under a scale of 1."""
        if isinstance(self.values, TokenIntegers):
            codes = self.values.codes.T
            return _as_weights(codes, np.ones(len(codes), np.float16), self.values.bits)
        return Fp16Weights().encode(self.values.T)

    @property
    def value_scales(self) -> Half | None:
        """What P is multiplied by; None where values are FP16."""
        return self.values.scales if isinstance(self.values, TokenIntegers) else None


def _part(tensor: TokenIntegers | Half, tokens: slice) -> TokenIntegers | Half:
    if isinstance(tensor, TokenIntegers):
        return TokenIntegers(tensor.codes[tokens], tensor.scales[tokens], tensor.bits)
    return tensor[tokens]


def _as_weights(codes: NDArray[np.int8], scales: Half, bits: int) -> IntegerTensor:
    """Columns of symmetric integers, each a group of its own."""
    zero = np.uint8(1 << bits - 1)
    shifted = (codes.astype(np.int16) + np.int16(zero)).astype(np.uint8)[:, np.newaxis]
    return IntegerTensor(shifted, scales[:, np.newaxis], np.full((len(codes), 1), zero), codes.shape[1], bits)


@dataclass(frozen=True)
class AttentionArithmetic:
    """How a machine computes an attention.

    Parameters
    ----------
    query_bits, probability_bits
        Mantissa lengths; None: the PEs have none to choose.
    group_size
        Keys of a group, the PEs' `dot_length`.
    key_block
        Keys of a block at most, as the plan cuts them (sim/mapping/attention.py).
    """

    pe: AttentionMultiplier
    query_bits: int | None
    probability_bits: int | None
    group_size: int
    key_block: int

    def attend(self, queries: Half, head: CachedHead, visible: NDArray[np.bool_]) -> AttentionOutput:
        """A row block over all keys of a head.

        Parameters
        ----------
        queries : (rows, head size)
            After rotation, with the factor of the softmax's contract.
        visible : (rows, tokens)
            Which keys a row sees.

        Raises
        ------
        InputError
            For Inf or NaN, a row that sees no key, and what the PEs do not multiply.
        """
        if visible.shape != (len(queries), head.tokens):
            raise InputError(f"a mask of {visible.shape}", facts={"expected": f"{(len(queries), head.tokens)}"})
        softmax = OnlineSoftmax(len(queries), head.value_size, self.group_size)
        for first in range(0, head.tokens, self.key_block):
            keys = slice(first, min(first + self.key_block, head.tokens))
            block = head.part(keys)
            scores = self._product(queries, block.key_columns, self.query_bits)
            made = softmax.weigh(scores, visible[:, keys], block.value_scales)
            softmax.add(self._product(made.weights, block.value_columns, self.probability_bits), made.rescale)
        return softmax.finish()

    def _product(self, activations: Half, weights: WeightTensor, mantissa_bits: int | None) -> Half:
        with np.errstate(over="ignore"):
            return self.pe.multiply(activations, weights, mantissa_bits).astype(np.float16)

    def attend_by_pages(self, queries: Half, head: CachedHead, visible: NDArray[np.bool_], page_tokens: int) -> Half:
        """Outputs (query heads, tokens, value size) of neighbouring tokens of a sequence, in pages as they run.

        Key blocks begin with the oldest page that a query of the page sees: some neighbouring pages with one beginning
        are done at once, which changes no value.
        """
        heads, tokens, _ = queries.shape
        outputs = np.empty((heads, tokens, head.value_size), np.float16)
        begins = [
            int(np.argmax(visible[first : first + page_tokens].any(axis=0))) // page_tokens * page_tokens
            for first in range(0, tokens, page_tokens)
        ]
        page = 0
        while page < len(begins):
            last = page
            while last + 1 < len(begins) and begins[last + 1] == begins[page] and last - page < PAGES_AT_ONCE - 1:
                last += 1
            rows = slice(page * page_tokens, min((last + 1) * page_tokens, tokens))
            keys = slice(begins[page], int(np.flatnonzero(visible[rows].any(axis=0)).max(initial=0)) + 1)
            block = queries[:, rows].reshape(-1, queries.shape[-1])
            mask = np.tile(visible[rows, keys], (heads, 1))
            found = self.attend(block, head.part(keys), mask)
            outputs[:, rows] = found.outputs.reshape(heads, -1, head.value_size)
            page = last + 1
        return outputs
