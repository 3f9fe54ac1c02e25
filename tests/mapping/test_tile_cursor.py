"""The MXU's operations are the loop nest: every product once, every output once, chunks taken and freed in pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hypothesis import given

from sim.mapping.nest import Chunk, LoadCursor, TileCursor, TileOp
from sim.mapping.plan import Plan
from tests.mapping.loops import GROUP, Shape, Step, chunks, plans, tiles


def operations(plan: Plan) -> list[TileOp]:
    cursor, found = TileCursor(plan), []
    while not cursor.done:
        found.append(cursor.present())
        cursor.step()
    return found


def loads(plan: Plan, side: str) -> list[tuple[Chunk, bool]]:
    """Chunks and whether each opens a block."""
    cursor, found = LoadCursor(plan, side), []  # type: ignore[arg-type]
    while not cursor.done:
        found.append((cursor.present(), cursor.opens_block))
        cursor.step()
    return found


def steps(shape: Shape, plan: Plan) -> Iterator[tuple[Step, TileOp]]:
    """Each operation beside what the plain loops say it is about."""
    remaining = iter(operations(plan))
    for block, rows, columns in tiles(shape):
        op = next(remaining)
        pieces = [range(shape.k)] if op.groups == -(-shape.k // GROUP) else chunks(shape)
        for index, values in enumerate(pieces):
            yield Step(rows, columns, values, block), op
            if index < len(pieces) - 1:
                op = next(remaining)
    assert next(remaining, None) is None


@given(plans())
def test_every_operation_is_a_step_of_the_plain_loops(drawn: tuple[Shape, Plan]) -> None:
    shape, plan = drawn
    for step, op in steps(shape, plan):
        assert (op.rows, op.columns, op.values) == (len(step.rows), len(step.columns), len(step.values))
        assert op.groups == -(-len(step.values) // GROUP)
        assert op.opens_tile == (step.values.start == 0)
        assert op.closes_tile == (step.values.stop == shape.k)


@given(plans())
def test_the_products_of_all_operations_are_those_of_the_gemm(drawn: tuple[Shape, Plan]) -> None:
    shape, plan = drawn
    assert sum(op.rows * op.columns * op.values for op in operations(plan)) == shape.m * shape.k * shape.n


@given(plans())
def test_every_output_is_written_once_in_runs_of_whole_groups(drawn: tuple[Shape, Plan]) -> None:
    shape, plan = drawn
    written: Counter[tuple[int, int]] = Counter()
    start: int | None = None
    for step, op in steps(shape, plan):
        if op.run_opens and op.opens_tile:
            assert start is None
            start = step.columns.start
        if op.run_columns:
            assert op.closes_tile
            assert start is not None
            run = range(start, start + op.run_columns)
            assert run.stop == step.columns.stop
            # A run is whole groups of the next GeMM's input, but for the last of a block.
            block_end = min(
                (step.columns.stop - 1) // shape.output_block * shape.output_block + shape.output_block, shape.n
            )
            assert run.start % GROUP == 0
            assert len(run) % GROUP == 0 or run.stop == block_end
            written.update((row, column) for row in step.rows for column in run)
            start = None
    assert set(written) == {(row, column) for row in range(shape.m) for column in range(shape.n)}
    assert set(written.values()) == {1}


@given(plans())
def test_chunks_are_taken_in_the_order_in_which_they_are_loaded(drawn: tuple[Shape, Plan]) -> None:
    shape, plan = drawn
    taken: dict[str, list[Chunk]] = {"weights": [], "activations": []}
    for step, op in steps(shape, plan):
        piece = (-(-len(step.values) // GROUP), len(step.values))
        for side, takes, operand, lanes in (
            ("weights", op.takes_weights, shape.weights, op.columns),
            ("activations", op.takes_activations, shape.activations, op.rows),
        ):
            if takes:
                taken[side].append(Chunk(operand.data_bytes(lanes, *piece), operand.side_bytes(lanes, *piece)))
    for side, chunks_taken in taken.items():
        assert chunks_taken == [chunk for chunk, _ in loads(plan, side)]


@given(plans())
def test_an_operation_finds_its_values_on_the_chip_and_all_space_is_given_back(drawn: tuple[Shape, Plan]) -> None:
    shape, plan = drawn
    held: dict[str, Counter[tuple[range, range]]] = {"weights": Counter(), "activations": Counter()}
    for step, op in steps(shape, plan):
        for side, takes, frees, operand, lanes in (
            ("weights", op.takes_weights, op.frees_weights, shape.weights, step.columns),
            ("activations", op.takes_activations, op.frees_activations, shape.activations, step.rows),
        ):
            wanted = [
                (lanes, values)
                for values in chunks(shape)
                if values.start >= step.values.start and values.stop <= step.values.stop
            ]
            if takes:
                held[side].update(wanted)
            assert all(held[side][piece] == 1 for piece in wanted)
            if frees:
                piece = (len(lanes), -(-len(step.values) // GROUP), len(step.values))
                assert frees == operand.data_bytes(*piece)
                held[side].subtract(wanted)
    assert not any(any(pieces.values()) for pieces in held.values())


@given(plans())
def test_blocks_are_closed_as_often_as_opened_and_two_are_open_at_most(drawn: tuple[Shape, Plan]) -> None:
    _, plan = drawn
    ops = operations(plan)
    for side, closes in (
        ("weights", [op.closes_weights for op in ops]),
        ("activations", [op.closes_activations for op in ops]),
    ):
        opened = sum(opens for _, opens in loads(plan, side))
        assert sum(closes) == opened > 0


@given(plans())
def test_freed_bytes_are_the_loaded_bytes_block_by_block(drawn: tuple[Shape, Plan]) -> None:
    _, plan = drawn
    ops = operations(plan)
    for side, frees, closes in (
        ("weights", [op.frees_weights for op in ops], [op.closes_weights for op in ops]),
        ("activations", [op.frees_activations for op in ops], [op.closes_activations for op in ops]),
    ):
        freed, loaded = [0], []
        for amount, close in zip(frees, closes, strict=True):
            freed[-1] += amount
            if close:
                freed.append(0)
        for chunk, opens in loads(plan, side):
            if opens:
                loaded.append(0)
            loaded[-1] += chunk.data_bytes
        assert freed == [*loaded, 0]


@given(plans())
def test_a_resident_operand_is_loaded_once_a_block_and_a_streamed_one_for_every_tile(
    drawn: tuple[Shape, Plan],
) -> None:
    shape, plan = drawn
    places = list(tiles(shape))
    tokens_outer = shape.order == "tokens_outer"
    for side, resident, lanes_of, is_outer in (
        ("activations", plan.activations_resident, 1, tokens_outer),
        ("weights", plan.weights_resident, 2, not tokens_outer),
    ):
        if not resident:
            expected = len(places)
        else:
            # A tile of an outer operand is loaded once a run of the outer loop, of an inner one once an inner block.
            expected = len(
                {(block[:1] if is_outer else block, lanes) for block, *both in places for lanes in [both[lanes_of - 1]]}
            )
        assert len(loads(plan, side)) == expected * len(chunks(shape))
