"""What a format of weights says of itself: the machine, its memory, the PEs, the values and the files ask it.

A kind is one frozen dataclass in a file of sim/formats/weights, or of a plug-in (sim/plugins.py); its fields are the
keys that `weights` of a model YAML takes beside `format`. How its codes become products is its PEs' business: they ask
for `integers`, `span` and `minimum`, and take the values in digits (`IntegerTensor.slices`) or as FP16.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from sim.errors import InputError, nearest_name
from sim.plugins import Seam

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Grouping = int | Literal["channel", "tensor"]
"""Weights along K under one scale: a number of them, a whole column, or all weights."""


class WeightTensor(Protocol):
    """Weights of shape (columns, K) in some format."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def rows(self, which: slice) -> Self:
        """The weights of some of the columns."""
        ...

    def decode(self) -> NDArray[np.float64]:
        """The values, exact."""
        ...

    def dequantise_fp16(self) -> NDArray[np.float16]:
        """The values, rounded to FP16 once."""
        ...


class WeightFormat(ABC):
    """Weights of a GeMM as they are stored.

    Attributes
    ----------
    kind
        Its name in `weights.format`.
    summary
        One line for `sim.py list`.
    bits
        Of a code, as it is stored; what is claimed where a weight is said to have so many bits.
    integers
        Whether a weight is an integer, code - zero, under a scale; `encode` then gives an `IntegerTensor`.
    minimum
        Whether a number of its own is added to the integers of a group.
    half
        Whether the values, rounded, are FP16 numbers.
    nested
        Whether fewer bits than are stored can be read.
    span
        Values along K under one scale; None: all of a column, or of the tensor.
    """

    plugs_into: ClassVar[str] = "weights"
    kind: ClassVar[str]
    summary: ClassVar[str]
    bits: int
    integers: ClassVar[bool] = False
    minimum: bool = False
    half: ClassVar[bool] = True
    nested: ClassVar[bool] = False
    span: int | None = None

    @property
    def read_bits(self) -> int:
        """Bits of a weight that are read, and sent through the weight port."""
        return self.bits

    @property
    def filled(self) -> bool:
        """Whether a machine fills up what is not read: hardware of its own (`weight_dispatcher.fills_planes`)."""
        return False

    @property
    def factor_bits(self) -> int:
        """Bits of the integer that a PE multiplies."""
        return self.read_bits

    @abstractmethod
    def column_bits(self, values: int) -> int:
        """Bits that are read from memory for `values` weights of a column, with the scales and offsets they begin."""

    def stored_column_bits(self, values: int) -> int:
        """Bits that they take in memory, read or not."""
        return self.column_bits(values)

    def side_bits(self, values: int) -> int:
        """Bits of scales and offsets that come to a PE with `values` weights, beside the weight port."""
        return 0

    @abstractmethod
    def encode(self, weights: NDArray[np.floating[Any]]) -> WeightTensor:
        """Weights of shape (columns, K) in this format.

        Raises
        ------
        InputError
            For Inf or NaN, and for what the format cannot hold.
        """

    def read(self, weights: Any) -> WeightTensor:
        """What a machine multiplies of a tensor that `encode` or `from_image` made: all of it, or some planes."""
        tensor: WeightTensor = weights
        return tensor

    @abstractmethod
    def image(self, weights: Any) -> bytes:
        """The bytes of a tensor that `encode` or `from_image` made."""

    @abstractmethod
    def from_image(self, image: bytes, shape: tuple[int, int]) -> WeightTensor:
        """Undo `image` for weights of shape (columns, K).

        Raises
        ------
        InputError
            For an image of another size.
        """

    def of_bits(self, bits: int) -> WeightFormat:
        """Weights of so many bits: as many planes of those stored, or another width.

        Raises
        ------
        InputError
            For a format of one width, or bits that it does not have.
        """
        facts = {"found": str(self), "needed": "a format with widths to choose: planes, integer"}
        raise InputError(f"weights of format {self.kind} have one width", field="weight_bits", facts=facts)

    def stored_bits(self, values: int) -> Fraction:
        """Bits a weight, with its share of all else, in columns of `values`."""
        return Fraction(self.stored_column_bits(values), values)

    def __str__(self) -> str:
        return self.kind


WEIGHTS: Seam[type[WeightFormat]] = Seam("weights", "weight format", "sim.formats.weights", key="kind")


def make(kind: str, keys: Mapping[str, Any]) -> WeightFormat:
    """The format of a kind with some of its keys.

    Raises
    ------
    InputError
        For an unknown kind, a key that it does not have, or values that exclude one another.
    """
    found = WEIGHTS.find(kind)
    if found is None:
        allowed = {"allowed": ", ".join(WEIGHTS.names())}
        nearest = nearest_name(kind, WEIGHTS.names())
        raise InputError(f"no weight format {kind!r}", field="format", nearest=nearest, facts=allowed)
    own = {field.name for field in fields(found)}  # type: ignore[arg-type]
    for key, value in keys.items():
        if key not in own and not (key == "bits" and value == getattr(found, "bits", None)):
            raise InputError(
                f"weights of format {kind} have no {key} to choose",
                field=key,
                facts={"allowed": ", ".join(sorted(own)) or "nothing"},
            )
    return found(**{key: value for key, value in keys.items() if key in own})
