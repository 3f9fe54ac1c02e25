"""Random programs of GeMMs on random machines: what follows what, rows and whole outputs, one layer to many."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from sim.arch.schema import Arch
from sim.machine.machine import Machine
from sim.mapping.program import GemmProgram, Needs
from sim.workload.gemm import Gemm, GemmModule
from tests.machines import long_case, random_case

MODULES: tuple[GemmModule, ...] = ("qkv", "o", "up", "down", "head")


@dataclass(frozen=True)
class ProgramCase:
    arch: Arch
    steps: tuple[tuple[Gemm, Needs | None], ...]
    layers: int

    def program(self) -> GemmProgram:
        """Of a machine that takes it; refuses as that does."""
        return Machine(self.arch).program(self.steps, self.layers)


def random_program(seed: int, layers: tuple[int, int] = (1, 6)) -> ProgramCase:
    """A program of two to five GeMMs; half of the machines have roomier buffers, so that loaders run far ahead."""
    rng = random.Random(f"program {seed}")
    base = long_case(seed, rng.randrange(4)) if rng.random() < 0.25 else random_case(seed)
    arch = with_buffers(base.arch, rng.choice([2, 4, 16])) if rng.random() < 0.5 else base.arch
    same_rows = rng.random() < 0.7
    steps: list[tuple[Gemm, Needs | None]] = []
    for index in range(count := rng.randint(2, 5)):
        gemm = _operation(rng, arch, base.gemm, same_rows, MODULES[index])
        if steps and rng.random() < 0.3:  # equal operations occur
            gemm = replace(rng.choice(steps)[0], module=MODULES[rng.randrange(5)])
        steps.append((gemm, _needs(rng, steps, gemm, same_rows, count)))
    return ProgramCase(arch, tuple(steps), rng.randint(*layers))


def twins(seed: int) -> ProgramCase:
    """Starved operations that differ in one thing only, so that states of one look like those of another."""
    rng = random.Random(f"twins {seed}")
    base = long_case(seed, rng.randrange(2))
    schedule = base.arch.schedule
    assert not isinstance(schedule, str)
    first = replace(
        base.gemm,
        k=schedule.k_block * rng.randint(1, 3),
        m=min(base.gemm.m, 6 * schedule.token_block),
        n=min(base.gemm.n, 24 * schedule.output_block),
    )
    dram = base.arch.dram.model_copy(
        update={"bandwidth_gigabytes_per_second": rng.choice([0.285, 0.57, 2.85, 5.7, 28.5, 256])}
    )
    arch = with_buffers(base.arch, rng.choice([1, 1, 2, 3])).model_copy(update={"dram": dram})
    what = rng.choice(["k", "output", "mantissa", "n", "k n"])
    steps: list[tuple[Gemm, Needs | None]] = []
    for _ in range(rng.randint(2, 4)):
        gemm = first
        if "k" in what:
            gemm = replace(gemm, k=schedule.k_block * rng.randint(1, 5))
        if "output" in what:
            gemm = replace(gemm, output_mantissa_bits=rng.choice([None, 3, 8, 15]))
        if "mantissa" in what:
            gemm = replace(gemm, mantissa_bits=rng.choice([2, 5, 9]))
        if "n" in what:
            gemm = replace(gemm, n=max(1, first.n - rng.choice([0, 0, 1, first.n // 3])))
        back = rng.randint(1, 3)
        steps.append((gemm, rng.choice([None, None, Needs(back, "rows"), Needs(back, "all")])))
    return ProgramCase(arch, tuple(steps), rng.randint(1, 5))


def with_buffers(arch: Arch, times: int) -> Arch:
    """The machine with buffers so many times as large."""
    sides = ("activation", "weight")
    larger = {
        side: (one := getattr(arch.buffers, side)).model_copy(update={"bytes": one.bytes * times}) for side in sides
    }
    return arch.model_copy(update={"buffers": arch.buffers.model_copy(update=larger)})


def _operation(rng: random.Random, arch: Arch, like: Gemm, same_rows: bool, module: GemmModule) -> Gemm:
    return replace(
        like,
        module=module,
        m=like.m if same_rows else rng.randint(1, max(1, 6 * arch.mxu.rows)),
        k=max(1, int(like.k * rng.choice([0.3, 0.6, 1, 1])) - rng.choice([0, 0, 1])),
        n=max(1, int(like.n * rng.choice([0.2, 0.5, 1, 1])) - rng.choice([0, 0, 1])),
        mantissa_bits=rng.randint(1, 16),
        output_mantissa_bits=rng.choice([None, rng.randint(1, 16)]),
    )


def _needs(
    rng: random.Random, before: list[tuple[Gemm, Needs | None]], gemm: Gemm, same_rows: bool, count: int
) -> Needs | None:
    back, extent = rng.randint(1, count), rng.choice(["rows", "rows", "all"])
    if rng.random() < 0.25:
        return None
    known = back <= len(before)
    if (known and before[-back][0].m != gemm.m) or not (known or same_rows):
        extent = "all"
    return Needs(back, extent)  # type: ignore[arg-type]
