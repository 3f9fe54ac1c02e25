"""Cursors over the loops of a fused attention: of the MXU, of the loads of K, V and Q, and of the softmax.

    head > segment > row block > key block > row tile > product > column tile, or part of the softmax

A row tile of a key block's scores is followed by the row tile of the context of the key block before it, of the row
block or head before where this is the first; after the last scores come their own contexts. Segments differ from one
another and are never skipped.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from sim.mapping.attention import DIVIDE_ROW_OPERATIONS, AttentionPlan
from sim.mapping.nest import Chunk, InOneOperation, TileOp
from sim.mapping.operands import ceil_div

ATTENTION_LEVELS = ("heads", "segments", "row blocks", "key blocks", "row tiles")
SCORES, CONTEXT = 0, 1
"""The products of a key block."""
ALIKE = 3
"""Key blocks from either end of a row block that are told apart."""


class BlockView(NamedTuple):
    """A key block of a row block, as one of its products sees it."""

    rows: int
    """Of the row block."""
    row_tiles: int
    keys: int
    several: bool
    """Whether there are more key blocks."""
    closes: bool
    """Whether it is the last of them."""
    loads: int
    """Keys of it that come from DRAM for this row block."""
    frees: bool
    """Whether this row block is the last to use them."""


class AttentionCursor(InOneOperation):
    """A position in the loops."""

    __slots__ = (
        *("_row_tiles", "_views", "block", "column", "done", "head", "key_block", "plan", "product", "row", "segment"),
        *("shape", "view"),
    )
    levels: ClassVar = ATTENTION_LEVELS
    kind: ClassVar = 0
    holds_heads: ClassVar = False
    view: BlockView
    """Of the present product."""

    def __init__(self, plan: AttentionPlan) -> None:
        self.plan = plan
        self.head = self.segment = self.block = self.key_block = self.product = self.row = self.column = 0
        self.done = False
        self._look()

    @property
    def position(self) -> tuple[int, ...]:
        return self.head, self.segment, self.block, self.key_block, self.row, self.product, self.column

    def restart(self) -> None:
        """From the end to the start."""
        self.head = self.segment = self.block = self.key_block = self.product = self.row = self.column = 0
        self.done = False
        self._look()

    @property
    def begins(self) -> bool:
        """Whether this is the very first position."""
        return not any(self.position)

    def _look(self) -> None:
        """What the products of the present key block are of; find the first there is."""
        segments = self.plan.segments
        first = not any((self.head, self.segment, self.block, self.key_block))
        scores = None if self._ended else self._view(self.segment, self.block, self.key_block)
        self._views = (scores, None if first else self._view(*self._before()))
        self._row_tiles = max(view.row_tiles for view in self._views if view is not None)
        blocks = self.plan.key_blocks(segments[self.segment].keys)
        place = (self.segment, min(self.key_block, ALIKE), min(blocks - self.key_block, ALIKE), int(self.block == 0))
        self.shape: tuple[int, ...] = place + tuple(int(part) for view in self._views for part in view or ())
        self._settle()

    @property
    def _ended(self) -> bool:
        """Whether only the last context is left."""
        return self.head == self.plan.work.heads

    def _before(self) -> tuple[int, int, int]:
        """Segment, row block and key block before the present one."""
        if self.key_block:
            return self.segment, self.block, self.key_block - 1
        segments = self.plan.segments
        segment = self.segment if self.block else (self.segment or len(segments)) - 1
        block = (self.block or segments[segment].count) - 1
        return segment, block, self.plan.key_blocks(segments[segment].keys) - 1

    def _view(self, segment: int, block: int, index: int) -> BlockView:
        plan, of = self.plan, self.plan.segments[segment]
        blocks, keys = plan.key_blocks(of.keys), plan.key_block_size(of.keys, index)
        loads, frees = keys, True
        if plan.resident:
            loads = 0 if block else plan.loads(of.keys, of.held, index)
            frees = of.ends_head and block == of.count - 1
        tiles = ceil_div(of.rows, plan.tile_rows)
        return BlockView(of.rows, tiles, keys, blocks > 1, index == blocks - 1, loads, frees)

    def _settle(self) -> None:
        """Go on to a product that has such a row tile."""
        while not self.done:
            view = self._views[self.product]
            if view is not None and self.row < view.row_tiles:
                self.view = view
                return
            self._next_product()

    @property
    def rows(self) -> int:
        """Rows of the present row tile."""
        return min(self.plan.tile_rows, self.view.rows - self.row * self.plan.tile_rows)

    @property
    def token_bytes(self) -> int:
        """Of a token's key or value, as the present product takes it."""
        return self.plan.value_bytes if self.product == CONTEXT else self.plan.key_bytes

    def count(self, level: int) -> int:
        """Iterations, alike but for the first and the last; none where none are."""
        if level == 0:
            return self.plan.work.heads
        if level == 2:
            return self.plan.segments[self.segment].count
        if level == 3:
            return self.plan.key_blocks(self.plan.segments[self.segment].keys)
        return min(0 if view is None else view.row_tiles for view in self._views) if level == 4 else 0

    def first(self, level: int) -> int:
        """The first iteration of a level that is like the next."""
        return int(level > 0)

    def runs_over(self, level: int) -> bool:
        return True

    def jump(self, level: int, iterations: int) -> None:
        """Move on within one loop."""
        name = ("head", "segment", "block", "key_block", "row")[level]
        setattr(self, name, getattr(self, name) + iterations)
        self._look()

    def next_row_block(self) -> None:
        self.key_block = self.row = self.product = self.column = 0
        self.block += 1
        if self.block == self.plan.segments[self.segment].count:
            self.block = 0
            self.segment += 1
            if self.segment == len(self.plan.segments):
                self.segment = 0
                self.head += 1
        self._look()

    def next_key_block(self) -> None:
        self.row = self.product = self.column = 0
        if self._ended:
            self.done = True
            return
        self.key_block += 1
        if self.key_block == self.plan.key_blocks(self.plan.segments[self.segment].keys):
            self.next_row_block()
        else:
            self._look()

    def _next_product(self) -> None:
        self.column = 0
        if self.product == SCORES:
            self.product = CONTEXT
            return
        self.product = SCORES
        self.row += 1
        if self.row == self._row_tiles:
            self.next_key_block()

    def next_row_tile(self) -> None:
        """To the next row tile of either product."""
        self._next_product()
        self._settle()


