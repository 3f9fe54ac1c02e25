"""GemLite (Triton), where it is installed: W4A16, groups of 128, zero points."""

from __future__ import annotations

from gpu_ref.peers.peer import Made, Peer, Tensor, Torch
from gpu_ref.peers.torch_kernels import CHECKED_COLUMNS, GROUP
from gpu_ref.program import GemmShape
from sim.errors import InputError


def make(torch: Torch, shape: GemmShape, device: str) -> Made:
    try:
        from gemlite.core import DType, GemLiteLinear
    except ImportError as error:
        raise InputError(f"GemLite is not installed: {error}") from None
    left = torch.randn(shape.tokens, shape.depth, device=device, dtype=torch.float16)
    codes = torch.randint(0, 16, (shape.columns, shape.depth), device=device, dtype=torch.uint8)
    groups = (shape.columns * shape.depth // GROUP, 1)
    scales = (torch.rand(groups, device=device) * 2**-7 + 2**-8).half()
    zeros = torch.randint(0, 16, groups, device=device).half()
    linear = GemLiteLinear(4, GROUP, shape.depth, shape.columns, DType.FP16, DType.FP16)
    linear.pack(codes, scales, zeros, bias=None)
    grouped = codes.reshape(-1, GROUP)[: CHECKED_COLUMNS * shape.depth // GROUP].double().cpu()
    by = [one[: len(grouped)].double().cpu() for one in (scales, zeros)]
    values = ((grouped - by[1]) * by[0]).reshape(-1, shape.depth)

    def call(a: Tensor, w: tuple[Tensor, ...]) -> Tensor:
        linear.W_q = w[0]
        return linear(a)

    return Made(left, (linear.W_q,), call, left.double().cpu(), values)


PEER = Peer("gemlite", "gemlite", "f16", 2.0**-9, (128, 128), make)
