"""Machine code of modules on disk, so that a module is compiled once for all processes, or was compiled elsewhere.

FOLDER/sm_90a/w4a16 TOKENS=16 ... .0123456789abcdef.cubin      the digits are those of the source's text
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gpu_ref import nvrtc, sources
from gpu_ref.program import KernelModule
from sim.errors import InputError

BUNDLED = Path(__file__).parent.parent / "cubins"
"""Where a bundle keeps what was compiled for it."""


def cache() -> Path:
    """Where a machine keeps what it compiled itself."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "anda-sim" / "cubins"


@dataclass(frozen=True)
class Cubins:
    """Folders that are looked through in order; what is in none of them is compiled into the last."""

    folders: tuple[Path, ...] = ()

    @classmethod
    def of_this_machine(cls) -> Cubins:
        return cls((BUNDLED, cache()))

    def path(self, module: KernelModule, architecture: str) -> Path:
        """The machine code of a module.

        Raises
        ------
        InputError
            Where it is in no folder and NVRTC is not installed: what the folders hold is told.
        """
        name = f"{module}.{sources.fingerprint(module.source)}.cubin"
        for folder in self.folders:
            if (folder / architecture / name).is_file():
                return folder / architecture / name
        if not nvrtc.is_installed():
            held = sorted({path.name for folder in self.folders for path in folder.glob("sm_*")})
            facts = {"needed": f"{module} for {architecture}, or the Python package nvidia-cuda-nvrtc to compile it"}
            raise InputError("no machine code for this card", facts={**facts, "there is": ", ".join(held) or "none"})
        return self.store(module, architecture)

    def store(self, module: KernelModule, architecture: str) -> Path:
        """Compile a module into the last folder."""
        compiled = nvrtc.compile_module(module, architecture)
        path = self.folders[-1] / architecture / f"{module}.{sources.fingerprint(module.source)}.cubin"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        partial.write_bytes(compiled.cubin)
        partial.replace(path)
        return path
