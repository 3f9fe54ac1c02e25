"""PyTorch's kernels: cuBLAS FP16, `_int_mm`, `_scaled_mm`, `_weight_int4pack_mm`."""

from __future__ import annotations

from gpu_ref.peers.peer import Made, Peer, Tensor, Torch
from gpu_ref.program import GemmShape

CHECKED_COLUMNS = 64
GROUP = 128


def _normal(torch: Torch, shape: GemmShape, device: str) -> tuple[Tensor, Tensor]:
    left = torch.randn(shape.tokens, shape.depth, device=device, dtype=torch.float16)
    return left, torch.randn(shape.columns, shape.depth, device=device, dtype=torch.float16)


def fp16(torch: Torch, shape: GemmShape, device: str) -> Made:
    left, right = _normal(torch, shape, device)
    values = right[:CHECKED_COLUMNS].double().cpu()
    return Made(left, (right,), lambda a, w: a @ w[0].t(), left.double().cpu(), values)


def int8(torch: Torch, shape: GemmShape, device: str) -> Made:
    """_int_mm wants more than 16 rows: fewer are padded."""
    rows = max(shape.tokens, 17)
    left, right = (
        torch.randint(-128, 128, (count, shape.depth), device=device, dtype=torch.int8)
        for count in (rows, shape.columns)
    )
    values = left[: shape.tokens].double().cpu(), right[:CHECKED_COLUMNS].double().cpu()
    return Made(left, (right,), lambda a, w: torch._int_mm(a, w[0].t()), *values)


def fp8(torch: Torch, shape: GemmShape, device: str) -> Made:
    left, right = (one.to(torch.float8_e4m3fn) for one in _normal(torch, shape, device))
    one = torch.ones((), device=device)

    def call(a: Tensor, w: tuple[Tensor, ...]) -> Tensor:
        return torch._scaled_mm(a, w[0].t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16)

    return Made(left, (right,), call, left.double().cpu(), right[:CHECKED_COLUMNS].double().cpu())


def int4(torch: Torch, shape: GemmShape, device: str) -> Made:
    """(code - 8) * scale + zero, groups of 128, all in BF16."""
    left = torch.randn(shape.tokens, shape.depth, device=device, dtype=torch.bfloat16)
    codes = torch.randint(0, 16, (shape.columns, shape.depth), device=device, dtype=torch.uint8)
    packed = torch._convert_weight_to_int4pack(codes[:, ::2] << 4 | codes[:, 1::2], 8)
    groups = shape.depth // GROUP
    scales = (torch.rand(groups, shape.columns, 2, device=device) * 2**-7 + 2**-8).to(torch.bfloat16)
    few = codes[:CHECKED_COLUMNS].double().cpu().reshape(-1, groups, GROUP)
    by = scales[:, :CHECKED_COLUMNS].double().cpu().permute(2, 1, 0)[..., None]
    values = ((few - 8) * by[0] + by[1]).reshape(-1, shape.depth)

    def call(a: Tensor, w: tuple[Tensor, ...]) -> Tensor:
        return torch._weight_int4pack_mm(a, w[0], GROUP, w[1])

    return Made(left, (packed, scales), call, left.double().cpu(), values)


FP16 = Peer("torch fp16", "torch", "f16", 2.0**-10, (8, 8), fp16)
PEERS = (
    FP16,
    Peer("torch _int_mm", "torch", "s8", 0.0, (8, 8), int8),
    Peer("torch _scaled_mm", "torch", "e4m3", 2.0**-7, (16, 16), fp8),
    Peer("torch _weight_int4pack_mm", "torch", "f16", 2.0**-6, (64, 128), int4),
)
