"""A prompt in chunks beside decoding sequences: the same work as prompt and decodes apart, weights shared a step."""

from __future__ import annotations

from math import ceil

import pytest

from sim.workload.gemm import Gemm, Workload
from sim.workload.load import load_workload


def macs(work: Workload, *modules: str) -> int:
    return sum(gemm.macs for gemm in work.gemms if gemm.module in modules)


@pytest.mark.parametrize(("tokens", "chunk", "batch"), [(1024, 256, 8), (1000, 192, 3), (64, 512, 1), (512, 512, 5)])
def test_a_mixed_batch_does_the_prompt_and_one_token_of_each_sequence_a_step(
    tokens: int, chunk: int, batch: int
) -> None:
    steps = ceil(tokens / chunk)
    options = {"scope": "all", "precision": "6"}
    mixed = load_workload("llama-7b", phase="mixed", tokens=tokens, chunk=chunk, batch=batch, context=777, **options)
    prompt = load_workload("llama-7b", phase="prefill", tokens=tokens, batch=1, **options)
    decodes = load_workload("llama-7b", phase="decode", batch=batch, context=777, steps=steps, **options)
    weights, attention = ("qkv", "o", "up", "down"), ("scores", "context")
    assert macs(mixed, *weights) == macs(prompt, *weights) + macs(decodes, *weights)
    assert macs(mixed, "head") == macs(prompt, "head") + macs(decodes, "head")
    if chunk % 64 == 0:  # whole pages: the chunks end where pages end
        assert macs(mixed, *attention) == macs(prompt, *attention) + macs(decodes, *attention)
    rows = {gemm.m for gemm in mixed.gemms if gemm.module == "qkv"}
    last = tokens - (steps - 1) * chunk
    assert rows == {last + batch} | ({chunk + batch} if steps > 1 else set())


def test_thousands_of_steps_are_as_many_items_as_they_have_shapes() -> None:
    def items(tokens: int) -> int:
        work = load_workload("llama-7b", phase="mixed", tokens=tokens, chunk=64, batch=4, scope="fp-int")
        return sum(isinstance(item, Gemm) for phase in work.phases for item in phase.items)

    assert items(64 * 4000) == items(64 * 4)
