"""Codes of small floats and of blocks by packages of others; run by hand, no test does.

    pip install --no-deps ml-dtypes==0.6.0 torchao==0.18.0 bitsandbytes==0.50.2      # beside torch
    python -m tests.formats.small_floats.make

witnesses.json gets the SHA-256 of every package's codes, a byte each: of ml_dtypes for all FP16 numbers that the type
does not overflow at, of torchao for blocks of `weights` (codes [columns, K] and scales [columns, blocks]), of
bitsandbytes for NF4 (codes, and scales in binary32, little-endian).
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from tests.formats.small_floats.numbers import every_half, weights

FILE = Path(__file__).with_name("witnesses.json")
TYPES = {
    "E2M1": "float4_e2m1fn", "E2M3": "float6_e2m3fn", "E3M2": "float6_e3m2fn", "E4M3": "float8_e4m3fn",
    "E5M2": "float8_e5m2",
}  # fmt: skip


def digest(values: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def ml_dtypes_codes() -> dict[str, Any]:
    import ml_dtypes  # type: ignore[import-not-found]

    found = {}
    for name, type_name in TYPES.items():
        number = getattr(ml_dtypes, type_name)
        largest = float(ml_dtypes.finfo(number).max)
        inputs = every_half()
        inputs = inputs[np.abs(inputs.astype(np.float64)) <= largest]
        codes = np.arange(1 << ml_dtypes.finfo(number).bits, dtype=np.uint8)
        values = codes.view(number).astype(np.float64)
        found[name] = {
            "inputs": len(inputs),
            "codes_sha256": digest(inputs.astype(number).view(np.uint8)),
            "values_sha256": digest(np.where(np.isfinite(values), values, np.nan).astype("<f8")[np.isfinite(values)]),
        }
    return found


def torchao_blocks() -> dict[str, Any]:
    import torch
    from torchao.prototype.mx_formats.constants import (  # type: ignore[import-not-found]
        DTYPE_FP6_E2M3,
        DTYPE_FP6_E3M2,
    )
    from torchao.prototype.mx_formats.kernels import unpack_uint4  # type: ignore[import-not-found]
    from torchao.prototype.mx_formats.mx_tensor import to_mx  # type: ignore[import-not-found]
    from torchao.prototype.mx_formats.nvfp4_tensor import (  # type: ignore[import-not-found]
        nvfp4_quantize,
        per_tensor_amax_to_scale,
    )

    data = torch.from_numpy(weights())
    types = {
        "mxfp4": torch.float4_e2m1fn_x2, "mxfp6_e2m3": DTYPE_FP6_E2M3, "mxfp6_e3m2": DTYPE_FP6_E3M2,
        "mxfp8_e4m3": torch.float8_e4m3fn, "mxfp8_e5m2": torch.float8_e5m2,
    }  # fmt: skip
    found = {}
    for kind, type_ in types.items():
        scales, codes = to_mx(data, type_, 32)
        codes = unpack_uint4(codes) if kind == "mxfp4" else codes
        found[kind] = (codes.view(torch.uint8).reshape(data.shape), scales.view(torch.uint8))
    whole = per_tensor_amax_to_scale(data.abs().max())
    scales, codes = nvfp4_quantize(data, 16, whole)
    found["nvfp4"] = (unpack_uint4(codes).reshape(data.shape), scales.view(torch.uint8))
    return {
        kind: {"codes_sha256": digest(codes.numpy()), "scales_sha256": digest(scales.numpy())}
        for kind, (codes, scales) in found.items()
    } | {"whole": float(whole)}


def bitsandbytes_blocks() -> dict[str, Any]:
    import torch
    from bitsandbytes.functional import quantize_4bit  # type: ignore[import-not-found]

    packed, state = quantize_4bit(
        torch.from_numpy(weights()), blocksize=64, quant_type="nf4", compress_statistics=False
    )
    pairs = packed.reshape(-1).numpy()
    codes = np.stack([pairs >> 4, pairs & 15], axis=-1).reshape(weights().shape)
    return {
        "codes_sha256": digest(codes.astype(np.uint8)),
        "scales_sha256": digest(state.absmax.numpy().astype("<f4")),
        "table_sha256": digest(state.code.numpy().astype("<f4")),
    }


def main() -> None:
    """Write the file."""
    told = {
        "ml_dtypes": {"version": version("ml-dtypes"), "types": ml_dtypes_codes()},
        "torchao": {"version": version("torchao"), "formats": torchao_blocks()},
        "bitsandbytes": {"version": version("bitsandbytes"), "nf4": bitsandbytes_blocks()},
    }
    FILE.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
