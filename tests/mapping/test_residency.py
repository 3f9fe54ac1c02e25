"""What fits stays, what does not is streamed, what not even fits chunk by chunk is refused in numbers."""

from __future__ import annotations

import pytest
from hypothesis import given

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.machine.machine import Machine
from sim.mapping.vector_blocks import BLOCKS_IN_BUFFER, BlockCursor, cut
from sim.workload.gemm import Gemm, VectorWork
from tests.mapping.loops import GROUP, Shape, block_bytes, chunks, plan_of, shapes, tile_chunk_bytes


@given(shapes())
def test_a_block_is_resident_from_the_byte_on_with_which_it_fits(shape: Shape) -> None:
    for side, key in (("activations", "activation_bytes"), ("weights", "weight_bytes")):
        data, _ = block_bytes(shape, side)
        least = tile_chunk_bytes(shape, side)
        assert getattr(plan_of(shape, **{key: data}), f"{side}_resident")
        if data > least:
            assert not getattr(plan_of(shape, **{key: data - 1}), f"{side}_resident")
        else:
            # One chunk of one tile is the whole block: there is nothing smaller to stream.
            with pytest.raises(InputError, match="too small for one tile"):
                plan_of(shape, **{key: data - 1})


@given(shapes())
def test_a_streamed_operand_needs_a_chunk_of_a_tile_and_no_more(shape: Shape) -> None:
    for side, key in (("activations", "activation_bytes"), ("weights", "weight_bytes")):
        least = tile_chunk_bytes(shape, side)
        plan_of(shape, **{key: least})
        with pytest.raises(InputError, match="too small for one tile"):
            plan_of(shape, **{key: least - 1})


@given(shapes())
def test_exponents_must_fit_their_own_memory_too(shape: Shape) -> None:
    _, side = block_bytes(shape, "activations")
    assert plan_of(shape, exponent_bytes=side).activations_resident
    if side > 1:
        lanes, groups = min(shape.rows, shape.token_block, shape.m), -(-len(chunks(shape)[0]) // GROUP)
        if -(-lanes * groups * 5 // 8) < side:
            assert not plan_of(shape, exponent_bytes=side - 1).activations_resident


def test_a_token_block_smaller_than_the_array_needs_its_own_tokens_only() -> None:
    overrides = ["schedule.token_block=4", f"buffers.activation.bytes={4 * 32 * 6 * 8}"]
    machine = Machine(load_arch("anda-hpca25", overrides))
    # 4 tokens x 32 groups x (1 + 5) planes of 8 bytes: one chunk of the only tile of a block
    assert not machine.piece(GEMM).plan().activations_resident  # type: ignore[arg-type]


GEMM = Gemm("attention.q", "qkv", m=100, k=4096, n=512, mantissa_bits=5)


def refusal(overrides: list[str], gemm: Gemm = GEMM) -> InputError:
    machine = Machine(load_arch("anda-hpca25", overrides))
    with pytest.raises(InputError) as caught:
        machine.piece(gemm).plan()
    return caught.value


def test_a_weight_buffer_too_small_for_a_chunk_of_a_tile_says_what_is_needed() -> None:
    error = refusal(["buffers.weight.bytes=10000"])
    # 16 outputs x (2048 INT4 and a 16 + 4 bit scale and zero point for each of 16 groups of 128)
    needed = 16 * (2048 * 4 + 16 * 20) // 8
    assert error.field == "buffers.weight.bytes"
    assert error.problem == "too small for one tile of attention.q"
    assert error.facts["needed"] == f"{needed} bytes = 16 outputs x 2048 values of K"
    assert error.facts["available"] == "10000 bytes"


def test_the_chunk_of_k_that_the_refusal_proposes_fits_and_the_next_does_not() -> None:
    error = refusal(["buffers.weight.bytes=10000"])
    proposed = int(str(error.facts["fits with"]).removeprefix("schedule.k_block <= "))
    machine = Machine(load_arch("anda-hpca25", ["buffers.weight.bytes=10000", f"schedule.k_block={proposed}"]))
    assert not machine.piece(GEMM).plan().weights_resident  # type: ignore[arg-type]
    refusal(["buffers.weight.bytes=10000", f"schedule.k_block={proposed + 64}"])


def test_an_activation_buffer_too_small_for_a_chunk_of_a_tile_says_what_is_needed() -> None:
    error = refusal(["buffers.activation.bytes=20000"])
    # 16 tokens x 32 groups x (1 + 5) planes of 8 bytes
    assert error.facts["needed"] == f"{16 * 32 * 6 * 8} bytes = 16 tokens x 2048 values of K"
    assert error.facts["available"] == "20000 bytes"
    assert error.facts["fits with"] == f"schedule.k_block <= {20000 // (16 * 6 * 8) * 64}"


def test_an_exponent_memory_too_small_for_a_chunk_of_a_tile_says_what_is_needed() -> None:
    error = refusal(["buffers.activation.exponent_bytes=100"])
    assert error.field == "buffers.activation.exponent_bytes"
    assert error.facts["needed"] == f"{16 * 32 * 5 // 8} bytes = exponents of 16 x 32 groups"
    assert error.facts["available"] == "100 bytes"


def test_a_buffer_too_small_for_one_group_proposes_nothing() -> None:
    assert "fits with" not in refusal(["buffers.weight.bytes=100"]).facts


@pytest.mark.parametrize("buffer_bytes", [100, 4096, 10**6])
@pytest.mark.parametrize(
    ("operations", "reads", "writes"), [(1, 1, 1), (10**5, 0, 7777), (7, 12345, 0), (999, 5000, 3)]
)
def test_vector_work_is_cut_without_remainder_into_blocks_that_fit(
    buffer_bytes: int, operations: int, reads: int, writes: int
) -> None:
    blocks = cut(VectorWork("softmax", "softmax", operations, reads, writes), buffer_bytes)
    for attribute, whole in (("operations", operations), ("read_bytes", reads), ("write_bytes", writes)):
        assert sum(getattr(block, attribute) * count for block, count in blocks.kinds) == whole
    if blocks.count > 1:
        assert max(blocks.body.read_bytes, blocks.body.write_bytes) * BLOCKS_IN_BUFFER <= buffer_bytes
    # The last takes less than one more byte for every block.
    last = blocks.last
    assert max(last.read_bytes, last.write_bytes) < max(reads, writes) // blocks.count + blocks.count
    cursor, walked = BlockCursor(blocks), []
    while not cursor.done:
        walked.append(cursor.block)
        cursor.step()
    assert walked == [blocks.body] * (blocks.count - 1) + [last]
