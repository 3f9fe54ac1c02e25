"""Driver of SCALE-Sim 3.0.0, run by the Python of its own environment; prints a line of JSON.

Output stationary, as the machine it is compared with, three buffers of 1 MiB, the user's bandwidth, no traces written
and no progress bar: its fastest way to all of its reports.
"""

import csv
import json
import sys
import time
from pathlib import Path

from scalesim.scale_sim import scalesim

CONFIG = """
[general]
run_name = run
[run_presets]
InterfaceBandwidth = USER
UseRamulatorTrace = False
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {columns}
IfmapSramSzkB = {buffer_kibibytes}
FilterSramSzkB = {buffer_kibibytes}
OfmapSramSzkB = {buffer_kibibytes}
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = os
Bandwidth = {bandwidth}
ReadRequestBuffer = 512
WriteRequestBuffer = 512
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = {bandwidth}
IfmapSRAMBankNum = 1
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = {bandwidth}
FilterSRAMBankNum = 1
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
"""
LAYOUT_COLUMNS = 20


def main() -> None:
    """Simulate the GeMMs of the first argument, JSON, in the present folder."""
    task = json.loads(sys.argv[1])
    array = task["array"]
    Path("config.cfg").write_text(CONFIG.format(bandwidth=array["dram_bytes_per_cycle"], **array))
    names = [f"gemm{number}" for number in range(len(task["gemms"]))]
    rows = [f"{name},{m},{n},{k}," for name, (m, k, n) in zip(names, task["gemms"], strict=True)]
    Path("topology.csv").write_text("\n".join(["Layer,M,N,K,", *rows]) + "\n")
    layout = ["Layer," + "factor," * LAYOUT_COLUMNS, *(f"{name}," + "1," * LAYOUT_COLUMNS for name in names)]
    Path("layout.csv").write_text("\n".join(layout) + "\n")
    simulator = scalesim(
        save_disk_space=True,
        verbose=False,
        config="config.cfg",
        topology="topology.csv",
        layout="layout.csv",
        input_type_gemm=True,
    )
    wall, cpu = time.perf_counter(), time.process_time()
    simulator.run_scale(top_path="reports")
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    with open("reports/run/COMPUTE_REPORT.csv", newline="") as file:
        report = list(csv.DictReader(file, skipinitialspace=True))
    cycles = sum(int(float(row["Total Cycles"])) for row in report)
    print(json.dumps({"wall_seconds": wall, "cpu_seconds": cpu, "cycles": cycles}))


if __name__ == "__main__":
    main()
