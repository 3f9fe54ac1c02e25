"""Random GeMMs with weights of every width on every kind of PE, each output held against integers and fractions.

    python -m tests.functional.soak [--cases N]

Ends with 1 at the first output that differs.
"""

from __future__ import annotations

import argparse
import sys
from fractions import Fraction

from sim.arch.load import load_arch
from sim.machine.machine import Machine
from tests.functional.wide import MACHINES, expected, random_case


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="GeMMs a kind of PE")
    cases = parser.parse_args().cases
    for name in MACHINES:
        pe, outputs = Machine(load_arch(name)).pe, 0
        for seed in range(cases):
            case = random_case(seed, name)
            found = pe.multiply(case.activations, case.weights, case.mantissa_bits)
            if [[Fraction(x) for x in row] for row in found.tolist()] != expected(name, case):
                print(f"{name}, case {seed}: {case.stored} differs")
                return 1
            outputs += found.size
        print(f"{name}: {cases:,} GeMMs, {outputs:,} outputs equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
