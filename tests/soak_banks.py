"""Thousands of random machines with banks for DRAM, and of random channels, at both grains and fast-forwarded.

Some 0.3 s of a core each: half an hour of one core for all.

    python -m tests.soak_banks [--cases N] [--seed S] [--jobs J]

Ends with 1 where two differ by more than the slip that the result tells.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from rich.progress import track

from sim.errors import InputError
from sim.machine.assembly import SimulationOptions
from sim.machine.machine import Machine
from tests.machines import banked_case
from tests.test_grains import differences
from tests.units.banks.test_bank_channel import agree

BEATS = 60_000
"""Cycles up to which the beat grain is simulated."""


def compare(seed: int) -> tuple[str, ...]:
    """What differs between the simulations of a machine, and between the two descriptions of a channel."""
    return (*_machine(seed), *_channel(seed))


def _machine(seed: int) -> Iterator[str]:
    case = banked_case(seed)
    try:
        machine = Machine(case.arch)
        plain = machine.run(case.gemm, SimulationOptions(fast_forward=False))
    except InputError:
        return  # the random buffer does not hold a tile, or timings of another pin rate contradict one another
    skipping = machine.run(case.gemm)
    slip = skipping.counters.get("dram.slip_cycles")
    if slip is None:
        yield from (f"seed {seed}: fast-forward {one}" for one in differences(plain, skipping).items())
    elif abs(skipping.cycles - plain.cycles) > slip:
        yield f"seed {seed}: {skipping.cycles} cycles, not {plain.cycles}, with a slip of {slip}"
    if plain.cycles < BEATS:
        beats = machine.run(case.gemm, SimulationOptions("beat"))
        yield from (f"seed {seed}: beat grain {one}" for one in differences(plain, beats).items())


def _channel(seed: int) -> Iterator[str]:
    try:
        agree(seed)
    except AssertionError as error:
        yield f"seed {seed}: channel: {error}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000, help="random machines (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: all cores)")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.cases)
    with ProcessPoolExecutor(options.jobs) as pool:
        results = pool.map(compare, seeds, chunksize=4)
        found = [problem for problems in track(results, "banks", total=len(seeds)) for problem in problems]
    for problem in found:
        print(problem)
    print(f"{len(seeds)} machines and channels with banks, {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
