"""Random content of timing buffers, by a kernel of our own: CuPy's generators want cuRAND and a compiler."""

from __future__ import annotations

from gpu_ref.program import Filled, KernelModule, Launch

_KINDS = {"bits": 0, "bytes": 0, "e4m3": 1, "exponents": 2, "scales": 3, "normal": 4, "outliers": 6}
_NORMAL_F32 = 5


def modules() -> tuple[KernelModule, ...]:
    """All that filling may launch."""
    return tuple(KernelModule("fill", (("KIND", kind),)) for kind in range(7))


def fill(item: Filled, seed: int, buffer: str = "to") -> Launch:
    """The launch that fills a buffer, whose room is a multiple of four bytes."""
    wide = item.fill == "normal" and item.dtype == "f4"
    module = KernelModule("fill", (("KIND", _NORMAL_F32 if wide else _KINDS[item.fill]),))
    words = -(-item.nbytes // 4)
    return Launch(module, "fill", (-(-words // 256), 1, 1), 256, (buffer, words, seed, item.shape[-1]))
