"""Machine code as text, by nvdisasm: which Tensor Core instruction a product became, and what a main loop costs."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"/\*([0-9a-f]{4,})\*/\s+((?:@!?\w+\s+)?)([A-Z][A-Z0-9_.]*)(.*?);")
_LABEL = re.compile(r"^\.(L_\w+):", re.MULTILINE)


@dataclass(frozen=True)
class Loop:
    """The instructions from a loop's head to its branch back, branches within taken or not."""

    opcodes: Counter[str]

    @property
    def instructions(self) -> int:
        return sum(self.opcodes.values())

    def count(self, prefix: str) -> int:
        """Instructions whose name begins so."""
        return sum(count for name, count in self.opcodes.items() if name.startswith(prefix))


def disassembler() -> Path | None:
    """nvdisasm of the package nvidia-cuda-nvdisasm, or on the path."""
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for tool in Path(folder).glob("*/bin/nvdisasm"):
            return tool
    found = shutil.which("nvdisasm")
    return Path(found) if found else None


def opcodes(cubin: bytes, function: str) -> Counter[str]:
    """How often each opcode, with its modifiers, stands in one function."""
    return Counter(found[3] for found in _LINE.finditer(functions(cubin)[function]))


def main_loop(cubin: bytes, function: str, product: str) -> Loop:
    """The smallest loop that holds the most instructions `product`.

    Raises
    ------
    ValueError
        Where no loop holds one.
    """
    body = functions(cubin)[function]
    heads = {label[1]: label.start() for label in _LABEL.finditer(body)}
    lines = list(_LINE.finditer(body))
    loops: list[Loop] = []
    for line in lines:
        target = re.search(r"`\(\.(L_\w+)\)", line[4])
        if line[3].startswith("BRA") and target and heads[target[1]] < line.start():
            inside = [one[3] for one in lines if heads[target[1]] <= one.start() <= line.start()]
            loops.append(Loop(Counter(inside)))
    holding = [loop for loop in loops if loop.count(product)]
    if not holding:
        raise ValueError(f"no loop of {function} holds {product}")
    return min(holding, key=lambda loop: (-loop.count(product), loop.instructions))


def functions(cubin: bytes) -> dict[str, str]:
    """The text of every function."""
    tool = disassembler()
    if tool is None:
        raise FileNotFoundError("nvdisasm")
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        text = subprocess.run([str(tool), "-c", file.name], capture_output=True, text=True, check=True).stdout
    sections = re.split(r"^\.text\.(\w+):$", text, flags=re.MULTILINE)
    return dict(zip(sections[1::2], sections[2::2], strict=True))
