"""What a reader must know beside the numbers, the same in the terminal, on the page and in the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_ref.beside.standing import PhaseStanding
from gpu_ref.reference.cards import shipped

if TYPE_CHECKING:
    from gpu_ref.beside.comparison import Beside

OUTSIDE_AREA = "PHYs, links, the NoC between MXUs, host interface"


def title(part: PhaseStanding) -> str:
    """A part of the work and how much of it is counted, on both sides the same."""
    tokens = "" if part.tokens is None else f", {part.tokens:,} token{'' if part.tokens == 1 else 's'}"
    return f"{part.name}{tokens}: {100 * part.operations_share:.4g} % of the products' operations"


def notes(beside: Beside) -> list[str]:
    """How to read the figures."""
    reference = shipped()
    density = reference.transistors_per_square_millimetre
    several = (
        ["N x: the work shared evenly by N machines; links between them are not modelled."] if beside.scaled else []
    )
    return [
        *several,
        *beside.card.remarks,
        "DRAM, peak: shares of the bandwidth (a machine's bytes as simulated, a card's fewest: weights, activations "
        "and outputs once) and of the dense peak of the operands used.",
        "Error: of the card's times, median / 95 % of held-out rows of its tables; quartiles for a record.",
        "Energy: from DRAM alone to all that is modelled (machine) or the TDP all along (card, DRAM at "
        f"{reference.dram_picojoules_per_bit.value} pJ/bit).",
        "as built: seconds against seconds. bandwidth, peak, area, transistors: seconds times the resource. rebuilt: "
        "the machine at the card's bandwidth and peak, compute and DRAM time scaled apart, the larger taken.",
        f"Areas as drawn, each in its own process; a machine's transistors: its area at {density.value / 1e6:.3g} "
        f"million a mm2 ({density.source}).",
        f"Not in a machine's area: {OUTSIDE_AREA}.",
    ]
