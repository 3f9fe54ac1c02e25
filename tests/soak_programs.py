"""Thousands of random programs, plain and fast-forwarded, verified, and beat by beat as far as they are short.

    python -m tests.soak_programs [--programs N] [--seed S] [--jobs J]

Half are of GeMMs: any, with six to thirty layers, and of operations that differ in one thing only. Half have attention,
vector work, experts, several sections and rounds, or are small transformers. Ends with 1 where two ways differ, or
where less than half skip. Programs slower than their pieces one by one are counted, too; those that would take longest
are left out.
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
from sim.laws.program import ProgramExpectation
from sim.machine.assembly import SimulationOptions
from sim.machine.streaming import run_program
from tests.programs import ProgramCase, mixed_program, random_program, tiny_model, twins
from tests.test_grains import differences

BEATS = 40_000
"""Cycles up to which the beat grain is simulated."""
LONGEST = 400_000
"""Cycles, at least, of programs that are left out."""


def case_of(seed: int) -> ProgramCase:
    """Kinds by turns."""
    if seed % 2:
        return mixed_program(seed, layers=(4, 12) if seed % 4 == 1 else (1, 6)) if seed % 8 < 6 else tiny_model(seed)
    if seed % 8 == 6:
        return twins(seed)
    return random_program(seed, layers=(6, 30) if seed % 8 == 4 else (1, 6))


def compare(seed: int) -> tuple[int, Counter[str]]:
    """What came of one seed."""
    case, found = case_of(seed), Counter[str]()
    try:
        program = case.program()
        if ProgramExpectation(program).bounds.lower_cycles > LONGEST:
            return seed, Counter({"too long": 1})
        plain = run_program(program, SimulationOptions(fast_forward=False))
    except InputError:
        return seed, Counter(refused=1)
    skipped = run_program(program)
    different = bool(differences(plain, skipped))
    different |= bool(differences(plain, run_program(program, SimulationOptions(verify=True))))
    if plain.cycles <= BEATS:
        found["beat by beat"] += 1
        different |= bool(differences(plain, run_program(program, SimulationOptions("beat"))))
    pieces = case.pieces()
    found.update({"compared": 1, "different": different, "skip": bool(skipped.skips)})
    found.update({f"skip {level}": 1 for level in {skip.level for skip in skipped.skips}})
    found["slower than its pieces"] += skipped.cycles > pieces
    return seed, found


def main() -> int:
    """Run, show, and say whether all is well."""
    parser = argparse.ArgumentParser(description="Random programs, simulated in every way.")
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
