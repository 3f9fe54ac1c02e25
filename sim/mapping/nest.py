"""Cursors over the loops of a plan: the MXU's tile operations, and the chunks each loader fetches, in order.

A cursor is plain state, one attribute a loop, so that it can be read, compared and moved. Only the units that start
work hold one; units downstream see the shapes in what they are handed.
"""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

from sim.mapping.operands import ceil_div
from sim.mapping.plan import Plan
from sim.mapping.stream import RAW, Stream

LEVELS = ("outer blocks", "inner blocks", "row tiles", "column runs")
"""The loops whose iterations may be skipped, outermost first."""


class Chunk(NamedTuple):
    """A piece of an operand on its way from DRAM into a buffer."""

    data_bytes: int
    side_bytes: int
    held_bytes: int = 0
    """Of the buffer, taken with it for what an attention makes, and kept until that ends."""
    vector: bool = False
    """For the vector unit, where the MXU takes chunks too."""


class TileOp(NamedTuple):
    """One output tile over a stretch of K, and what its first and last group do."""

    rows: int
    columns: int
    groups: int
    """Passes over groups one after the other, see `Plan.steps`."""
    values: int
    """Values of K, padding of the last group not counted."""
    opens_tile: bool
    closes_tile: bool
    takes_weights: bool
    """Waits for a chunk of weights to arrive."""
    takes_activations: bool
    frees_weights: int
    """Bytes of the weight buffer that nobody needs after this."""
    frees_activations: int
    closes_weights: bool
    """Frees the last chunk of a block."""
    closes_activations: bool
    run_opens: bool
    """First tile of a run of column tiles that leave as one output block."""
    run_columns: int
    """Columns of the run if this tile is its last, else 0."""
    stream: Stream = RAW
    """What does not depend on the place in the loops."""
    tiles: int = 1
    """Column tiles that it stands for, done one after the other with nothing to wait for; `columns` are of all."""
    tile_columns: int = 0
    """Of each of several column tiles but the last."""
    takes_place: bool = False
    """Waits for a place where its run of column tiles may lie until it is worked on."""
    alone: bool = False
    """Waits until all output registers are free: the column tiles of attention follow one another from there on."""
    of_made: bool = False
    """Its activations are made on the chip, and it frees a row tile of them: the softmax's weights of attention."""
    idle: int = 0
    """Passes over groups that the last step lacks, where MXUs split K and it has none for all of them."""

    @property
    def work(self) -> int:
        """Passes over groups of all MXUs that share a tile, see `Plan.work`."""
        return self.groups * self.stream.parts - self.idle

    def parts_at(self, step: int) -> int:
        """MXUs with a group in a step, of those that share a tile."""
        return self.stream.parts - (self.idle // self.stream.passes if step >= self.groups - self.stream.passes else 0)


class InOneOperation:
    """A cursor that has no other operation to follow the leader from."""

    __slots__ = ()

    def follows(self, leader: object, level: int) -> bool:
        return False


class LoopCursor(InOneOperation):
    """A position in the loop nest outer > inner > row > column > chunk."""

    __slots__ = ("_chunk_count", "chunk", "column", "columns", "inner", "outer", "plan", "row", "rows")
    levels: ClassVar = LEVELS
    kind: ClassVar = 0
    holds_heads: ClassVar = False

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.outer = self.inner = self.row = self.column = self.chunk = 0
        self._chunk_count = plan.chunks
        self._measure()

    @property
    def done(self) -> bool:
        return self.outer == self.plan.outer.blocks

    @property
    def tokens(self) -> int:
        """Tokens of the present block."""
        return self.plan.tokens.block_size(self.outer if self.plan.order == "tokens_outer" else self.inner)

    @property
    def outputs(self) -> int:
        """Outputs of the present block."""
        return self.plan.outputs.block_size(self.inner if self.plan.order == "tokens_outer" else self.outer)

    @property
    def shape(self) -> tuple[int, int]:
        return self.tokens, self.outputs

    @property
    def position(self) -> tuple[int, int, int, int, int, int]:
        """Outer block, inner block, row tile, run of column tiles, tile in the run, chunk of K."""
        run, tile = divmod(self.column, self.plan.run_tiles)
        return self.outer, self.inner, self.row, run, tile, self.chunk

    def count(self, level: int) -> int:
        """Iterations of the outer, inner, row or run loop in the present block."""
        if level == 0:
            return self.plan.outer.blocks
        if level == 1:
            return self.plan.inner.blocks
        return self.rows if level == 2 else ceil_div(self.columns, self.plan.run_tiles)

    def runs_over(self, level: int) -> bool:
        """Whether this cursor goes through the iterations of a level one by one."""
        return True

    def first(self, level: int) -> int:
        """The first iteration of a level that is like the next: that of a loop inside another takes operands."""
        return int(level > 0)

    def jump(self, level: int, iterations: int) -> None:
        """Move on within one loop."""
        if level == 0:
            self.outer += iterations
        elif level == 1:
            self.inner += iterations
        elif level == 2:
            self.row += iterations
        else:
            self.column += iterations * self.plan.run_tiles
        self._measure()

    def _measure(self) -> None:
        if not self.done:
            self.rows = self.plan.tokens.tiles(self.tokens)
            self.columns = self.plan.outputs.tiles(self.outputs)

    def restart(self) -> None:
        """From the end to the start."""
        self.outer = 0
        self._measure()

    def next_outer(self) -> None:
        self.outer += 1
        self._measure()

    def next_inner(self) -> None:
        self.inner += 1
        if self.inner == self.plan.inner.blocks:
            self.inner = 0
            self.outer += 1
        self._measure()

    def next_tile(self) -> None:
        self.column += 1
        if self.column < self.columns:
            return
        self.column = 0
        self.row += 1
        if self.row == self.rows:
            self.row = 0
            self.next_inner()

    def next_chunk(self) -> bool:
        """Move along K; whether a new stretch of K begins."""
        self.chunk += 1
        if self.chunk < self._chunk_count:
            return False
        self.chunk = 0
        return True


class LoadCursor(LoopCursor):
    """The chunks of one operand in the order in which the MXU first needs them.

    A chunk belongs to one row tile of activations, or column tile of weights, so that the first tile of a block waits
    for its own part only, and the next block's parts follow in as those of this block are used up.
    """

    __slots__ = ("_cache", "_is_outer", "_operand", "_resident", "_tokens_side")

    def __init__(self, plan: Plan, side: Literal["activations", "weights"]) -> None:
        super().__init__(plan)
        self._tokens_side = side == "activations"
        self._operand = plan.activations if self._tokens_side else plan.weights
        self._resident = plan.activations_resident if self._tokens_side else plan.weights_resident
        self._is_outer = self._tokens_side == (plan.order == "tokens_outer")
        self._cache: dict[tuple[int, int], Chunk] = {}

    def runs_over(self, level: int) -> bool:
        if not self._resident:
            return True
        return (True, not self._is_outer, self._tokens_side, not self._tokens_side)[level]

    @property
    def opens_block(self) -> bool:
        """Whether the present chunk is the first of its block, or of its tile where tiles are streamed."""
        return self.chunk == 0 and (not self._resident or self.row == self.column == 0)

    @property
    def rows_until(self) -> int:
        """Tokens up to the end of the present row tile."""
        block = self.outer if self.plan.order == "tokens_outer" else self.inner
        return block * self.plan.tokens.block + min((self.row + 1) * self.plan.tokens.tile, self.tokens)

    def present(self) -> Chunk:
        """The chunk at this position."""
        extent, size, tile = (
            (self.plan.tokens, self.tokens, self.row)
            if self._tokens_side
            else (self.plan.outputs, self.outputs, self.column)
        )
        lanes = min(extent.tile, size - tile * extent.tile)
        key = (lanes, self.chunk)
        chunk = self._cache.get(key)
        if chunk is None:
            shape = (lanes, *self.plan.chunk(self.chunk))
            chunk = Chunk(self._operand.data_bytes(*shape), self._operand.side_bytes(*shape))
            self._cache[key] = chunk
        return chunk

    def step(self) -> None:
        if not self.next_chunk():
            return
        if not self._resident:
            self.next_tile()
        elif self._tokens_side:
            self.row = (self.row + 1) % self.rows
        else:
            self.column = (self.column + 1) % self.columns
        if self._resident and self.row == self.column == 0:
            if self._is_outer:
                self.next_outer()
            else:
                self.next_inner()


class TileCursor(LoopCursor):
    """The tile operations in the order in which the MXU does them.

    A tile that neither takes nor frees a chunk is one operation over all of K; the others go chunk by chunk.
    """

    __slots__ = ("_cache", "_stream")

    def __init__(self, plan: Plan, stream: Stream = RAW) -> None:
        super().__init__(plan)
        self._stream = stream
        self._cache: dict[tuple[object, ...], TileOp] = {}

    @property
    def opens_run(self) -> bool:
        """Whether a run of column tiles begins here."""
        return self.chunk == 0 and self.column % self.plan.run_tiles == 0

    @property
    def _whole(self) -> bool:
        return not any(self._flags())

    def _flags(self) -> tuple[bool, bool, bool, bool]:
        """Whether this tile takes weights, takes activations, frees weights, frees activations."""
        plan = self.plan
        outer_first, outer_last = self.inner == 0, self.inner == plan.inner.blocks - 1
        takes_w, frees_w = self.row == 0, self.row == self.rows - 1
        takes_a, frees_a = self.column == 0, self.column == self.columns - 1
        if plan.order == "tokens_outer":
            takes_a, frees_a = takes_a and outer_first, frees_a and outer_last
        else:
            takes_w, frees_w = takes_w and outer_first, frees_w and outer_last
        if not plan.weights_resident:
            takes_w = frees_w = True
        if not plan.activations_resident:
            takes_a = frees_a = True
        return takes_w, takes_a, frees_w, frees_a

    def present(self) -> TileOp:
        """The operation at this position."""
        flags = self._flags()
        key = (self.tokens, self.outputs, self.row == self.rows - 1, self.column, self.chunk, flags)
        op = self._cache.get(key)
        if op is None:
            op = self._cache[key] = self._describe(flags)
        return op

    def _describe(self, flags: tuple[bool, bool, bool, bool]) -> TileOp:
        plan = self.plan
        takes_w, takes_a, frees_w, frees_a = flags
        whole = not any(flags)
        groups, values = (plan.groups, plan.gemm.k) if whole else plan.chunk(self.chunk)
        steps = plan.steps if whole else plan.passes * ceil_div(groups, plan.split.k)
        last_row, last_column = self.row == self.rows - 1, self.column == self.columns - 1
        rows = min(plan.tokens.tile, self.tokens - self.row * plan.tokens.tile)
        columns = min(plan.outputs.tile, self.outputs - self.column * plan.outputs.tile)
        run_start = self.column - self.column % plan.run_tiles
        ends_run = (self.column + 1) % plan.run_tiles == 0 or last_column
        closes = whole or self.chunk == plan.chunks - 1
        run_columns = self.column * plan.outputs.tile + columns - run_start * plan.outputs.tile
        return TileOp(
            rows=rows,
            columns=columns,
            groups=steps,
            values=values,
            opens_tile=whole or self.chunk == 0,
            closes_tile=closes,
            takes_weights=takes_w,
            takes_activations=takes_a,
            frees_weights=plan.weights.data_bytes(columns, groups, values) if frees_w else 0,
            frees_activations=plan.activations.data_bytes(rows, groups, values) if frees_a else 0,
            closes_weights=frees_w and closes and (last_column or not plan.weights_resident),
            closes_activations=frees_a and closes and (last_row or not plan.activations_resident),
            run_opens=self.column == run_start,
            run_columns=run_columns if ends_run and closes else 0,
            stream=self._stream,
            idle=steps * plan.split.k - groups * plan.passes,
        )

    def step(self) -> None:
        if self._whole or self.next_chunk():
            self.next_tile()
