"""Arrays that end where an unreadable page begins, and begin soon after one."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from gpu_ref.program import Array

_PROT_NONE = 0
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_ALIGNMENT = 16


@contextmanager
def guarded(contents: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """Copies of arrays in guarded memory; they are gone with the context."""
    mapped: list[tuple[int, int]] = []
    try:
        yield {name: _copy(content, mapped) for name, content in contents.items()}
    finally:
        for address, size in mapped:
            _LIBC.munmap(address, size)


def _copy(content: Array, mapped: list[tuple[int, int]]) -> Array:
    page = mmap.PAGESIZE
    room = -(-content.nbytes // _ALIGNMENT) * _ALIGNMENT
    pages = -(-room // page)
    size = (pages + 2) * page
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    base = _LIBC.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if base == ctypes.c_void_p(-1).value:
        raise MemoryError(f"{size} bytes")
    mapped.append((base, size))
    _LIBC.mprotect(base, page, _PROT_NONE)
    _LIBC.mprotect(base + (pages + 1) * page, page, _PROT_NONE)
    start = base + (pages + 1) * page - room
    memory = memoryview((ctypes.c_uint8 * content.nbytes).from_address(start))
    array: Array = np.frombuffer(memory, content.dtype).reshape(content.shape)
    array[...] = content
    return array
