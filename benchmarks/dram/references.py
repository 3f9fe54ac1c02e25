"""Ramulator 2.1 and DRAMsim3: built from checkouts with the drivers beside this file, and run on a case."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.dram.cases import DramCase
from sim.units.dram.banks.standards import Standard, standards

HERE = Path(__file__).resolve().parent
HBM = ("HBM2", "HBM2E", "HBM3", "HBM3E")
ROWS = 8192
"""Of a bank in DRAMsim3: more than any case goes through."""
DRAMSIM3_SOURCES = (
    "bankstate channel_state command_queue common configuration controller dram_system hmc refresh simple_stats timing "
    "memory_system"
)
PRESETS = {
    "HBM2": ("HBM2", "HBM2_4Gb", "HBM2_2000Mbps", "HBM12"),
    "HBM2E": ("HBM2", "HBM2_8Gb", "HBM2_2000Mbps", "HBM12"),
    "HBM3": ("HBM3", "HBM3_4Gb", "HBM3_6400Mbps", "HBM34"),
    "HBM3E": ("HBM3", "HBM3_4Gb", "HBM3_6400Mbps", "HBM34"),
    "LPDDR5": ("LPDDR5", "LPDDR5_8Gb_x16", "LPDDR5_6400", "LPDDR5"),
    "LPDDR5X": ("LPDDR5", "LPDDR5_16Gb_x16", "LPDDR5_6400", "LPDDR5"),
    "DDR5": ("DDR5", "DDR5_16Gb_x8", "DDR5_4800AN", "GenericDDR"),
}
"""Class, organisation and timing preset and controller of Ramulator; every timing is then set as the row has it."""
EXPORT = """
import json, sys, ramulator
task = json.loads(sys.argv[1])
def dram():
    presets = {"org_preset": task["organisation"], "timing_preset": task["timing"]}
    return getattr(ramulator.dram, task["class"])(**presets, **task["set"])
controllers = [
    getattr(ramulator.controller, task["controller"])(
        dram=dram(), scheduler=ramulator.scheduler.FRFCFSRowHit(), row_policy=ramulator.row_policy.Open(),
        addr_mapper=ramulator.addr_mapper.PassThroughAddrMapper(),
        refresh_manager=ramulator.refresh_manager.AllBank(), read_buffer_size=32, write_buffer_size=32)
    for _ in range(task["channels"])
]
system = ramulator.memory_system.GenericDRAM(
    clock_ratio=1, controllers=controllers, channel_mapper=ramulator.channel_mapper.PassThroughChannelMapper())
