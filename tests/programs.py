"""Random programs on random machines: rows and whole outputs, one layer to many, all kinds of work."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sim.arch.load import load_arch
from sim.arch.schema import Arch
from sim.machine.machine import Machine
from sim.mapping.program import LayerProgram, Needs, ProgramStep
from sim.workload.attention import CACHES
from sim.workload.gemm import FusedAttention, Gemm, GemmModule, Item, RowBlocks, VectorWork
from tests.attentions import random_attention
from tests.machines import long_case, random_case

MODULES: tuple[GemmModule, ...] = ("qkv", "o", "up", "down", "head")


@dataclass(frozen=True)
class ProgramCase:
    arch: Arch
    stacks: tuple[tuple[Sequence[ProgramStep], int], ...]
    rounds: int = 1

    def program(self) -> LayerProgram:
        """Of a machine that takes it; refuses as that does."""
        return Machine(self.arch).program(self.stacks, self.rounds)

    def pieces(self) -> int:
        """Cycles of all its work one by one."""
        machine = Machine(self.arch)
        return self.rounds * sum(
            layers * sum(machine.run(step.item).cycles for step in steps) for steps, layers in self.stacks
        )


def random_program(seed: int, layers: tuple[int, int] = (1, 6)) -> ProgramCase:
    """A program of two to five GeMMs; half of the machines have roomier buffers, so that loaders run far ahead."""
    rng = random.Random(f"program {seed}")
    base = long_case(seed, rng.randrange(4)) if rng.random() < 0.25 else random_case(seed)
    arch = with_buffers(base.arch, rng.choice([2, 4, 16])) if rng.random() < 0.5 else base.arch
    same_rows = rng.random() < 0.7
    steps: list[ProgramStep] = []
    for index in range(count := rng.randint(2, 5)):
        gemm = _operation(rng, arch, base.gemm, same_rows, MODULES[index])
        if steps and rng.random() < 0.3:  # equal operations occur
            gemm = replace(_gemm(rng.choice(steps)), module=MODULES[rng.randrange(5)])
        steps.append(ProgramStep(gemm, _needs(rng, steps, gemm, same_rows, count)))
    return ProgramCase(arch, ((steps, rng.randint(*layers)),))


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
    steps: list[ProgramStep] = []
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
        steps.append(ProgramStep(gemm, rng.choice([None, None, Needs(back, "rows"), Needs(back, "all")])))
    return ProgramCase(arch, ((steps, rng.randint(1, 5)),))


def with_buffers(arch: Arch, times: int) -> Arch:
    """The machine with buffers so many times as large."""
    sides = ("activation", "weight")
    larger = {
        side: (one := getattr(arch.buffers, side)).model_copy(update={"bytes": one.bytes * times}) for side in sides
    }
    return arch.model_copy(update={"buffers": arch.buffers.model_copy(update=larger)})


def _gemm(step: ProgramStep) -> Gemm:
    assert isinstance(step.item, Gemm)
    return step.item


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


def _needs(rng: random.Random, before: list[ProgramStep], gemm: Gemm, same_rows: bool, count: int) -> Needs | None:
    back, extent = rng.randint(1, count), rng.choice(["rows", "rows", "all"])
    if rng.random() < 0.25:
        return None
    known = back <= len(before)
    if (known and _gemm(before[-back]).m != gemm.m) or not (known or same_rows):
        extent = "all"
    return Needs(back, extent)  # type: ignore[arg-type]


def mixed_program(seed: int, layers: tuple[int, int] = (1, 6)) -> ProgramCase:
    """GeMMs, attention and vector work, experts beside one another, in up to three sections and several rounds."""
    rng = random.Random(f"mixed {seed}")
    case = random_attention(seed)
    blocks = tuple(replace(block, count=min(block.count, 2)) for block in case.attention.blocks[:2])
    attention = replace(case.attention, blocks=blocks, heads=min(case.attention.heads, 5))
    arch = with_buffers(case.arch, rng.choice([1, 2, 8]))
    stacks: list[tuple[list[ProgramStep], int]] = []
    rows = rng.randint(1, 5 * arch.mxu.rows)
    for _ in range(rng.choice([1, 1, 2, 3])):
        steps: list[ProgramStep] = []
        for _ in range(rng.randint(2, 6)):
            steps.append(_mixed_step(rng, arch, attention, rows, steps))
        if not any(isinstance(step.item, Gemm | FusedAttention) for step in steps):
            steps.append(ProgramStep(_some_gemm(rng, arch, rows)))
        stacks.append((steps, rng.randint(*layers)))
    return ProgramCase(arch, tuple(stacks), rng.choice([1, 1, 1, 3, 6]))


def _mixed_step(
    rng: random.Random, arch: Arch, attention: FusedAttention, rows: int, before: Sequence[ProgramStep]
) -> ProgramStep:
    kind = rng.choice(["gemm", "gemm", "gemm", "vector", "vector", "attention", "expert"])
    item: Item = attention
    if kind == "vector":
        each = [rng.randint(1, 400), *rng.choice([(0, 0), (0, 0), (40, 40), (400, 0), (64, 16), (0, 24)])]
        item = VectorWork("vector", "norm", *(rows * amount for amount in each))
    elif kind != "attention":
        item = _some_gemm(rng, arch, rows if kind == "gemm" else rng.randint(1, rows))
    own = 0 if isinstance(item, FusedAttention) else item.m if isinstance(item, Gemm) else rows
    back = rng.randint(1, 3)
    known = before[-back] if back <= len(before) else None
    made = known and (known.item.m if isinstance(known.item, Gemm) else known.rows)
    by_rows = known is not None and not isinstance(known.item, FusedAttention) and made == own and rng.random() < 0.8
    needs = None if rng.random() < 0.2 else Needs(back, "rows" if by_rows else "all")
    return ProgramStep(item, needs, rows)


def _some_gemm(rng: random.Random, arch: Arch, rows: int) -> Gemm:
    group, schedule = arch.mxu.dot_length, arch.schedule
    assert not isinstance(schedule, str)
    encoded = arch.mxu.pe == "anda"
    return Gemm(
        "gemm",
        rng.choice(MODULES),
        rows,
        max(1, group * rng.randint(1, 5) - rng.choice([0, 0, 1])),
        max(1, schedule.output_block * rng.randint(1, 5) - rng.choice([0, 0, 1])),
        mantissa_bits=rng.randint(1, 12) if encoded else None,
        output_mantissa_bits=rng.choice([None, rng.randint(1, 12)]) if encoded else None,
    )


def tiny_model(seed: int) -> ProgramCase:
    """A small transformer: layers as they are, then a head, in one pass or several, on Anda with small buffers."""
    rng = random.Random(f"tiny {seed}")
    rows = rng.choice([16, 40, 64, 96])
    arch = load_arch(
        "anda-hpca25",
        [
            f"schedule.token_block={rng.choice([16, 32])}",
            f"vector.fpus={rng.choice([4, 16, 64, 512])}",
            f"collector.port_bits={rng.choice([64, 1024])}",
            f"bpc.lanes={rng.choice([1, 16])}",
            f"writer.blocks={rng.randint(1, 3)}",
            f"mxu.output_registers={rng.randint(2, 3)}",
            f"buffers.activation.bytes={rng.choice([65_536, 262_144])}",
            f"dram.bandwidth_gigabytes_per_second={rng.choice([2.85, 28.5, 256])}",
            f"dram.arbitration={rng.choice(['first_come', 'round_robin'])}",
        ],
    )
    keys = 64 * rng.randint(1, 4)
    attention = FusedAttention(
        "attention", (RowBlocks(rng.choice([16, rows]), keys, rng.randint(1, 3)),), rng.randint(1, 4), 64, 64,
        CACHES["int8"], 6, 8, 6,
    )  # fmt: skip

    def gemm(module: GemmModule, k: int, n: int) -> Gemm:
        return Gemm(module, module, rows, k, n, mantissa_bits=6, output_mantissa_bits=rng.choice([None, 6]))

    def vector(operations: int, moved: int) -> VectorWork:
        return VectorWork("vector", "norm", rows * operations, rows * moved, rows * moved)

    layer = [
        ProgramStep(vector(rng.choice([30, 300]), 128), Needs(1), rows),
        ProgramStep(gemm("qkv", 128, 128), Needs(1)),
        ProgramStep(gemm("qkv", 128, 128), Needs(2)),
        ProgramStep(vector(rng.choice([64, 640]), 0), Needs(1), rows),
        ProgramStep(attention, Needs(1, "all")),
        ProgramStep(gemm("o", 128, 64), Needs(1, "all")),
        ProgramStep(gemm("up", 64, 256), Needs(1)),
        ProgramStep(vector(rng.choice([96, 960]), 0), Needs(1), rows),
        ProgramStep(gemm("down", 256, 128), Needs(1)),
    ]
    head = [ProgramStep(vector(10, 64), Needs(1, "all"), rows), ProgramStep(gemm("head", 128, 192), Needs(1))]
    return ProgramCase(arch, ((layer, rng.randint(1, 8)), (head, 1)), rng.choice([1, 1, 5]))
