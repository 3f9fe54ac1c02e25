"""All checks of the RTL: which unit, compiled how, on how many random cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from sim import shipped
from sim.rtl.checks import arithmetic, bpc, collector, complete, dispatchers, matrix, plane_fill, quantiser
from sim.rtl.checks.build import Design, Edit
from sim.rtl.checks.comparison import Comparison
from sim.rtl.checks.shape import Shape

COMPLETE = "complete GeMMs"
COMPLETE_CASES = 45
"""Of each machine: nine on each memory."""


@dataclass(frozen=True)
class Check:
    """One unit under random stimulus.

    Attributes
    ----------
    unit
        What is compared.
    variant
        Its size.
    run
        From a design and seeds to the comparison of each case.
    cases
        Seeds 0, 1, ... of a full check.
    """

    unit: str
    variant: str
    design: Design
    run: Callable[[Design, Sequence[int]], list[Comparison]]
    cases: int

    @property
    def name(self) -> str:
        return f"{self.unit} {self.variant}"

    def compare(self, cases: int | None = None, edits: tuple[Edit, ...] = ()) -> list[Comparison]:
        """Run so many cases, on the design or on one with changes."""
        design = replace(self.design, edits=edits) if edits else self.design
        return self.run(design, range(self.cases if cases is None else cases))


def array(
    unit: str,
    variant: str,
    shape: Shape,
    cases: int,
    *,
    tokens: int = 3,
    outputs: int = 5,
    widths: Sequence[int] = (4,),
) -> Check:
    """GeMMs of up to so many row and column tiles on an array, with weights of these widths."""

    def run(design: Design, seeds: Sequence[int]) -> list[Comparison]:
        return matrix.check(shape, design, seeds, tokens, outputs, widths)

    return Check(unit, variant, shape.design(), run, cases)


def _arrays() -> list[Check]:
    narrow = partial(Shape, weight_port=256, activation_port=128, exponent_port=5, collector_port=64)
    anda = "anda-hpca25"
    checks = [
        array("APU", "1 x 1, groups of 64", narrow(anda, 1, 1), 200),
        array("MXU", "3 x 2, exponents through 13 b", Shape(anda, 3, 2, 64, 4, 256, 192, 13, 64), 100),
        array("APU", "1 x 2, groups of 128, zero points", narrow(anda, 1, 2, 128, weight_bits=5, weight_port=64), 100),
        array("MXU", "2 x 2, groups of 64", narrow(anda, 2, 2), 200),
        array(
            "MXU and BPC",
            "4 x 4, groups of 16, zero points, 2 lanes, 3 output registers",
            Shape(anda, 4, 4, 16, 5, 64, 128, 5, 64, registers=3, compressor_lanes=2),
            200,
        ),
        array(
            "MXU and BPC",
            "2 x 4, groups of 32, 2 lanes, 1 output register",
            Shape(anda, 2, 4, 32, 4, 512, 64, 80, 192, registers=1, compressor_lanes=2),
            100,
        ),
        array(
            "MXU and BPC",
            "6 x 4, groups of 32, 2 lanes, 1 output register",
            Shape(anda, 6, 4, 32, 4, 512, 192, 13, 192, registers=1, compressor_lanes=2),
            100,
        ),
        array("MXU and BPC", "16 x 16, groups of 64, as published", Shape(anda, 16, 16, compressor_lanes=16), 24),
    ]
    for machine, unit, weight_port, port, other_group in (
        ("fp-fp", "FP-FP PE", 256, 64, 128),
        ("fp-int", "FP-INT PE", 256, 64, 32),
        ("ifpu", "iFPU PE", 256, 64, 16),
        ("figna", "FIGNA PE", 256, 64, 128),
        ("figna-m11", "FIGNA-M11 PE", 512, 192, 32),
        ("figna-m8", "FIGNA-M8 PE", 256, 256, 16),
    ):
        square = Shape(machine, 2, 2, weight_port=weight_port, activation_port=port, collector_port=64)
        wide = replace(square, rows=1, columns=3, group_size=other_group, weight_port=64, registers=1)
        checks.append(array(unit, "2 x 2, groups of 64", square, 200, tokens=2, outputs=3))
        checks.append(array(unit, f"1 x 3, groups of {other_group}, 1 output register", wide, 50))
    return checks + _widths() + _integers() + _complete()


def _complete() -> list[Check]:
    """Whole GeMMs on a small version of every shipped machine, outputs encoded where it can and as FP16."""
    found = []
    for machine in shipped.names("arch_configs"):
        raw = Shape.small(machine)
        shapes = {"": raw} if not raw.encoded else {"": Shape.small(machine, compressed=True), ", FP16 outputs": raw}
        for outputs, shape in shapes.items():
            variant = f"{machine}, {shape.rows} x {shape.columns}{outputs}"
            found.append(Check(COMPLETE, variant, shape.design(), partial(complete.check, shape), COMPLETE_CASES))
    return found


def _integers() -> list[Check]:
    """Integer PEs: weights as wide as the multipliers, in digits, and narrow; activations of 8 and of 4 bits."""
    found = []
    for machine, unit, bits in (("int8", "INT8 PE", 8), ("int8-int4", "INT8 x INT4 PE", 4)):
        shape = Shape(machine, 2, 2, 64, bits, 256, 64, collector_port=64, code_bits=bits)
        zeros = replace(shape, rows=1, group_size=16, weight_bits=bits + 1, weight_port=64, registers=1)
        # Tiles of other tokens follow as closely as they can.
        short = replace(zeros, columns=1, activation_port=192, lanes=6, registers=4)
        small = partial(array, tokens=2, outputs=3)
        found.append(small(unit, "2 x 2, groups of 64", shape, 200, widths=(bits,)))
        many = partial(array, tokens=8, outputs=1)
        found.append(many(unit, "1 x 1, groups of 16 in 3 words, zero points", short, 200, widths=(bits,)))
        fours = replace(zeros, activation_bits=4)
        found.append(small(f"{unit}, INT4 activations", "1 x 2, groups of 16, zero points", fours, 200, widths=(bits,)))
    sliced = Shape("int8-int4", 1, 2, 64, 5, 64, 64, collector_port=64)
    found.append(small("INT8 x INT4 PE, sliced weights", "of 7 and 8 bits, zero points", sliced, 200, widths=(7, 8)))
    narrow = Shape("int8-int4", 1, 2, 64, 4, 64, 64, collector_port=64, code_bits=2)
    return [*found, small("INT8 x INT4 PE, narrow weights", "of 2 bits, zero points", narrow, 200, widths=(2,))]


def _widths() -> list[Check]:
    """Weights wider than INT4 in digits and narrower ones at their own rate, where the PE takes integers."""
    found = []
    for machine, unit in (("anda-hpca25", "APU"), ("fp-int", "FP-INT PE"), ("ifpu", "iFPU PE"), ("figna", "FIGNA PE")):
        shape = Shape(machine, 1, 2, 64, 5, weight_port=64, activation_port=128, exponent_port=5, collector_port=64)
        sliced, threes = f"{unit}, sliced weights", replace(shape, weight_bits=4, code_bits=3, weight_port=192)
        small = partial(array, tokens=3, outputs=3)
        found.append(small(sliced, "of 7 and 8 bits, digits of 4, zero points", shape, 200, widths=(7, 8)))
        found.append(small(sliced, "of 5 and 6 bits, digits of 3, zero points", threes, 200, widths=(5, 6)))
        for bits in (3, 2, 1):
            port = 192 if bits == 3 else 64
            own = replace(shape, weight_bits=4, code_bits=bits, weight_port=port)
            found.append(small(f"{unit}, narrow weights", f"of {bits} bits, zero points", own, 70, widths=(bits,)))
    whole = Shape("fp-fp", 1, 2, 64, 9, weight_port=256, activation_port=64, collector_port=64, code_bits=8)
    return [*found, array("FP-FP PE, wide weights", "of 8 bits, zero points", whole, 200, outputs=3, widths=(8,))]


@cache
def checks() -> tuple[Check, ...]:
    """Every check, small units first."""
    return (
        Check("arithmetic", "4,000 operands a case", arithmetic.design(), arithmetic.check, 20),
        Check(
            "weight dispatcher",
            "as published",
            dispatchers.weight_design(16, 64, 4, 1024),
            dispatchers.check_weights,
            200,
        ),
        Check(
            "weight dispatcher",
            "4 columns, 64 b, zero points",
            dispatchers.weight_design(4, 64, 5, 64),
            dispatchers.check_weights,
            200,
        ),
        Check(
            "weight dispatcher",
            "4 columns, 192 b, digits of 3 bits, zero points",
            dispatchers.weight_design(4, 64, 4, 192, 3),
            dispatchers.check_weights,
            200,
        ),
        Check(
            "activation dispatcher",
            "as published",
            dispatchers.activation_design(16, 64, 1024, 80),
            dispatchers.check_activations,
            200,
        ),
        Check(
            "activation dispatcher",
            "4 rows, 128 b and 5 b",
            dispatchers.activation_design(4, 64, 128, 5),
            dispatchers.check_activations,
            200,
        ),
        Check(
            "activation dispatcher",
            "7 rows, 512 b and 13 b",
            dispatchers.activation_design(7, 64, 512, 13),
            dispatchers.check_activations,
            200,
        ),
        Check("collector", "as published", collector.design(16, 16, 1024), collector.check, 200),
        Check("collector", "4 x 2, 192 b", collector.design(4, 2, 192), collector.check, 200),
        Check("BPC", "as published", bpc.design(16, 16, 64, 16, 1024), bpc.check, 200),
        Check("BPC", "4 x 4, groups of 16, 2 lanes", bpc.design(4, 4, 16, 2, 64), bpc.check, 200),
        Check("BPC", "2 x 8, groups of 128, 1 lane", bpc.design(2, 8, 128, 1, 192), bpc.check, 200),
        Check("BPC", "7 x 4, groups of 32, 2 lanes", bpc.design(7, 4, 32, 2, 128), bpc.check, 200),
        Check(
            "BPC",
            "softmax's weights, 16 x 16, 16 lanes",
            bpc.design(16, 16, 64, 16, 1024),
            partial(bpc.check, draw=bpc.softmax_weights),
            200,
        ),
        Check("plane fill", "groups of 64", plane_fill.design(64), plane_fill.check, 50),
        Check("plane fill", "groups of 16", plane_fill.design(16), plane_fill.check, 50),
        Check("plane fill", "groups of 128", plane_fill.design(128), plane_fill.check, 20),
        Check("quantiser", "INT8, 64 lanes", quantiser.design(64, 8), quantiser.check, 200),
        Check("quantiser", "INT8, 3 lanes", quantiser.design(3, 8), quantiser.check, 200),
        Check("quantiser", "INT4, 16 lanes", quantiser.design(16, 4), quantiser.check, 200),
        Check(
            "quantiser",
            "keys and values of 8, 4 and 3 bits, 16 lanes",
            quantiser.design(16, 8, narrower=True),
            quantiser.check,
            200,
        ),
        *_arrays(),
    )


def find(name: str) -> Check:
    """The check of a name."""
    return next(check for check in checks() if check.name == name)
