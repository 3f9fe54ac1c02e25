"""Machine code as text, by nvdisasm, to see which Tensor Core instruction a product became."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path


def disassembler() -> Path | None:
    """nvdisasm of the package nvidia-cuda-nvdisasm, or on the path."""
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        for tool in Path(folder).glob("*/bin/nvdisasm"):
            return tool
    found = shutil.which("nvdisasm")
    return Path(found) if found else None


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


def opcodes(cubin: bytes, function: str) -> Counter[str]:
    """How often each opcode, with its modifiers, stands in one function."""
    body = functions(cubin)[function]
    return Counter(re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?\w+\s+)?([A-Z][A-Z0-9_.]*)", body))
