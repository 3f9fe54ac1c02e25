"""A thousand random pairs of machines: twice as much of anything never makes a searched schedule slower or move more.

    python -m tests.soak_search [--pairs N] [--seed S] [--jobs J]

Each search on the larger machine knows what the smaller one's found; how often one that does not know loses, and by how
much at most, is counted beside it. Ends with 1 where one that knows loses.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console
from rich.progress import track

from tests.growing import growing_pair


def compare(seed: int) -> tuple[int, str, float, float] | None:
    """The larger machine's score over the smaller's, knowing and alone."""
    pair = growing_pair(seed)
    if pair is None:
        return None
    small = pair.small.score[0]
    return seed, pair.resource, pair.large.score[0] / small, pair.alone.score[0] / small


def main() -> int:
    """Run, show, and say whether all is well."""
    parser = argparse.ArgumentParser(description="Searched schedules on pairs of machines.")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    asked, console, found = parser.parse_args(), Console(), []
    with ProcessPoolExecutor(asked.jobs) as pool:
        # Of some pairs the smaller machine holds nothing, and they do not count.
        outcomes = pool.map(compare, range(asked.seed, asked.seed + 2 * asked.pairs), chunksize=4)
        for outcome in track(outcomes, "Pairs", 2 * asked.pairs, console=Console(stderr=True)):
            found += [outcome] if outcome and len(found) < asked.pairs else []
    losing = [(seed, resource) for seed, resource, knowing, _ in found if knowing > 1]
    alone = [ratio for _, _, _, ratio in found if ratio > 1]
    most = max(alone, default=1) - 1
    console.print(f"{len(found)} pairs: {len(losing)} lose; of those alone {len(alone)}, by {most:.1%} at most")
    if losing:
        console.print(f"losing: {losing}")
    return int(bool(losing) or len(found) < asked.pairs)


if __name__ == "__main__":
    sys.exit(main())
