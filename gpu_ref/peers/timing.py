"""A peer on one shape: checked on its first columns, then sampled in turns with PyTorch's FP16."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np

from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.nvml import Monitor
from gpu_ref.peers import gemlite, marlin, torch_kernels
from gpu_ref.peers.peer import Made, Peer, Torch
from gpu_ref.program import GemmShape
from gpu_ref.record import Ceilings, Row
from gpu_ref.roofline import Roofline
from gpu_ref.settings import Settings
from gpu_ref.timing import quartiles, reading
from sim.errors import InputError

PEERS: tuple[Peer, ...] = (*torch_kernels.PEERS, marlin.PEER, gemlite.PEER)
_MOST_RUNS = 256


def find(name: str) -> Peer:
    """A peer by its name."""
    return next(peer for peer in PEERS if peer.name == name)


def torch_answers(torch: Torch | None) -> bool:
    """Whether the card still works for PyTorch, as far as this process uses it."""
    if torch is None or not torch.cuda.is_initialized():
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True


def error(torch: Torch, made: Made) -> float:
    """The largest |difference| / |A| |W| over the columns that are checked; infinite where something is not finite."""
    rows, columns = len(made.left_values), len(made.weight_values)
    found = made.call(made.left, made.weights)[:rows, :columns].double().cpu()
    expected = made.left_values @ made.weight_values.t()
    magnitude = made.left_values.abs() @ made.weight_values.abs().t()
    worst = float(((found - expected).abs() / magnitude).max())
    return worst if math.isfinite(worst) else math.inf


class Batch:
    """Calls over copies of the weights, captured in one graph."""

    def __init__(self, torch: Torch, made: Made, settings: Settings, l2_bytes: int, seconds: float) -> None:
        size: int = sum(one.numel() * one.element_size() for one in made.weights)
        copies = max(1, min(math.ceil(settings.timing.l2_multiple * l2_bytes / size), _MOST_RUNS))
        weights = [made.weights, *(tuple(one.clone() for one in made.weights) for _ in range(copies - 1))]
        batches = math.ceil(settings.timing.batch_seconds / seconds / copies)
        self.copies, self.runs = copies, copies * max(1, min(batches, _MOST_RUNS // copies))
        self._torch, self._kept = torch, weights
        self._graph, self._stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        with torch.cuda.stream(self._stream):
            for one in weights:
                made.call(made.left, one)
        self._stream.synchronize()
        with torch.cuda.graph(self._graph, stream=self._stream):
            for run in range(self.runs):
                made.call(made.left, weights[run % copies])

    def sample(self) -> float:
        """Seconds of one call."""
        start, end = (self._torch.cuda.Event(enable_timing=True) for _ in range(2))
        with self._torch.cuda.stream(self._stream):
            start.record()
            self._graph.replay()
            end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) * 1e-3 / self.runs


def row(peer: Peer, shape: GemmShape, settings: Settings, ceilings: Ceilings, layers: tuple[str, ...]) -> Row:
    """Verify and time a peer.

    Raises
    ------
    InputError
        Where PyTorch or the peer is missing, or its result is off.
    """
    try:
        import torch
    except ImportError as problem:
        raise InputError(f"PyTorch is not installed: {problem}") from None
    if not torch.cuda.is_available():
        raise InputError("PyTorch sees no CUDA card", facts={"found": f"torch {torch.__version__}"})
    made = peer.make(torch, shape, "cuda")
    found = error(torch, made)
    if found > peer.limit:
        raise InputError(f"differs from the product: error {found}, allowed {peer.limit}")
    result = made.call(made.left, made.weights)
    moved = [made.left, *made.weights, result]
    size = sum(one.numel() * one.element_size() for one in moved)
    rate = ceilings.fp16_operations_per_second * settings.tensor_core_rates.of(peer.operand)
    bound = Roofline(size / ceilings.bytes_per_second, shape.operations / rate)
    l2_bytes = int(torch.cuda.get_device_properties(0).L2_cache_size)
    batch = Batch(torch, made, settings, l2_bytes, bound.seconds)
    half = torch_kernels.fp16(torch, shape, "cuda")
    half_seconds = Fp16().bytes_moved(shape) / ceilings.bytes_per_second
    beside = Batch(torch, half, settings, l2_bytes, half_seconds)
    pairs = [(batch.sample(), beside.sample()) for _ in range(settings.timing.samples)]
    lower, median, upper = quartiles([own for own, _ in pairs])
    return Row(
        kernel=peer.name,
        source=peer.source,
        configuration=f"{peer.name}, torch {torch.__version__}",
        operand=peer.operand,
        instruction="library",
        is_choice=False,
        mantissa_bits=None,
        **asdict(shape),
        layers=list(layers),
        median_seconds=median,
        lower_quartile_seconds=lower,
        upper_quartile_seconds=upper,
        samples=len(pairs),
        weight_copies=batch.copies,
        bytes=size,
        operations=shape.operations,
        passes=1,
        memory_seconds=bound.memory_seconds,
        compute_seconds=bound.compute_seconds,
        roofline_share=bound.seconds / median,
        limited_by=bound.limited_by,
        speedup_over_fp16=float(np.median([fp16 for _, fp16 in pairs])) / median,
        energy_joules=None,
        error=found,
        error_limit=peer.limit,
        state=reading(Monitor().state()),
    )
