"""A cursor that jumps stands where one that steps would: fast-forward moves cursors so."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from sim.mapping.nest import LoadCursor, LoopCursor, TileCursor
from sim.mapping.plan import Plan
from tests.mapping.loops import Shape, plans

LEVELS = (0, 1, 2, 3)
KINDS = ("tiles", "activations", "weights")


def cursor_of(plan: Plan, kind: str) -> TileCursor | LoadCursor:
    return TileCursor(plan) if kind == "tiles" else LoadCursor(plan, kind)  # type: ignore[arg-type]


def walk(cursor: TileCursor | LoadCursor) -> list[tuple[tuple[int, ...], object]]:
    """All positions still to come, and what is done there."""
    found = []
    while not cursor.done:
        found.append((cursor.position, (cursor.tokens, cursor.outputs, cursor.present())))
        cursor.step()
    return found


def jumps(plan: Plan, kind: str) -> list[tuple[int, int, int]]:
    """Every jump inside a loop that lands where a body has a place of that kind: steps ahead, level, iterations.

    The body of a ragged last block may lack the place; fast-forward does not land there.
    """
    positions = {position for position, _ in walk(cursor_of(plan, kind))}
    cursor, found, ahead = cursor_of(plan, kind), [], 0
    while not cursor.done:
        here = cursor.position
        for level in filter(cursor.runs_over, LEVELS):
            for iterations in range(1, cursor.count(level) - here[level]):
                if (*here[:level], here[level] + iterations, *here[level + 1 :]) in positions:
                    found.append((ahead, level, iterations))
        cursor.step()
        ahead += 1
    return found


@given(plans(), st.data())
def test_a_jump_is_as_many_iterations_of_steps(drawn: tuple[Shape, Plan], data: st.DataObject) -> None:
    _, plan = drawn
    for kind in KINDS:
        possible = jumps(plan, kind)
        if not possible:
            continue
        ahead, level, iterations = data.draw(st.sampled_from(possible), label=f"{kind}: steps, level, iterations")
        cursor = cursor_of(plan, kind)
        for _ in range(ahead):
            cursor.step()
        here = cursor.position
        target = (*here[:level], here[level] + iterations, *here[level + 1 :])
        stepped, jumped = copy.copy(cursor), copy.copy(cursor)
        while stepped.position != target:
            stepped.step()
        jumped.jump(level, iterations)
        assert walk(jumped) == walk(stepped)


@given(plans(), st.sampled_from(KINDS))
def test_a_loop_runs_as_often_as_it_is_counted(drawn: tuple[Shape, Plan], kind: str) -> None:
    _, plan = drawn
    cursor: LoopCursor = cursor_of(plan, kind)
    counts: dict[tuple[int, ...], int] = {}
    seen: dict[tuple[int, ...], set[int]] = {}
    while not cursor.done:
        for level in filter(cursor.runs_over, LEVELS):
            loop = (level, *cursor.position[:level])
            counts[loop] = cursor.count(level)
            seen.setdefault(loop, set()).add(cursor.position[level])
        cursor.step()  # type: ignore[attr-defined]
    assert seen == {loop: set(range(count)) for loop, count in counts.items()}
