"""FP16 products by cuBLAS through ctypes: a handle with its own stream and workspace, so that graphs may be captured.

CuPy refuses every cuBLAS call while a stream captures; cuBLAS itself permits it where it need not allocate: with a
workspace of the user's (cuBLAS documentation, "CUDA Graphs Support").
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from pathlib import Path

from sim.errors import InputError

WORKSPACE_BYTES = 32 * 2**20  # what cuBLAS recommends for Hopper, more than elsewhere
_R_16F, _COMPUTE_32F, _DEFAULT = 2, 68, -1
_PLAIN, _TRANSPOSED = 0, 1
_SHORT = {1: "not initialised", 3: "allocation failed", 7: "invalid value", 8: "architecture mismatch",
          13: "execution failed", 14: "internal error", 15: "not supported"}  # fmt: skip


class Cublas:
    """The library on one stream.

    Parameters
    ----------
    stream
        The CUDA stream, as an integer.
    workspace
        Address of WORKSPACE_BYTES of device memory that outlives this object.

    Raises
    ------
    InputError
        Where the library is not found.
    """

    def __init__(self, stream: int, workspace: int) -> None:
        self._library = _load()
        self._handle = ctypes.c_void_p()
        self._one, self._zero = ctypes.c_float(1), ctypes.c_float(0)
        self._call("cublasCreate_v2", ctypes.byref(self._handle))
        # In this order: setting the stream takes the workspace away.
        self._call("cublasSetStream_v2", self._handle, ctypes.c_void_p(stream))
        self._call("cublasSetWorkspace_v2", self._handle, ctypes.c_void_p(workspace), ctypes.c_size_t(WORKSPACE_BYTES))

    def version(self) -> str:
        """Such as 13.0.2."""
        found = ctypes.c_int()
        self._call("cublasGetVersion_v2", self._handle, ctypes.byref(found))
        return f"{found.value // 10000}.{found.value // 100 % 100}.{found.value % 100}"

    def multiply(self, left: int, right: int, result: int, tokens: int, columns: int, depth: int) -> None:
        """Result[tokens, columns] = left[tokens, depth] right[columns, depth]^T at device addresses, all FP16."""
        # cuBLAS counts columns first: result^T = right left^T, all three as they lie.
        self._call(
            "cublasGemmEx",
            *(self._handle, _TRANSPOSED, _PLAIN, columns, tokens, depth),
            *(ctypes.byref(self._one), ctypes.c_void_p(right), _R_16F, depth),
            *(ctypes.c_void_p(left), _R_16F, depth),
            *(ctypes.byref(self._zero), ctypes.c_void_p(result), _R_16F, columns),
            *(_COMPUTE_32F, _DEFAULT),
        )

    def _call(self, function: str, *arguments: object) -> None:
        status = getattr(self._library, function)(*arguments)
        if status:
            raise RuntimeError(f"{function}: {_SHORT.get(status, 'status')} ({status})")


def _load() -> ctypes.CDLL:
    tried: list[str] = []
    for candidate in _candidates():
        try:
            return ctypes.CDLL(candidate)
        except OSError as error:
            tried.append(str(error))
    facts = {"needed": "cuBLAS, as the Python package nvidia-cublas, in a CUDA toolkit, or on LD_LIBRARY_PATH"}
    raise InputError("cuBLAS was not found", facts=facts)


def _candidates() -> list[str]:
    spec = importlib.util.find_spec("nvidia")
    wheels = [Path(folder) for folder in (spec.submodule_search_locations if spec else None) or ()]
    toolkits = [Path(os.environ[name]) for name in ("CUDA_PATH", "CUDA_HOME") if name in os.environ]
    toolkits.append(Path("/usr/local/cuda"))
    found = [str(path) for folder in wheels for path in sorted(folder.glob("*/lib/libcublas.so.*"), reverse=True)]
    found += [str(path) for folder in toolkits for path in sorted(folder.glob("lib64/libcublas.so.*"), reverse=True)]
    return [*found, "libcublas.so.13", "libcublas.so.12"]
