"""One job in a fresh process, its simulation timed alone; prints a line of JSON.

Imports and the reading of YAML come before the clock starts; building the machine, running it, all counters, checks,
energy and the result come after.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from sim.arch.load import load_arch
from sim.result import Result
from sim.simulation import simulate
from sim.workload.load import load_workload


def main() -> None:
    """Run the job in the first argument, as JSON."""
    job = json.loads(sys.argv[1])
    arch = load_arch(job["arch"], job["machine"])
    workload = load_workload(job["workload"], overrides=job["model"], **job["options"])
    wall, cpu = time.perf_counter(), time.process_time()
    result = simulate(arch, workload)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(json.dumps({"wall_seconds": wall, "cpu_seconds": cpu, **_facts(result)}))


def _facts(result: Result) -> dict[str, Any]:
    """What was simulated: cycles, work, the MACs a cycle that the machine could do, and how busy the memory was."""
    totals = result.totals
    gemms = [layer for layer in result.layers if layer.unit == "mxu"]
    return {
        "cycles": totals.cycles,
        "macs": totals.macs,
        "peak_macs_per_cycle": sorted({layer.peak_macs_per_cycle for layer in gemms}),
        "dram_busy": result.units["dram"].busy_cycles / totals.cycles,
        "gemms": [[layer.m, layer.k, layer.n] for layer in gemms],
    }


if __name__ == "__main__":
    main()
