"""Thousands of random programs, plain and fast-forwarded, verified, and beat by beat as far as they are short.

    python -m tests.soak_programs [--programs N] [--seed S] [--jobs J]

Half are any program, a quarter have six to thirty layers, a quarter operations that differ in one thing only. Ends with
1 where two ways differ, or where less than half skip. Programs slower than their pieces one by one are counted, too.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console
from rich.progress import track
from rich.table import Table

from sim.errors import InputError
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from sim.machine.streaming import run_program
from tests.programs import ProgramCase, random_program, twins
from tests.test_grains import differences

BEATS = 40_000
"""Cycles up to which the beat grain is simulated."""


def case_of(seed: int) -> ProgramCase:
    """Kinds by turns."""
    if seed % 4 == 3:
        return twins(seed)
    return random_program(seed, layers=(6, 30) if seed % 4 == 2 else (1, 6))


def compare(seed: int) -> tuple[int, Counter[str]]:
    """What came of one seed."""
    case, found = case_of(seed), Counter[str]()
    try:
        program = case.program()
        plain = run_program(program, SimulationOptions(fast_forward=False))
    except InputError:
        return seed, Counter(refused=1)
    skipped = run_program(program)
    different = bool(differences(plain, skipped))
    different |= bool(differences(plain, run_program(program, SimulationOptions(verify=True))))
    if plain.cycles <= BEATS:
        found["beat by beat"] += 1
        different |= bool(differences(plain, run_program(program, SimulationOptions("beat"))))
    machine = Machine(case.arch)
    pieces = case.layers * sum(machine.run(gemm).cycles for gemm, _ in case.steps)
    found.update({"compared": 1, "different": different, "skip": bool(skipped.skips)})
    found.update({f"skip {level}": 1 for level in {skip.level for skip in skipped.skips}})
    found["slower than its pieces"] += skipped.cycles > pieces
    return seed, found


def main() -> int:
    """Run, show, and say whether all is well."""
    parser = argparse.ArgumentParser(description="Random programs of GeMMs, simulated in every way.")
    parser.add_argument("--programs", type=int, default=5500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    console, total, different = Console(), Counter[str](), []
    with ProcessPoolExecutor(asked.jobs) as pool:
        outcomes = pool.map(compare, range(asked.seed, asked.seed + asked.programs), chunksize=4)
        for seed, found in track(outcomes, "Programs", asked.programs, console=Console(stderr=True)):
            total.update(found)
            if found["different"]:
                different.append(seed)
    table = Table(title=f"{asked.programs} programs from seed {asked.seed}")
    table.add_column("what")
    table.add_column("programs", justify="right")
    for name, count in sorted(total.items()):
        table.add_row(name, f"{count:,}")
    console.print(table)
    if different:
        console.print(f"different: {different}")
    return int(bool(different) or 2 * total["skip"] < total["compared"])


if __name__ == "__main__":
    sys.exit(main())