class AttentionTileCursor(AttentionCursor):
    """The MXU's tile operations, each over all of its product's K: a head's values, or the keys of a block.

    Parameters
    ----------
    whole
        The column tiles of a row tile are one operation.
    """

    __slots__ = ("_cache", "_whole")

    def __init__(self, plan: AttentionPlan, *, whole: bool = False) -> None:
        super().__init__(plan)
        self._whole = whole
        self._cache: dict[tuple[object, ...], TileOp] = {}

    @property
    def opens_run(self) -> bool:
        """Whether a row tile begins here."""
        return self.column == 0

    @property
    def _columns(self) -> int:
        return self.plan.work.value_size if self.product == CONTEXT else self.view.keys

    def present(self) -> TileOp:
        """The operation at this position."""
        last_row = self.row == self.view.row_tiles - 1
        key = (
            self.product,
            self.view,
            self.rows,
            self.row == 0,
            last_row,
            self.column,
            self.key_block == 0,
            self.begins,
        )
        op = self._cache.get(key)
        if op is None:
            op = self._cache[key] = self._describe(last_row)
        return op

    def _describe(self, last_row: bool) -> TileOp:
        plan, view, context = self.plan, self.view, self.product == CONTEXT
        width, tile = self._columns, self._columns if self._whole else plan.tile_columns
        columns = min(tile, width - self.column * tile)
        last_column = (self.column + 1) * tile >= width
        values, pace = (view.keys, plan.pace.context) if context else (plan.work.head_size, plan.pace.scores)
        opens = self.row == self.column == 0
        ends_queries = not context and view.closes and last_row and last_column
        queries, _ = plan.query_bytes(view.rows)
        return TileOp(
            rows=self.rows,
            columns=columns,
            groups=ceil_div(values, plan.group) * pace.passes,
            values=values,
            opens_tile=True,
            closes_tile=True,
            takes_weights=opens and view.loads > 0,
            takes_activations=self.column == 0 if context else opens and self.key_block == 0,
            frees_weights=view.keys * self.token_bytes if view.frees and last_row and last_column else 0,
            frees_activations=(1 if last_column else 0) if context else queries if ends_queries else 0,
            closes_weights=context and view.closes and view.frees and last_row and last_column,
            closes_activations=ends_queries,
            run_opens=self.column == 0,
            run_columns=width if last_column else 0,
            stream=plan.streams.context if context else plan.streams.scores,
            tiles=ceil_div(columns, plan.tile_columns),
            tile_columns=plan.tile_columns,
            takes_place=self.column == 0,
            alone=self.begins,
            of_made=context,
        )

    def step(self) -> None:
        self.column += 1
        if self._whole or self.column * self.plan.tile_columns >= self._columns:
            self.next_row_tile()


