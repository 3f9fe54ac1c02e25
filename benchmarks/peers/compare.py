"""The same GeMMs through this simulator and its peers, in one run, as ratios.

All machines do 256 MACs a cycle on paper. The first of ours is the peers' own array, 16 x 16 PEs of one FP16 MAC a
cycle, output stationary; the second is Anda's, 4 x 8 bit-serial PEs of 64 values at 7 mantissa bits, 8 cycles a group.
A peer that cannot be installed or run is a row that says why.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.jobs import BenchmarkJob, run_job
from benchmarks.measure import ROOT, CommandError, measure, simulation_summary, summary

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = ROOT / "build" / "benchmarks"
ARRAY = {"rows": 16, "columns": 16, "buffer_kibibytes": 1024, "dram_bytes_per_cycle": 898}
MACS_PER_CYCLE = ARRAY["rows"] * ARRAY["columns"]
MACHINES = {
    "anda-sim, the same array": ("fp-fp", ("mxu.lanes=1",)),
    "anda-sim, Anda, M = 7": ("anda-hpca25", ("mxu.rows=4", "mxu.columns=8")),
}


@dataclass(frozen=True)
class PeerPackage:
    """A package, and the files beside this one that install and drive it: `file`.txt and `file`_driver.py."""

    title: str
    file: str

    def python(self) -> Path:
        """The interpreter of its environment, made where it is missing or was made from another list.

        Raises
        ------
        CommandError
            Where the package cannot be installed.
        """
        folder = ENVIRONMENTS / self.file
        python, made_from = folder / "bin" / "python", folder / "requirements.txt"
        wanted = HERE / f"{self.file}.txt"
        if not made_from.exists() or made_from.read_text() != wanted.read_text():
            measure([sys.executable, "-m", "venv", "--clear", str(folder)])
            measure([str(python), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(wanted)])
            made_from.write_text(wanted.read_text())
        return python

    def run(self, gemms: list[list[int]]) -> dict[str, Any]:
        """Its simulation and its whole process, once, in a folder that is thrown away."""
        task = json.dumps({"gemms": gemms, "array": ARRAY})
        with tempfile.TemporaryDirectory() as folder:
            done = measure([str(self.python()), str(HERE / f"{self.file}_driver.py"), task], folder=Path(folder))
        return {"cycles": done.answer["cycles"], "simulation": simulation_summary([done]), "shell": summary([done])}


SCALE_SIM, ZIGZAG = PeerPackage("SCALE-Sim 3.0.0", "scale_sim"), PeerPackage("ZigZag 3.9.1", "zigzag")


@dataclass(frozen=True)
class Contest:
    """One list of GeMMs, the peers that take it, and how many times faster than each we mean to be."""

    title: str
    workload: str
    model: tuple[str, ...]
    peers: tuple[tuple[PeerPackage, float | None], ...]


CONTESTS = (
    Contest("128 x 1024 x 1024", str(HERE / "gemm-128x1024x1024.csv"), (), ((SCALE_SIM, 5000), (ZIGZAG, None))),
    Contest("LLaMA-7B layer, 2,048 tokens", "llama-7b", ("layers=1",), ((ZIGZAG, 20),)),
)


def run_contests(say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """A row for each contest: our machines, then the peers with their times as multiples of ours."""
    for contest in CONTESTS:
        ours = []
        for title, (arch, machine) in MACHINES.items():
            say(f"{contest.title}: {title}")
            job = BenchmarkJob(contest.title, arch, contest.workload, machine, contest.model, {"precision": "7"})
            ours.append({"tool": title, **run_job(job)})
        _require_equal_peaks(ours)
        gemms = next(work for work in [row.pop("gemms") for row in ours])
        theirs = []
        for peer, limit in contest.peers:
            say(f"{contest.title}: {peer.title}")
            theirs.append(_against(peer, gemms, ours, limit))
        yield {"title": contest.title, "gemms": gemms, "macs_per_cycle": MACS_PER_CYCLE, "ours": ours, "peers": theirs}


def _require_equal_peaks(ours: list[dict[str, Any]]) -> None:
    for row in ours:
        if row["peak_macs_per_cycle"] != [MACS_PER_CYCLE]:
            raise CommandError(f"{row['tool']} does {row['peak_macs_per_cycle']} MACs a cycle, not {MACS_PER_CYCLE}")


def _against(
    peer: PeerPackage, gemms: list[list[int]], ours: list[dict[str, Any]], limit: float | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"tool": peer.title, "limit_times": limit}
    try:
        row |= peer.run(gemms)
    except CommandError as error:
        return {**row, "failed": str(error)}
    return {**row, "times": {one["tool"]: times(row, one) for one in ours}}


def times(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, float]:
    """How many times longer a peer takes, and how many times its memory."""
    ratios = {
        f"{part}_{clock}": theirs[part][f"{clock}_seconds"] / ours[part][f"{clock}_seconds"]
        for part in ("simulation", "shell")
        for clock in ("cpu", "wall")
    }
    return {**ratios, "peak": theirs["shell"]["peak_megabytes"] / ours["shell"]["peak_megabytes"]}
