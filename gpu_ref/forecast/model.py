"""Seconds of a kernel on a card from its machine code and its bytes.

    time      launch + the largest of
    memory    bytes of the launch's buffers / bandwidth that the card was seen to sustain
    issue     warp instructions of the busiest multiprocessor / (4 schedulers x clock)
    products  their multiplications / what its Tensor Cores do

The issue time is a bracket: every scheduler issuing in every cycle, and the share that is likely. Where the
card's rate of a kernel's products is not published, their time is left out, and what remains is a floor. Not modelled:
latencies, conflicts, the L2; so a card may be slower, and hardly faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Literal

from gpu_ref import nvrtc, sass
from gpu_ref.forecast.code import Code, read
from gpu_ref.forecast.silicon import Silicon, silicon
from gpu_ref.kernel import Kernel
from gpu_ref.program import GemmShape, KernelModule, Launch, Matmul, Program
from sim.errors import InputError

Limit = Literal["memory", "issue", "products"]


@dataclass(frozen=True)
class Forecast:
    """Between `least_seconds`, with full issue, and `seconds`, with the likely one.

    Attributes
    ----------
    instructions_per_weight
        Warp instructions of all launches for each weight; None for the vendor's library, whose code is not ours.
    is_floor
        The products' rate is not published and their time left out: no less than `least_seconds`.
    """

    seconds: float
    least_seconds: float
    limited_by: Limit
    instructions_per_weight: float | None
    is_floor: bool


@dataclass(frozen=True)
class _Times:
    memory: float
    issue: float
    products: float | None

    def seconds(self, share: float) -> float:
        return max(self.memory, self.issue / share, self.products or 0.0)


def forecast(kernel: Kernel, shape: GemmShape, card: Silicon) -> Forecast:
    """One GeMM, all its launches.

    Raises
    ------
    InputError
        Where NVRTC or nvdisasm is not installed.
    """
    program = kernel.timed(shape)
    issue, launch = silicon().issue, silicon().launch_seconds
    steps = [_step(kernel, program, one, shape, card) for one in program.launches]
    overhead = launch.first + launch.next * (len(steps) - 1)
    times = [one for one, _ in steps]
    likely, least = (overhead + sum(one.seconds(share) for one in times) for share in (issue.likely_share, 1.0))
    longest = max(times, key=lambda one: one.seconds(issue.likely_share))
    parts: dict[Limit, float] = {
        "memory": longest.memory,
        "issue": longest.issue / issue.likely_share,
        "products": longest.products or 0.0,
    }
    issued = [count for _, count in steps if count is not None]
    per_weight = sum(issued) / (shape.columns * shape.depth) if issued else None
    is_floor = any(one.products is None for one in times)
    return Forecast(likely, least, max(parts, key=lambda name: parts[name]), per_weight, is_floor)


def _step(
    kernel: Kernel, program: Program, step: object, shape: GemmShape, card: Silicon
) -> tuple[_Times, float | None]:
    if isinstance(step, Matmul):
        rate = card.library_macs_per_cycle * card.multiprocessors * card.hertz
        moved = sum(_bytes(program, name) for name in (step.left, step.right, step.result))
        return _Times(moved / card.sustained_bytes_per_second, 0.0, shape.operations / 2 / rate), None
    assert isinstance(step, Launch)
    code = _code(step.module, step.function, card.architecture)
    moved = sum(_bytes(program, one) for one in step.arguments if isinstance(one, str))
    memory = moved / card.sustained_bytes_per_second
    blocks = step.grid[0] * step.grid[1] * step.grid[2]
    warps = step.threads // 32
    macs = _padded_macs(kernel, shape) / (blocks * warps) if code.products else 0.0
    busiest = ceil(blocks / card.multiprocessors) * warps
    issued = code.issued(macs)
    issue = busiest * issued / (silicon().issue.schedulers * card.hertz)
    return _Times(memory, issue, _products(code, busiest * macs, card)), issued * blocks * warps


def _products(code: Code, macs: float, card: Silicon) -> float | None:
    if not code.products:
        return 0.0
    rate = card.macs_per_cycle.get(code.family)
    return None if rate is None else macs / (rate * card.hertz)


def _bytes(program: Program, name: str) -> int:
    """Of a buffer that a launch touches; a workspace of one element stands for none."""
    item = program.buffers.get(name) or program.results[name]
    return item.nbytes


def _padded_macs(kernel: Kernel, shape: GemmShape) -> float:
    """Multiplications of the Tensor Cores, rows that fill up a tile among them."""
    tile = getattr(kernel, "tokens", 16)
    return ceil(shape.tokens / tile) * tile * shape.columns * shape.depth * kernel.passes


@cache
def _code(module: KernelModule, function: str, architecture: str) -> Code:
    if sass.disassembler() is None:
        facts = {"needed": "the Python package nvidia-cuda-nvdisasm"}
        raise InputError("nvdisasm, which shows machine code, was not found", facts=facts)
    return read(sass.functions(nvrtc.compile_module(module, architecture).cubin)[function])
