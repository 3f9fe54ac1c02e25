"""Kernel sources as one text each: the compilers of a card cache by text and do not see what an include brings."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "kernels"
_INCLUDE = re.compile(r'#include "(\w+\.cuh)"')


def text(name: str) -> str:
    """`kernels/NAME.cu` with its shared headers in place, each once."""
    return _expanded(f"{name}.cu", set())


def _expanded(file: str, seen: set[str]) -> str:
    lines: list[str] = []
    for line in (FOLDER / file).read_text(encoding="utf-8").splitlines():
        include = _INCLUDE.match(line)
        if include is None:
            if line != "#pragma once":
                lines.append(line)
        elif include[1] not in seen:
            seen.add(include[1])
            lines.append(_expanded(include[1], seen))
    return "\n".join(lines)


def names() -> list[str]:
    """All kernels, by file."""
    return sorted(path.stem for path in FOLDER.glob("*.cu"))


def fingerprint(name: str) -> str:
    """Sixteen hexadecimal digits that change with the text of a kernel."""
    return hashlib.sha256(text(name).encode()).hexdigest()[:16]


def functions(source: str) -> list[str]:
    """Names of the kernels that a text defines."""
    return re.findall(r'extern "C" __global__ void (?:__launch_bounds__\([^)]*\)\s*)?(\w+)\(', source)
