"""What first contact is rehearsed with: the strict card, and the shipped settings with less of everything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gpu_ref import cubins, fills, sources
from gpu_ref.card import Card
from gpu_ref.contact.job import Job
from gpu_ref.contact.steps import ContactStep, steps
from gpu_ref.program import KernelModule
from gpu_ref.settings import MantissaBits, load_settings

CARD = Card("Strict", "sm_90a", 4, 2**15, 2**34, 232448)


def small_job() -> Job:
    """One layer, three tokens, one mantissa length."""
    full = load_settings()
    settings = replace(
        full,
        shapes=replace(full.shapes, tokens=[3]),
        mantissa_bits=MantissaBits(first=[7], later=[]),
        verification=replace(
            full.verification, tokens=[5], layers=[(128, 128)], small_tokens=[1], small_layer=(128, 128),
            mantissa_bits=[7], bipolar_bits=2,
        ),
        timing=replace(full.timing, samples=3, batch_seconds=1e-9),
        energy=replace(full.energy, seconds=0.01, tokens=[3]),
        ceilings=replace(full.ceilings, warm_up_seconds=0.01, copy_bytes=2**16, product_size=64),
    )  # fmt: skip
    texts = {name: sources.fingerprint(name) for name in sources.names()}
    return Job(settings, {(128, 128): ["some layer"]}, 1, texts)


def prepared_code(job: Job) -> list[ContactStep]:
    """All steps; machine code for them lies where it is looked for."""
    planned = steps(job, CARD)
    kernels = [item.kernel for step in planned for item in step.items if item.kernel is not None]
    compiled_for_nothing([*(module for kernel in kernels for module in kernel.modules), *fills.modules()])
    return planned


def compiled_for_nothing(modules: Iterable[KernelModule], architecture: str = "sm_90a") -> None:
    """Machine code that no one reads: the strict card runs sources."""
    for module in modules:
        path = cubins.cache() / architecture / f"{module}.{sources.fingerprint(module.source)}.cubin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x7fELF")