print(json.dumps({"frontend": {"impl": "External", "clock_ratio": 1}, "memory_system": system.to_config()}))
"""


def traced(case: DramCase, row: Standard, scale: int = 1) -> str:
    """The case as the drivers read it; see driver.h."""
    head = [f"{case.channels} {len(case.windows)} 8", " ".join(map(str, case.windows))]
    head.append(f"{row.groups} {row.banks} {row.columns}")
    lines = [
        f"{t.port} {t.arrival * scale} {int(t.write)} {len(t.runs)} " + " ".join("{} {} {}".format(*r) for r in t.runs)
        for t in case.transfers
    ]
    return "\n".join([*head, *lines]) + "\n"


def _run(command: list[str], text: str | None = None, **environment: str) -> str:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr[-2000:]}")
    return done.stdout


def commit(checkout: Path) -> str:
    """Of a checkout."""
    return _run(["git", "-C", str(checkout), "rev-parse", "HEAD"]).strip()


def _compile(dialect: str, name: str, includes: list[str], links: list[str], driver: Path, loop: Path) -> None:
    """The driver that plays a case, and the library that a simulator drives."""
    for source, out, kind in ((f"{name}_driver.cc", driver, []), (f"{name}_loop.cc", loop, ["-fPIC", "-shared"])):
        _run(["g++", "-O2", f"-std={dialect}", *kind, *includes, str(HERE / source), "-o", str(out), *links])


def _cycles(output: str) -> int:
    return next(int(line.split()[1]) for line in output.splitlines() if line.startswith("cycles"))


@dataclass(frozen=True)
class Ramulator:
    """A checkout of Ramulator 2.1 with yaml-cpp and fmt in its ext folder; built without its Python bindings."""

    checkout: Path
    work: Path

    @property
    def driver(self) -> Path:
        return self.work / "ramulator_driver"

    @property
    def loop(self) -> Path:
        """The library for a closed loop."""
        return self.work / "libramulator_loop.so"

    def build(self) -> None:
        here = self.checkout
        chosen = ("RAMULATOR_PYTHON_BINDINGS=OFF", "FETCHCONTENT_FULLY_DISCONNECTED=ON", "YAML_CPP_BUILD_TESTS=OFF")
        options = [f"-D{option}" for option in chosen]
        for library in ("yaml-cpp", "fmt"):
            options.append(f"-DFETCHCONTENT_SOURCE_DIR_{library.upper()}={here / 'ext' / library}")
        build = self.work / "ramulator"
        _run(["cmake", "-S", str(here), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release", *options])
        _run(["cmake", "--build", str(build), "--target", "ramulator"])
        includes = [f"-I{HERE}", f"-I{here}/src", f"-I{here}/ext/fmt/include", f"-I{here}/ext/yaml-cpp/include"]
        links = [f"-L{here}", "-lramulator", f"-Wl,-rpath,{here}"]
        _compile("c++20", "ramulator", includes, links, self.driver, self.loop)

    def clocks(self, case: DramCase) -> float:
        row = standards()[case.standard]
        # HBM3 is simulated in half clocks.
        scale = 2 if case.standard.startswith("HBM3") else 1
        levels = "7" if case.standard.startswith("HBM3") else "6"
        config = self.described(case.standard, case.channels)
        return _cycles(_run([str(self.driver), str(config), levels], traced(case, row, scale))) / scale

    def described(self, standard: str, channels: int) -> Path:
        """The file that describes so many channels."""
        config = self.work / f"{standard}_{channels}.yaml"
        if not config.exists():
            config.write_text(self._config(standard, channels))
        return config

    def _config(self, standard: str, channels: int) -> str:
        kind, organisation, timing, controller = PRESETS[standard]
        task = {
            "class": kind,
            "organisation": organisation,
            "timing": timing,
            "controller": controller,
            "channels": channels,
            "set": _timings_of_ramulator(kind, standards()[standard]),
        }
        paths = str(self.checkout / "python")
        return _run([sys.executable, "-c", EXPORT, json.dumps(task)], PYTHONPATH=paths)


def _timings_of_ramulator(kind: str, row: Standard) -> dict[str, int]:
    c = row.clocks
    same = ("CL", "CWL", "RP", "RAS", "RC", "WR", "CCDS", "CCDL", "RRDS", "RRDL", "FAW", "WTRS", "WTRL", "RFC", "REFI")
    found = {f"n{name}": c[name] for name in same}
    found["tCK_ps"] = int(10**12 / row.clock_hertz(row.pin_gigabits_per_second))
    if kind in ("HBM2", "HBM3"):
        found |= {"nRCDRD": c["RCDRD"], "nRCDWR": c["RCDWR"], "nRTPL" if kind == "HBM2" else "nRTP": c["RTP"]}
        found["pseudochannel"] = 1
        if kind == "HBM3":
            found |= {"nRTW": c["RTW"], "nBL": c["BL"]}
    else:
        found |= {"nRCD": c["RCDRD"], "nRTP": c["RTP"]}
    if kind == "LPDDR5":
        found["nWTRL"] -= 2  # its rule adds BL/n_max - BL/n_min
    return found


@dataclass(frozen=True)
class Dramsim3:
    """A checkout of DRAMsim3."""

    checkout: Path
    work: Path

    @property
    def driver(self) -> Path:
        return self.work / "dramsim3_driver"

    @property
    def loop(self) -> Path:
        """The library for a closed loop."""
        return self.work / "libdramsim3_loop.so"

    def described(self, standard: str, queues: str = "PER_BANK", places: int = 8) -> Path:
        """The file that describes a channel; its command queues and their places."""
        config = self.work / f"{standard}_{queues}.ini"
        config.write_text(ini(standard, standards()[standard], queues, places))
        return config

    def build(self) -> None:
        here, library = self.checkout, self.work / "libdramsim3.so"
        includes = [f"-I{here}/ext/headers", f"-I{here}/ext/fmt/include", f"-I{here}/src", f"-I{HERE}"]
        sources = [str(here / "src" / f"{name}.cc") for name in DRAMSIM3_SOURCES.split()]
        flags = ["g++", "-O2", "-std=c++17", "-DFMT_HEADER_ONLY=1", *includes]
        _run([*flags, "-fPIC", "-shared", *sources, "-o", str(library)])
        links = [f"-L{self.work}", "-ldramsim3", f"-Wl,-rpath,{self.work}"]
        _compile("c++17", "dramsim3", ["-DFMT_HEADER_ONLY=1", *includes], links, self.driver, self.loop)

    def clocks(self, case: DramCase) -> int:
        return _cycles(self._play(case))

    def energy(self, case: DramCase) -> dict[str, float]:
        """Its counts and picojoules of a case on a standard with currents."""
        self._play(case)
        found = {}
        for line in (self.work / "dramsim3.txt").read_text().splitlines():
            name, equals, value = line.partition("=")
            if equals and "[" not in name:
                found[name.strip()] = float(value.partition("#")[0])
        return found

    def _play(self, case: DramCase) -> str:
        row, config = standards()[case.standard], self.described(case.standard)
        return _run([str(self.driver), str(config), str(self.work), str(row.burst_bytes)], traced(case, row))


def ini(name: str, row: Standard, queues: str = "PER_BANK", places: int = 8) -> str:
    """DRAMsim3's description of a channel; all of its banks, few of its rows."""
    t, hbm, rows = row.clocks, name in HBM, ROWS
    beats = 2 * t["BL"]
    width = 8 * row.burst_bytes // beats
    columns = row.columns * beats // (2 if hbm else 1)
    size = columns * (2 if hbm else 1) * width // 8 * (rows // 1024) // 1024 * row.groups * row.banks
    protocol = "HBM" if hbm else "LPDDR4" if name.startswith("LPDDR5") else "DDR4"
    structure = {"protocol": protocol, "bankgroups": row.groups, "banks_per_group": row.banks, "rows": rows}
    structure |= {"columns": columns, "device_width": width, "BL": beats}
    same = ("CL", "CWL", "RCDRD", "RCDWR", "RP", "RAS", "RFC", "REFI", "FAW", "WR", "RTP")
    timing = {"tCK": 1000 / float(row.clock_hertz(row.pin_gigabits_per_second) / 10**9) / 1000}
    timing |= {name if name in ("CL", "CWL") else f"t{name}": t[name] for name in same}
    timing |= {"tRCD": t["RCDRD"], "tRRD_S": t["RRDS"], "tRRD_L": t["RRDL"], "tWTR_S": t["WTRS"], "tWTR_L": t["WTRL"]}
    timing |= {"tCCD_S": t["CCDS"], "tCCD_L": t["CCDL"], "tRTP_L": t["RTP"], "tRTP_S": t["RTP"], "tPPD": 2}
    timing |= {"tRTRS": t["RTW"] - (t["CL"] + t["BL"] - t["CWL"]), "tRFCb": t["RFC"], "tREFIb": t["REFI"]}
    power = {} if row.currents is None else {k: v for k, v in row.currents.items() if k.startswith("IDD")}
    if row.currents:
        power |= {"VDD": row.currents["volts"], "IDD5AB": power.pop("IDD5"), "IDD3P": row.currents["IDD2N"]}
    system = {"channel_size": size or 64, "channels": 1, "bus_width": width, "address_mapping": "rorabacobgch"}
    system |= {"queue_structure": queues, "row_buf_policy": "OPEN_PAGE", "cmd_queue_size": places}
    system |= {"trans_queue_size": 32, "unified_queue": False}
    other = {"epoch_period": 10**9, "output_level": 1, "output_prefix": "dramsim3"}
    sections: dict[str, Mapping[str, object]] = {
        "dram_structure": structure,
        "timing": timing,
        "power": power,
        "system": system,
        "other": other,
    }
    lines = [[f"[{head}]", *(f"{key} = {value}" for key, value in keys.items())] for head, keys in sections.items()]
    return "\n".join(line for section in lines for line in section)
