"""A GGUF file as data: its keys and its tensors, read by the `gguf` package, whatever is damaged refused.

A tensor's own type says how it is stored: F32, F16, BF16, or blocks along K (sim/formats/weights/gguf.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError, Place, nearest_name
from sim.formats.integer import IntegerTensor
from sim.formats.weight import WeightFormat
from sim.formats.weights.gguf import Q4_0, Q4_1, Q8_0

FLOATS = ("F64", "F32", "F16", "BF16")
BLOCKS: dict[str, WeightFormat] = {"Q4_0": Q4_0(), "Q4_1": Q4_1(), "Q8_0": Q8_0()}
MISSING = {
    "Q5": "a fifth bit apart from the nibbles",
    "IQ": "weights by codebooks",
    "TQ": "ternary weights",
    "MXFP4": "4-bit floating-point weights under shared exponents",
    "NVFP4": "4-bit floating-point weights under 8-bit scales",
    "_K": "blocks of 256 weights under scales of 4 to 8 bits",
}
"""What this simulator lacks for a type, by a part of its name."""


@dataclass(frozen=True, eq=False)
class GgufTensor:
    """A tensor of a file.

    Attributes
    ----------
    kind
        Its type's name.
    shape
        As numpy has it: (outputs, K) of a matrix.
    stored : (..., bytes of a row) or values
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    stored: NDArray[Any]
    place: Place

    @property
    def format(self) -> WeightFormat | None:
        """Of integers in blocks that PEs may take as they are; None: values."""
        return BLOCKS.get(self.kind)

    def integers(self) -> IntegerTensor:
        """The integers and scales of its blocks; an InputError for scales that are Inf or NaN."""
        assert self.format is not None
        try:
            tensor = self.format.from_image(self.stored.tobytes(), (self.shape[0], self.shape[1]))
        except InputError as error:
            field = f"{self.name}: {error.field}"
            raise InputError(error.problem, place=self.place, field=field, facts=error.facts) from None
        assert isinstance(tensor, IntegerTensor)
        return tensor

    def values(self) -> NDArray[np.float32]:
        """Its values in binary32."""
        import gguf

        if self.format is not None and len(self.shape) == 2:
            return self.integers().dequantise()
        with blamed(self.place.file):
            decoded = gguf.quants.dequantize(self.stored, gguf.GGMLQuantizationType[self.kind])
        return np.array(decoded, np.float32).reshape(self.shape)

    def refuse(self) -> InputError:
        """An error for a layer whose type no number format stands for."""
        missing = next((told for part, told in MISSING.items() if part in self.kind), "its packing")
        facts = {"missing": missing, "allowed": ", ".join((*BLOCKS, *FLOATS))}
        problem = f"weights of type {self.kind} are not modelled"
        return InputError(problem, place=self.place, field=self.name, facts=facts)


@contextmanager
def blamed(file: str) -> Iterator[None]:
    """Whatever the package raises while it reads is said of the file: its headers and types may hold anything."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"not a GGUF file, or a damaged one: {told:.200}", place=Place(file)) from error


class GgufFile:
    """A file whose header has been read.

    Raises
    ------
    InputError
        Where the package is missing, or the file is damaged or cut off.
    """

    def __init__(self, path: Path) -> None:
        if find_spec("gguf") is None:
            raise InputError("gguf not installed", facts={"mend": "pip install 'anda-sim[gguf]'"})
        if not path.is_file():
            raise InputError("no such file", place=Place(str(path)))
        self.place = Place(str(path))
        with blamed(str(path)):
            self._reader = _reader()(path)

    @cached_property
    def keys(self) -> dict[str, Any]:
        """Values by key; a list of a vocabulary's size among them."""
        with blamed(self.place.file):
            told = {name: field.contents() for name, field in self._reader.fields.items()}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in told.items()}

    @cached_property
    def tensors(self) -> dict[str, GgufTensor]:
        """By name."""
        return {
            one.name: GgufTensor(
                one.name, one.tensor_type.name, tuple(int(n) for n in one.shape[::-1]), one.data, self.place
            )
            for one in self._reader.tensors
        }

    def text(self, key: str, allowed: tuple[str, ...]) -> str:
        """The value of a key that must be one of a few names."""
        found = self.keys.get(key)
        if found not in allowed:
            problem = "missing" if found is None else f"{found!r:.80} is not modelled"
            nearest = nearest_name(str(found), allowed)
            raise InputError(
                problem, place=self.place, field=key, nearest=nearest, facts={"allowed": ", ".join(allowed)}
            )
        return str(found)


def _reader() -> Any:
    """The package's reader, on plain arrays, which are faster than maps, and refusing to read past the end."""
    import gguf

    class CheckedReader(gguf.GGUFReader):
        @property
        def data(self) -> Any:
            return self._bytes

        @data.setter
        def data(self, mapped: Any) -> None:
            self._bytes = mapped.view(np.ndarray)

        def _get(self, offset: int, dtype: Any, count: int = 1, override_order: Any = None) -> NDArray[Any]:
            if not 0 <= int(offset) <= int(offset) + int(count) * np.dtype(dtype).itemsize <= len(self.data):
                raise ValueError("ends before what its header says")
            found: NDArray[Any] = super()._get(offset, dtype, count, override_order)
            return found

    return CheckedReader
