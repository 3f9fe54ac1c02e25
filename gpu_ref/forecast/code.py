"""A kernel's machine code as far as its time hangs on it: the loop around the Tensor Core instructions.

    head | main loop: products, dequantising, copies of later steps | tail

How often the loop runs is not in the code, but how many products a GeMM needs is known: iterations = products a warp
owes / products an iteration. Every instruction of an iteration counts once, of loops inside it too, and so does every
one of head and tail: exact where inner loops are unrolled, else near.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?\w+\s+)?([A-Z][\w.]*)([^;]*);")
_LABEL = re.compile(r"^(\.L_x_\d+):")
_TARGET = re.compile(r"\.L_x_\d+")
_WARP = {"16816": 16 * 8 * 16, "1688": 16 * 8 * 8, "16832": 16 * 8 * 32, "16864": 16 * 8 * 64, "168256": 16 * 8 * 256}
_WARPGROUP = re.compile(r"(\d+)x(\d+)x(\d+)")


@dataclass(frozen=True)
class TensorInstruction:
    """A Tensor Core instruction: its family (HMMA, IGMMA ...) and multiplications for each warp that issues it."""

    family: str
    macs: int


@dataclass(frozen=True)
class Code:
    """What a warp issues.

    Attributes
    ----------
    once
        Instructions outside the main loop.
    iteration
        Instructions of one iteration; 0 where there are no products.
    products
        Of one iteration.
    """

    once: int
    iteration: int
    products: tuple[TensorInstruction, ...]

    @property
    def macs(self) -> int:
        """Multiplications of one iteration of one warp."""
        return sum(product.macs for product in self.products)

    @property
    def family(self) -> str:
        return self.products[0].family

    def issued(self, macs_of_a_warp: float) -> float:
        """Instructions of a warp that owes so many multiplications."""
        return self.once + (self.iteration * macs_of_a_warp / self.macs if self.products else 0.0)


def product(opcode: str) -> TensorInstruction | None:
    """The Tensor Core instruction that an opcode is, if it is one."""
    family = opcode.split(".")[0]
    if not family.endswith("MMA"):
        return None
    tile = _WARPGROUP.search(opcode)
    if tile:  # four warps issue it together, each a quarter
        return TensorInstruction(family, int(tile[1]) * int(tile[2]) * int(tile[3]) // 4)
    size = next((part for part in opcode.split(".")[1:] if part in _WARP), None)
    if size is None:
        raise ValueError(f"{opcode}: a product of unknown size")
    return TensorInstruction(family, _WARP[size])


def read(text: str) -> Code:
    """What nvdisasm prints of one function, as head, main loop and tail."""
    opcodes: list[str] = []
    labels: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    for line in text.splitlines():
        label, instruction = _LABEL.match(line), _LINE.search(line)
        if label:
            labels[label[1]] = len(opcodes)
        elif instruction:
            target = _TARGET.search(instruction[2])
            if instruction[1].startswith("BRA") and target and target[0] in labels:
                loops.append((labels[target[0]], len(opcodes) + 1))
            opcodes.append(instruction[1])
    found = [product(opcode) for opcode in opcodes]
    at = [index for index, one in enumerate(found) if one is not None]
    around = [(begin, end) for begin, end in loops if at and begin <= at[0] and at[-1] < end]
    if not around:
        return Code(len(opcodes), 0, ())
    begin, end = min(around, key=lambda loop: loop[1] - loop[0])
    return Code(len(opcodes) - (end - begin), end - begin, tuple(one for one in found if one is not None))
