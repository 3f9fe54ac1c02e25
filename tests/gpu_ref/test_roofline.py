"""The roofline: bytes, products, and the arithmetic that the numeric contract asks for beside them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from pretended import CARDS

from gpu_ref.forecast.silicon import silicon
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda, AndaWgmma
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.kernels.w4a16 import W4a16
from gpu_ref.program import GemmShape
from gpu_ref.record import Ceilings
from gpu_ref.roofline import Roofline, roofline
from gpu_ref.settings import load_settings

SETTINGS = load_settings()
CEILINGS = Ceilings(bytes_per_second=3e12, fp16_operations_per_second=8e14)
PREFILL = GemmShape(2048, 28672, 8192)


def bound(kernel: Kernel, shape: GemmShape, architecture: str) -> Roofline:
    return roofline(kernel, shape, architecture, CEILINGS, SETTINGS)


@pytest.mark.parametrize(
    ("kernel", "architecture", "fp16_a_cycle", "instructions"),
    [(AndaWgmma(6), "sm_90a", 4096, 3), (AndaWgmma(8), "sm_90a", 4096, 4), (Anda(6), "sm_80", 2048, 3)],
)
def test_the_contract_of_a_group_costs_its_instructions_against_64_fp16_products(
    kernel: Kernel, architecture: str, fp16_a_cycle: int, instructions: int
) -> None:
    # Cycles of a multiprocessor for an output and a group of 64, in FP16 and by the contract: 32 outputs a warp
    # instruction, four of which issue in a cycle.
    in_fp16 = Fraction(2 * 64, fp16_a_cycle)
    by_contract = Fraction(instructions, 32 * 4)
    found, fp16 = bound(kernel, PREFILL, architecture), bound(Fp16(), PREFILL, architecture)
    assert found.contract_seconds / fp16.compute_seconds == pytest.approx(float(by_contract / in_fp16), rel=1e-12)


def test_many_tokens_are_bound_by_the_contract_on_hopper_and_few_by_memory() -> None:
    many, few = bound(AndaWgmma(6), PREFILL, "sm_90a"), bound(Anda(6), GemmShape(1, 28672, 8192), "sm_90a")
    assert many.limited_by == "contract"
    assert many.seconds == pytest.approx(bound(Fp16(), PREFILL, "sm_90a").seconds * 3 / 4)
    two_products = bound(AndaWgmma(8), PREFILL, "sm_90a")
    assert two_products.seconds == pytest.approx(bound(Fp16(), PREFILL, "sm_90a").seconds)
    assert few.limited_by == "memory"
    assert few.seconds == few.memory_seconds


def test_where_the_rate_of_instructions_is_unknown_and_where_there_is_no_contract_it_costs_nothing() -> None:
    assert bound(Anda(6), PREFILL, CARDS["RTX 3090"].architecture).contract_seconds == 0
    assert bound(W4a16(), PREFILL, "sm_90a").contract_seconds == 0


@pytest.mark.parametrize("card", silicon().cards)
def test_the_worth_of_an_instruction_is_that_of_the_forecasts_silicon(card: str) -> None:
    one = silicon().cards[card]
    worth = SETTINGS.operations_an_instruction.of(one.architecture)
    assert worth is not None
    assert worth * silicon().issue.schedulers == 2 * one.library_macs_per_cycle


def test_other_ceilings_scale_each_part_by_its_own() -> None:
    was = Roofline(2.0, 3.0, 5.0)
    assert was.at(10.0, 0.1) == Roofline(20.0, 3.0 * 0.1, 5.0 * 0.1)
    assert was.at(10.0, 0.1).limited_by == "memory"
