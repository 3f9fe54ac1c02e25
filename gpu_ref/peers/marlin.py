"""MARLIN: compiled from its own source into a bundle, called as a C function; symmetric weights, groups of 128.

Its weight format, from marlin/__init__.py of the source: tiles of 16 x 16, 1024 codes permuted to the order of the
product's fragments, eight a word interleaved; scales permuted in blocks of 64 columns.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpu_ref.peers.peer import Made, Peer, Tensor, Torch
from gpu_ref.peers.torch_kernels import CHECKED_COLUMNS, GROUP
from gpu_ref.program import GemmShape
from sim.errors import InputError

LIBRARY = Path(__file__).parent / "libmarlin.so"
_WRAPPER = Path(__file__).parent / "marlin.cu"
_KERNEL = "marlin_cuda_kernel.cu"


def build(source: Path, library: Path, architectures: list[str]) -> None:
    """Compile MARLIN.

    Raises
    ------
    InputError
        Where the source or nvcc is missing, or nvcc refuses it.
    """
    found = next(iter(sorted(source.rglob(_KERNEL))), None)
    nvcc = shutil.which("nvcc")
    if found is None or nvcc is None:
        missing = f"{_KERNEL} under {source}" if found is None else "nvcc"
        raise InputError(f"MARLIN cannot be compiled without {missing}", field="--marlin")
    targets = [f"-gencode=arch=compute_{name[3:]},code={name}" for name in architectures]
    options = ["-O3", "-std=c++17", "--expt-relaxed-constexpr", "-shared", "-Xcompiler", "-fPIC", "-w"]
    command = [nvcc, *options, *targets, f"-I{found.parent}", str(_WRAPPER), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"nvcc refused MARLIN: {done.stderr.strip().splitlines()[-1]}", field="--marlin")


def _order() -> NDArray[np.intp]:
    """Where each of the 1024 codes of four tiles side by side comes from."""
    lane, tile, block, row = np.ix_(range(32), range(4), range(2), range(4))
    rows = 2 * (lane % 4) + row % 2 + 8 * (row // 2)
    places = 16 * rows + lane // 4 + 8 * block + 256 * tile
    return places.reshape(-1, 8)[:, [0, 2, 4, 6, 1, 3, 5, 7]].ravel()


def pack(codes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Codes of shape (depth, columns) in MARLIN's order, (depth / 16, 2 columns)."""
    depth, columns = codes.shape
    tiles = codes.reshape(depth // 16, 16, columns // 16, 16).transpose(0, 2, 1, 3).reshape(depth // 16, columns * 16)
    ordered = tiles.reshape(-1, 1024)[:, _order()].reshape(depth // 16, -1, 8).astype(np.uint32)
    words: NDArray[np.uint32] = (ordered << np.arange(0, 32, 4, dtype=np.uint32)).sum(axis=-1, dtype=np.uint32)
    return words.view(np.int32)


def pack_scales(scales: NDArray[np.float16]) -> NDArray[np.float16]:
    """Scales of shape (groups, columns)."""
    order = np.arange(64).reshape(8, 8).T.ravel()
    return np.ascontiguousarray(scales.reshape(-1, 64)[:, order].reshape(scales.shape))


def make(torch: Torch, shape: GemmShape, device: str) -> Made:
    if not LIBRARY.exists():
        raise InputError("MARLIN is not in this bundle: `gpu bundle --marlin SOURCE` compiles it")
    library = ctypes.CDLL(str(LIBRARY))
    rng = np.random.default_rng()
    codes = rng.integers(0, 16, (shape.depth, shape.columns), np.uint8)
    scales = rng.uniform(2**-8, 2**-7, (shape.depth // GROUP, shape.columns)).astype(np.float16)
    left = torch.randn(shape.tokens, shape.depth, device=device, dtype=torch.float16)
    result = torch.empty(shape.tokens, shape.columns, device=device, dtype=torch.float16)
    locks = torch.zeros(shape.columns // 128 * 16, device=device, dtype=torch.int32)
    few = (codes[:, :CHECKED_COLUMNS].astype(np.float64) - 8).reshape(-1, GROUP, CHECKED_COLUMNS)
    values = (few * scales[:, np.newaxis, :CHECKED_COLUMNS]).reshape(shape.depth, -1).T

    def call(a: Tensor, w: tuple[Tensor, ...]) -> Tensor:
        pointers = [ctypes.c_void_p(one.data_ptr()) for one in (a, w[0], result, w[1])]
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        sizes = (shape.tokens, shape.columns, shape.depth)
        status = library.marlin_multiply(*pointers, *sizes, ctypes.c_void_p(locks.data_ptr()), stream)
        if status:
            raise RuntimeError(f"marlin_cuda returned {status}")
        return result

    weights = (torch.from_numpy(pack(codes)).to(device), torch.from_numpy(pack_scales(scales)).to(device))
    return Made(left, weights, call, left.double().cpu(), torch.from_numpy(np.ascontiguousarray(values)))


PEER = Peer("marlin", "marlin", "f16", 2.0**-9, (256, 128), make)
