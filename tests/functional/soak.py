"""Random GeMMs with weights of every width and format, and attentions, on every kind of PE, held against fractions.

    python -m tests.functional.soak [--cases N]

Ends with 1 at the first output that differs.
"""

from __future__ import annotations

import argparse
import sys
from fractions import Fraction
from functools import cache

from sim.arch.load import load_arch
from sim.machine.machine import Machine
from sim.units.processing_element import ProcessingElement
from tests.functional import attended
from tests.functional.wide import MACHINES, expected, random_case


@cache
def pe_of(name: str, keys: tuple[str, ...]) -> ProcessingElement:
    return Machine(load_arch(name, keys)).pe


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="GeMMs, and attentions, a kind of PE")
    cases = parser.parse_args().cases
    for name in MACHINES:
        outputs = 0
        for seed in range(cases):
            case = random_case(seed, name)
            found = pe_of(name, case.keys).multiply(case.activations, case.weights, case.mantissa_bits)
            if [[Fraction(x) for x in row] for row in found.tolist()] != expected(name, case):
                print(f"{name}, case {seed}: {case.stored} differs")
                return 1
            outputs += found.size
        print(f"{name}: {cases:,} GeMMs, {outputs:,} outputs equal")
    for name in attended.MACHINES:
        for seed in range(cases):
            attention = attended.random_attended(seed, name)
            if attended.computed(pe_of(name, ()), attention) != attended.attended(name, attention):
                print(f"{name}, attention {seed} differs")
                return 1
        print(f"{name}: {cases:,} attentions equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
