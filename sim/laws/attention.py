"""What a fused attention must come to, from its plan alone: counters, bounds and stalls.

Everything is counted over stretches: a row tile of one product over one key block. With G groups in the depth of the
product and W words a group, a column tile of it takes the MXU

    G * max(W, B) - (max(W, B) - W)  cycles       B of the weight port, and max(0, B' - W) before a tile of B'

and for r rows, b keys and d values of V, the vector unit does r (b (1 + 3 + 1) + 2) operations for the softmax (the
last 1 where V has scales), and for outputs r d where there are several key blocks, and r (d + 1) at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, zip_longest

from sim.arch.schema import Hardware
from sim.engine.activity import State
from sim.formats.widths import EXPONENT_BITS
from sim.laws.bounds import Bounds, bursts, drain_cycles, word_cycles
from sim.laws.conservation import check_bounds, check_counters, check_time, require_equal
from sim.laws.stalls import CHANNEL, Counted
from sim.mapping.attention import AttentionPlan
from sim.mapping.operands import ceil_div
from sim.mapping.pace import Pace
from sim.mapping.piece import Piece
from sim.units.dram import model_of
from sim.workload.gemm import FusedAttention, Gemm, products


@dataclass(frozen=True)
class Stretch:
    """A row tile of `rows` rows, of the scores over `keys` keys, or of the context."""

    context: bool
    rows: int
    keys: int
    several: bool
    """Whether its row block has more key blocks."""
    closes: bool
    """Whether this is the last of them."""


class AttentionExpectation:
    """Of an attention.

    Raises
    ------
    InputError
        Where it does not fit the machine.
    """

    def __init__(self, piece: Piece) -> None:
        assert isinstance(piece.work, FusedAttention)
        self.work: FusedAttention = piece.work
        self.plan: AttentionPlan = piece.attention_plan()
        held, side = self.plan.held_bytes
        buffers, activation = piece.hardware.buffers, piece.hardware.buffers.activation
        room = {"bytes": activation.bytes - held, "exponent_bytes": activation.exponent_bytes - side}
        left = buffers.model_copy(update={"activation": activation.model_copy(update=room)})
        self.hardware: Hardware = piece.hardware.model_copy(update={"buffers": left})
        """With what scores, weights and outputs leave of the activation buffer."""
        self.products: tuple[Gemm, Gemm] = products(self.work)

    def _blocks(self) -> Iterator[tuple[list[int], int, bool, bool]]:
        """Row tiles and keys of the key blocks of a head, whether there are several of its row block, and the last."""
        for segment in self.plan.segments:
            heights = [height for height, times in cut(segment.rows, self.plan.tile_rows) for _ in range(times)]
            sizes = [size for size, times in cut(segment.keys, self.plan.key_block) for _ in range(times)]
            for _ in range(segment.count):
                for index, keys in enumerate(sizes):
                    yield heights, keys, len(sizes) > 1, index == len(sizes) - 1

    def _stream(self, heads: int) -> Iterator[Stretch]:
        """The row tiles of so many heads in the MXU's order: those of scores, each with one of the contexts before."""
        before: list[Stretch] = []
        for _ in range(heads):
            for heights, keys, *place in self._blocks():
                scores = [Stretch(False, height, keys, *place) for height in heights]
                for pair in zip_longest(scores, before):
                    yield from (one for one in pair if one is not None)
                before = [Stretch(True, height, keys, *place) for height in heights]
        yield from before

    @cached_property
    def stretches(self) -> tuple[tuple[Stretch, int], ...]:
        """All row tiles, and how often each occurs."""
        found: Counter[Stretch] = Counter()
        for (heights, keys, *place), times in Counter(
            (tuple(block[0]), *block[1:]) for block in self._blocks()
        ).items():
            for context in (False, True):
                for height in heights:
                    found[Stretch(context, height, keys, *place)] += times * self.work.heads
        return tuple(found.items())

    def pace(self, one: Stretch) -> Pace:
        return self.plan.pace.context if one.context else self.plan.pace.scores

    def groups(self, one: Stretch) -> int:
        """Passes over groups of a tile."""
        depth = one.keys if one.context else self.work.head_size
        return ceil_div(depth, self.plan.group) * self.pace(one).passes

    def width(self, one: Stretch) -> int:
        return self.work.value_size if one.context else one.keys

    def widths(self, one: Stretch) -> list[tuple[int, int]]:
        """Widths of the column tiles, and how many there are of each, in order."""
        return cut(self.width(one), self.plan.tile_columns)

    def column_tiles(self, one: Stretch) -> int:
        return ceil_div(self.width(one), self.plan.tile_columns)

    def block_cycles(self, width: int) -> int:
        """Cycles of the weight port for a group."""
        bits = min(width, self.hardware.mxu.columns) * self.plan.step_bits
        return ceil_div(bits, self.hardware.weight_dispatcher.port_bits)

    def group_cycles(self, one: Stretch) -> int:
        """Cycles of the activation port for a group."""
        return word_cycles(self.hardware, self.pace(one), one.rows)

    def _sum(self, of: Callable[[Stretch], int]) -> int:
        return sum(times * of(one) for one, times in self.stretches)

    @cached_property
    def port_cycles(self) -> int:
        """Cycles that the MXU takes for all groups, were the weights always there."""
        return self._sum(lambda one: self.column_tiles(one) * self.groups(one) * self.group_cycles(one))

    @cached_property
    def words(self) -> int:
        """Words that the MXU takes."""
        return self._sum(lambda one: self.column_tiles(one) * self.groups(one) * self.pace(one).words)

    @cached_property
    def ports(self) -> dict[str, int]:
        """Cycles in which the ports make the MXU take no word."""
        port_bits = self.hardware.activation_dispatcher.port_bits
        words = self._sum(
            lambda one: (
                self.column_tiles(one)
                * self.groups(one)
                * self.pace(one).words
                * ceil_div(one.rows * self.pace(one).word_bits, port_bits)
            )
        )
        return {
            "activation_port": words - self.words,
            "exponent_port": self.port_cycles - words,
            "weight_port": self.weight_port_cycles,
        }

    @property
    def first_block(self) -> int:
        """Cycles of the weight port for its first group."""
        return self._first_block(next(self._stream(1)))

    @cached_property
    def last_group(self) -> int:
        """Cycles of the activation port for its last group."""
        *_, last = self._stream(1)
        return self.group_cycles(last)

    @cached_property
    def weight_port_cycles(self) -> int:
        """Cycles that it waits for the port of the weights: from the second head on, each waits as long."""
        heads, ones = self.work.heads, [one for one, _ in self.stretches]
        slowest = max(self.block_cycles(width) for one in ones for width, _ in self.widths(one))
        if slowest <= min(self.group_cycles(one) for one in ones):
            return 0
        if heads <= 3:
            return self._weight_port(heads)
        two, three = self._weight_port(2), self._weight_port(3)
        return two + (heads - 2) * (three - two)

    def _weight_port(self, heads: int) -> int:
        stream = list(self._stream(heads))
        inside = sum(self._inside(one) for one in stream)
        between = sum(max(0, self._first_block(after) - self.group_cycles(one)) for one, after in pairwise(stream))
        return inside + between

    def _first_block(self, one: Stretch) -> int:
        return self.block_cycles(self.widths(one)[0][0])

    def _inside(self, one: Stretch) -> int:
        """From each group of a stretch to the next."""
        group, groups, total = self.group_cycles(one), self.groups(one), 0
        blocks = [(self.block_cycles(width), times) for width, times in self.widths(one)]
        for block, times in blocks:
            total += times * groups * max(0, block - group)
        return total - max(0, blocks[0][0] - group)

    @cached_property
    def chunks(self) -> tuple[Counter[tuple[int, int]], Counter[tuple[int, int]]]:
        """Chunks of keys and values, and of queries: bytes in the buffer and beside it, and how many."""
        plan, heads = self.plan, self.work.heads
        keys_values: Counter[tuple[int, int]] = Counter()
        queries: Counter[tuple[int, int]] = Counter()
        for segment in plan.segments:
            queries[plan.query_bytes(segment.rows)] += heads * segment.count
            for index in range(plan.key_blocks(segment.keys)):
                size = plan.key_block_size(segment.keys, index)
                held = min(max(segment.held - index * plan.key_block, 0), size) if plan.resident else 0
                if size > held:
                    times = heads * (1 if plan.resident else segment.count)
                    keys_values[(size - held) * plan.key_bytes, 0] += times
                    keys_values[(size - held) * plan.value_bytes, 0] += times
        return keys_values, queries

    def _written(self) -> Iterator[tuple[int, int, int]]:
        """Rows and columns of the blocks that leave, and how many there are."""
        for one, times in self.stretches:
            if one.context and one.closes:
                for columns, parts in cut(self.work.value_size, self.plan.group):
                    yield one.rows, columns, times * parts

    @cached_property
    def vector_parts(self) -> Counter[int]:
        """Operations of the parts of the vector unit's work, and how many there are of each."""
        plan, found = self.plan, Counter[int]()
        for one, times in self.stretches:
            if not one.context:
                found[plan.maximum_operations(one.rows, one.keys)] += times
                for keys, parts in cut(one.keys, plan.group):
                    found[plan.weight_operations(one.rows, keys)] += times * parts
            elif not one.closes:
                found[one.rows * self.work.value_size] += times
            else:
                each, sizes = 1 + one.several, cut(self.work.value_size, plan.group)
                for columns, parts in sizes:
                    found[one.rows * columns * each] += times * parts
                found[one.rows * sizes[0][0] * each] -= times
                found[one.rows * (sizes[0][0] * each + 1)] += times
        return found

    @cached_property
    def vector_cycles(self) -> int:
        """Cycles of the vector unit at work."""
        return sum(ceil_div(part, self.hardware.vector.fpus) * times for part, times in self.vector_parts.items())

    def _compressed(self) -> Iterator[tuple[int, int, int]]:
        """Groups and rows a group of the blocks that the compressor takes, and how many there are."""
        for one, times in self.stretches:
            if not one.context:
                for _, parts in cut(one.keys, self.plan.group):
                    yield one.rows, self.plan.pace.context.words, times * parts
        rows = self.plan.pace.context.compressed_rows
        if rows is not None:
            for height, _, times in self._written():
                yield height, rows, times

    @cached_property
    def compressor_cycles(self) -> int:
        """Cycles of the compressor, hand-over included."""
        bpc = self.hardware.bpc
        if bpc is None:
            return 0
        lanes = bpc.lanes * self.hardware.mxu.count
        return sum(times * (1 + ceil_div(groups, lanes) * rows) for groups, rows, times in self._compressed())

    @cached_property
    def counters(self) -> Mapping[str, int]:
        """Every counter that the plan alone decides."""
        arch, work, (keys_values, queries) = self.hardware, self.work, self.chunks
        ports = arch.activation_dispatcher
        exponents = EXPONENT_BITS if ports.exponent_port_bits is not None else 0
        tiles = self._sum(lambda one: self.column_tiles(one))
        words = self._sum(lambda one: self._groups_of_rows(one) * self.column_tiles(one) * self.pace(one).words)
        written = list(self._written())
        output = sum(bursts(arch, self._output_bytes(rows, columns)) * times for rows, columns, times in written)
        counters = {
            "mxu.macs": work.scores * (work.head_size + work.value_size),
            "mxu.tiles": tiles,
            "mxu.groups": self._sum(lambda one: self.column_tiles(one) * self.groups(one)),
            "mxu.pe_cycles": self._sum(lambda one: self._groups_of_rows(one) * self.width(one) * self.pace(one).words),
            "weight_dispatcher.beats": self._sum(
                lambda one: (
                    self.groups(one) * sum(self.block_cycles(width) * times for width, times in self.widths(one))
                )
            ),
            "weight_dispatcher.read_bits": self._sum(
                lambda one: self.width(one) * self.groups(one) * (self.plan.step_bits + self.scale_bits(one))
            ),
            "activation_dispatcher.beats": self.port_cycles,
            "activation_dispatcher.read_bits": words * self.plan.pace.scores.word_bits,
            "activation_dispatcher.exponent_read_bits": exponents
            * self._sum(lambda one: self._groups_of_rows(one) * self.column_tiles(one)),
            "collector.beats": self._sum(lambda one: self.column_tiles(one) * drain_cycles(arch, one.rows)),
            "vector.operations": sum(part * times for part, times in self.vector_parts.items()),
            "vector.read_bits": self._sum(lambda one: self._moved_bits(one)[0]),
            "vector.written_bits": self._sum(lambda one: self._moved_bits(one)[1]),
            "dram.output_bytes": output,
            "writer.written_bytes": output,
            "writer.written_values": sum(rows * columns * times for rows, columns, times in written),
            "writer.blocks": sum(times for *_, times in written),
            **self._loaded("weight", keys_values, arch.buffers.weight.fill_port_bits),
            **self._loaded("activation", queries, arch.buffers.activation.fill_port_bits),
        }
        if arch.bpc is not None:
            lanes, compressed = arch.bpc.lanes * arch.mxu.count, list(self._compressed())
            counters["bpc.groups"] = sum(groups * times for groups, _, times in compressed)
            counters["bpc.rows"] = sum(ceil_div(groups, lanes) * rows * times for groups, rows, times in compressed)
        return counters

    def scale_bits(self, one: Stretch) -> int:
        """That come to a PE with a group of keys or values."""
        return self.products[one.context].weights.side_bits(self.plan.group)

    def _groups_of_rows(self, one: Stretch) -> int:
        return one.rows * self.groups(one)

    def _moved_bits(self, one: Stretch) -> tuple[int, int]:
        if one.context:
            return self.plan.output_bits(one.rows, several=one.several)
        return self.plan.score_bits(one.rows, one.keys)

    def _output_bytes(self, rows: int, columns: int) -> int:
        output, shape = self.plan.pace.context.output, (rows, ceil_div(columns, self.plan.group), columns)
        return output.data_bytes(*shape) + output.side_bytes(*shape)

    def _loaded(self, side: str, chunks: Mapping[tuple[int, int], int], port_bits: int) -> dict[str, int]:
        asked = sum(bursts(self.hardware, data + beside) * times for (data, beside), times in chunks.items())
        return {
            f"dram.{side}_bytes": asked,
            f"{side}_loader.requested_bytes": asked,
            f"{side}_loader.requests": sum(chunks.values()),
            f"{side}_buffer.filled_bytes": sum(data * times for (data, _), times in chunks.items()),
            f"{side}_buffer.filled_side_bytes": sum(beside * times for (_, beside), times in chunks.items()),
            f"{side}_buffer.fill_beats": sum(
                ceil_div(8 * data, port_bits) * times for (data, _), times in chunks.items()
            ),
        }

    @cached_property
    def bounds(self) -> Bounds:
        """Limits on the cycles: the busiest of MXU, vector unit, compressor and channel; nothing overlapped."""
        arch, counters, dram = self.hardware, self.counters, model_of(self.hardware)
        launch, moved = arch.controller.launch_cycles, sum(counters[f"dram.{side}_bytes"] for side in SIDES)
        requests = counters["weight_loader.requests"] + counters["activation_loader.requests"]
        steady = self.port_cycles + self.weight_port_cycles
        lower = launch + max(steady, self.vector_cycles, self.compressor_cycles, 1 + dram.least_cycles(moved))
        fills = counters["weight_buffer.fill_beats"] + counters["activation_buffer.fill_beats"]
        upper = (
            launch
            + dram.most_cycles(moved, requests, counters["writer.blocks"])
            + 3 * requests
            + fills
            + self.port_cycles
            + counters["weight_dispatcher.beats"]
            + counters["mxu.tiles"] * arch.mxu.pipeline_cycles
            + counters["collector.beats"]
            + self.vector_cycles
            + self.compressor_cycles
            + 3 * counters["writer.blocks"]
        )
        return Bounds(lower, upper)

    def check(self, run: Counted) -> None:
        """Hold a run against all of it.

        Raises
        ------
        BrokenLawError
            Names the unit, the law, and both sides.
        """
        check_time(run.states, run.cycles)
        check_bounds(run.cycles, self.bounds)
        check_counters(run.counters, self.counters)
        require_equal("vector", "busy = its parts", run.states["vector"][State.BUSY], self.vector_cycles)
        self.stalls(run)

    def stalls(self, run: Counted) -> dict[str, int]:
        """Cycles of a run in which the MXU takes no word, by cause; see `sim.laws.stalls`.

        Waits for the softmax's weights, and for room that the vector unit has to make, are the softmax's.

        Raises
        ------
        BrokenLawError
            Where they and the busy cycles do not add up to the run's.
        """
        counters, busy = run.counters, run.states["mxu"][State.BUSY]
        stalls = {
            **self.ports,
            "fill_and_drain": counters["mxu.fill_cycles"] + run.states["mxu"][State.IDLE],
            "softmax": sum(counters[name] for name in _waits(("dependency", "output_space"))),
        }
        for cause in ("weights", "activations"):
            for channel in CHANNEL:
                stalls[f"{cause}_channel_{channel}"] = counters[f"mxu.{cause}_wait_channel_{channel}_cycles"]
        require_equal("mxu", "busy + ports + waits + fill and drain = total", busy + sum(stalls.values()), run.cycles)
        return stalls


SIDES = ("weight", "activation", "output")


def cut(size: int, tile: int) -> list[tuple[int, int]]:
    """Sizes of the parts of a stretch, and how many there are of each, in order."""
    whole, rest = divmod(size, tile)
    return [(part, times) for part, times in ((tile, whole), (rest, 1)) if part and times]


def _waits(causes: Iterable[str]) -> list[str]:
    """Names of the counters of waits of the MXU."""
    return [f"mxu.{cause}_wait_channel_{channel}_cycles" for cause in causes for channel in CHANNEL]
