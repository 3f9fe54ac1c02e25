"""What a piece of work must come to, computed once from the piece alone, and what a run of it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

from sim.laws.attention import AttentionExpectation
from sim.laws.bounds import (
    Bounds,
    DramFloor,
    Pacing,
    Traffic,
    dram_floor,
    gemm_bounds,
    gemm_traffic,
    pacing_of,
    vector_bounds,
)
from sim.laws.conservation import check_bounds, check_counters, check_floor, check_promises, check_time
from sim.laws.expected import gemm_counters, quantiser_counters, vector_counters
from sim.laws.stalls import Counted, gemm_stalls, vector_stalls
from sim.mapping.pace import Pace
from sim.mapping.piece import Piece
from sim.mapping.plan import Plan
from sim.mapping.vector_blocks import Blocks, cut, cut_tokens
from sim.workload.gemm import FusedAttention, Gemm, Quantisation, VectorWork


class GemmExpectation:
    """Of a GeMM whose blocks are known.

    Raises
    ------
    InputError
        Where the GeMM does not fit the machine.
    """

    def __init__(self, piece: Piece) -> None:
        assert isinstance(piece.pace, Pace)
        self.hardware = piece.hardware
        self.pace: Pace = piece.pace
        self.plan: Plan = piece.plan()

    @cached_property
    def traffic(self) -> Traffic:
        """Bytes and requests that the plan asks of DRAM."""
        return gemm_traffic(self.hardware, self.plan, self.pace)

    @cached_property
    def pacing(self) -> Pacing:
        """Cycles of all groups, were all operands there."""
        return pacing_of(self.hardware, self.plan, self.pace)

    @cached_property
    def bounds(self) -> Bounds:
        """Limits on the cycles."""
        return gemm_bounds(self.hardware, self.plan, self.pace, self.traffic, self.pacing)

    @cached_property
    def counters(self) -> Mapping[str, int]:
        """Every counter that the plan alone decides."""
        return gemm_counters(self.hardware, self.plan, self.pace, self.traffic)

    @cached_property
    def floor(self) -> DramFloor:
        """Bytes of DRAM traffic that no schedule can go below."""
        return dram_floor(self.hardware, self.plan, self.pace)

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
        check_promises(self.hardware, run.counters, run.cycles)
        check_floor(self.traffic, self.floor)
        self.stalls(run)

    def stalls(self, run: Counted) -> dict[str, int]:
        """Cycles of a run in which the MXU takes no word, by cause; see `gemm_stalls`."""
        return gemm_stalls(self.hardware, self.plan, self.pace, self.pacing, run)


class VectorExpectation:
    """Of vector work, or of tokens to quantise.

    Attributes
    ----------
    unit
        That does it.
    a_cycle
        Operations of its blocks that it does in a cycle.

    Parameters
    ----------
    blocks
        Of vector work in programs, which cut it by rows.
    """

    def __init__(self, piece: Piece, blocks: Blocks | None = None) -> None:
        assert isinstance(piece.work, VectorWork | Quantisation)
        self.hardware, self.work = piece.hardware, piece.work
        room = piece.hardware.buffers.activation.bytes
        self.unit: Literal["vector", "quantiser"] = "vector"
        self.a_cycle = piece.hardware.vector.fpus
        if isinstance(piece.work, VectorWork):
            self.blocks: Blocks = blocks or cut(piece.work, room)
        else:
            assert piece.hardware.quantiser is not None
            self.unit, self.a_cycle = "quantiser", 1
            self.blocks = cut_tokens(piece.work, piece.hardware.quantiser.lanes, room)

    @cached_property
    def bounds(self) -> Bounds:
        """As `GemmExpectation.bounds`."""
        return vector_bounds(self.hardware, self.blocks, self.a_cycle)

    @cached_property
    def counters(self) -> Mapping[str, int]:
        """As `GemmExpectation.counters`."""
        if isinstance(self.work, Quantisation):
            return quantiser_counters(self.hardware, self.work, self.blocks)
        return vector_counters(self.hardware, self.work, self.blocks)

    def check(self, run: Counted) -> None:
        """As `GemmExpectation.check`."""
        check_time(run.states, run.cycles)
        check_bounds(run.cycles, self.bounds)
        check_counters(run.counters, self.counters)
        check_promises(self.hardware, run.counters, run.cycles)
        vector_stalls(run, self.unit)


Expectation = GemmExpectation | AttentionExpectation | VectorExpectation


def expect(piece: Piece) -> Expectation:
    """The expectation of a piece, whatever its work."""
    if isinstance(piece.work, FusedAttention):
        return AttentionExpectation(piece)
    return GemmExpectation(piece) if isinstance(piece.work, Gemm) else VectorExpectation(piece)