class KeyValueCursor(AttentionCursor):
    """The chunks of K and V: of each key block the keys, and a block later the values, that are not there yet."""

    __slots__ = ()
    holds_heads: ClassVar = True

    def __init__(self, plan: AttentionPlan) -> None:
        super().__init__(plan)
        self._find()

    def restart(self) -> None:
        super().restart()
        self._find()

    def _find(self) -> None:
        """Go on to the next block of which something has to come."""
        while not self.done and not self.view.loads:
            self._next()

    def _next(self) -> None:
        """To the other product of this key block, or the next key block."""
        if self.product == SCORES and self._views[CONTEXT] is not None:
            self.product = CONTEXT
            self._settle()
        else:
            self.next_key_block()

    @property
    def opens_block(self) -> bool:
        """Whether it is the first of what is freed together: of a head that stays, or of a row block."""
        first = self.product == SCORES and self.key_block == 0
        return first and (not self.plan.resident or self.segment == self.block == 0)

    def runs_over(self, level: int) -> bool:
        return level < 4

    def present(self) -> Chunk:
        return Chunk(self.view.loads * self.token_bytes, 0)

    def step(self) -> None:
        self._next()
        self._find()


class QueryCursor(AttentionCursor):
    """The chunks of Q: one a row block."""

    __slots__ = ()

    @property
    def opens_block(self) -> bool:
        return True

    def runs_over(self, level: int) -> bool:
        return level < 3

    def present(self) -> Chunk:
        held, _ = self.plan.held_bytes
        return Chunk(*self.plan.query_bytes(self.view.rows), held if self.begins else 0)

    def step(self) -> None:
        self.next_row_block()
        self.done = self._ended


class SoftmaxStep(NamedTuple):
    """A part of the vector unit's work on a row tile.

    A row tile of scores begins with the pass for its maximum, then come its weights group by group; a row tile of
    partial outputs is one part, or the last time as many as there are groups of outputs.
    """

    operations: int
    read_bits: int
    written_bits: int
    rows: int
    columns: int = 0
    """Of what leaves: weights for the MXU, or outputs; 0: nothing does."""
    takes: bool = False
    """Waits for a row tile from the collector."""
    gives: bool = False
    """Is the last part of the row tile."""
    weights: bool = False
    opens_weights: bool = False
    """Weights are the first of their row tile."""


class SoftmaxCursor(AttentionCursor):
    """The vector unit's steps, in the order in which the collector hands on row tiles."""

    __slots__ = ("_cache",)

    def __init__(self, plan: AttentionPlan) -> None:
        super().__init__(plan)
        self._cache: dict[tuple[object, ...], SoftmaxStep] = {}

    @property
    def _parts(self) -> int:
        if self.product == SCORES:
            return 1 + ceil_div(self.view.keys, self.plan.group)
        return ceil_div(self.plan.work.value_size, self.plan.group) if self.view.closes else 1

    @property
    def ends(self) -> bool:
        """Whether nothing comes after the present part."""
        last = self._ended and self.product == CONTEXT and self.row == self.view.row_tiles - 1
        return last and self.column == self._parts - 1

    def present(self) -> SoftmaxStep:
        key = (self.product, self.view.keys, self.rows, self.column, self.view.closes, self.view.several)
        found = self._cache.get(key)
        if found is None:
            found = self._cache[key] = self._scores() if self.product == SCORES else self._outputs()
        return found

    def _scores(self) -> SoftmaxStep:
        plan, rows, keys, part = self.plan, self.rows, self.view.keys, self.column
        if not part:
            operations = plan.maximum_operations(rows, keys)
            return SoftmaxStep(operations, *plan.score_bits(rows, keys), rows, takes=True)
        columns = min(plan.group, keys - (part - 1) * plan.group)
        operations = plan.weight_operations(rows, columns)
        gives = part == self._parts - 1
        return SoftmaxStep(operations, 0, 0, rows, columns, gives=gives, weights=True, opens_weights=part == 1)

    def _outputs(self) -> SoftmaxStep:
        plan, rows, part = self.plan, self.rows, self.column
        width = plan.work.value_size
        columns = min(plan.group, width - part * plan.group) if self.view.closes else width
        operations = rows * columns * (self.view.several + self.view.closes)
        if self.view.closes and not part:
            operations += DIVIDE_ROW_OPERATIONS * rows
        reads, writes = (0, 0) if part else plan.output_bits(rows, several=self.view.several)
        leaves, gives = columns if self.view.closes else 0, part == self._parts - 1
        return SoftmaxStep(operations, reads, writes, rows, leaves, takes=not part, gives=gives)

    def step(self) -> None:
        self.column += 1
        if self.column == self._parts:
            self.next_row_tile()
