"""Golden results made beforehand: they stand for the golden model bit by bit, and where they do not, it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from gpu_ref import verify
from gpu_ref.goldens import Goldens, cases, made, name
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda
from gpu_ref.kernels.bipolar import Bipolar
from gpu_ref.kernels.bytes_product import Int8
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.kernels.llm_int8 import LlmInt8
from gpu_ref.kernels.w4a16 import W4a16
from gpu_ref.program import Array, GemmShape

SHAPE = GemmShape(3, 64, 128)
EXACT: list[Kernel] = [Anda(7), Int8(), LlmInt8(), Bipolar(2, 3)]


class Answers:
    """A device that gives each program the result it is told to."""

    def __init__(self, results: list[Array]) -> None:
        self.results = results

    def prepare(self, _: Any) -> Answers:
        return self

    def run(self) -> Mapping[str, Array]:
        return {"c": self.results.pop(0)}

    def release(self) -> None: ...


def golden(kernel: Kernel, seed: int = 1) -> list[Array]:
    return [case.expected for case in cases(seed, kernel, SHAPE)]


def checked(kernel: Kernel, results: list[Array], goldens: Goldens) -> list[tuple[str, bool, float | None]]:
    device: Any = Answers(results)
    return [(one.golden, one.passed, one.error) for one in verify.check(device, kernel, SHAPE, 1, goldens)]


@pytest.mark.parametrize("kernel", EXACT, ids=lambda kernel: kernel.source)
def test_a_result_that_is_the_carried_one_needs_no_golden_model(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    goldens, results = Goldens(dict(made(1, [(kernel, SHAPE)]))), golden(kernel)
    monkeypatch.setattr("gpu_ref.kernel.KernelCase.expected", property(lambda _: 1 / 0))
    assert set(checked(kernel, results, goldens)) == {("carried", True, 0.0)}


@pytest.mark.parametrize("kernel", EXACT, ids=lambda kernel: kernel.source)
def test_one_bit_in_a_result_is_found_and_counted_by_the_golden_model(kernel: Kernel) -> None:
    goldens, results = Goldens(dict(made(1, [(kernel, SHAPE)]))), [array.copy() for array in golden(kernel)]
    results[0].view(np.uint8)[0, 0] ^= 1
    assert checked(kernel, results, goldens)[0] == ("computed", False, 1.0)


def test_inputs_that_another_machine_makes_otherwise_are_held_against_the_golden_model() -> None:
    other = {name(Anda(7), SHAPE): next(iter(made(2, [(Anda(7), SHAPE)])))[1]}
    assert checked(Anda(7), golden(Anda(7)), Goldens(other)) == [("computed", True, 0.0)]


def test_goldens_are_those_of_equality_and_the_same_whenever_they_are_made() -> None:
    wanted: list[tuple[Kernel, GemmShape]] = [(W4a16(), SHAPE), (Fp16(), SHAPE), (LlmInt8(), SHAPE)]
    found = list(made(1, wanted))
    assert [set(labels) for _, labels in found] == [{"one-hot"}, set(), {"no outliers", "outliers"}]
    assert found == list(made(1, wanted))


def test_outside_a_bundle_there_are_none() -> None:
    assert not Goldens.of_this_machine().digests
