"""`sim.py rtl area`: gates of every PE, and what switches in them on tensors of the shipped model."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import ClassVar

from records.record import RESULTS, ROOT, Record, Sample, read
from sim.errors import InputError
from sim.rtl.area.elements import ELEMENTS, PARTS
from sim.rtl.area.measure import size
from sim.rtl.area.synthesis import synthesise, yosys
from sim.rtl.report import run_area
from sim.trace.extract import TraceOptions, extract, load

RECORD = RESULTS / "rtl" / "area.json"
MODEL = ROOT / "workloads" / "tiny-llama"


class RtlArea(Record):
    name = "rtl-area"
    files: ClassVar[tuple[Path, ...]] = (RECORD,)

    def make(self) -> None:
        options = TraceOptions(tokens=64, text=MODEL / "test.txt", scheme="symmetric")
        with tempfile.TemporaryDirectory() as folder:
            trace = Path(folder) / "trace"
            extract(load(MODEL, options), options, trace, lambda: None)
            run_area(trace, RECORD)

    def samples(self, random: Random) -> Iterator[Sample]:
        recorded = read(RECORD)
        name = random.choice(sorted(PARTS))
        yield Sample(name, recorded["parts"][name], size(synthesise(*PARTS[name])))
        name = random.choice(sorted(ELEMENTS))
        netlist = synthesise(ELEMENTS[name].module, ELEMENTS[name].parameters)
        made = {"cells": netlist.counts(), **size(netlist)}
        yield Sample(name, {key: recorded["processing_elements"][name][key] for key in made}, made)

    def missing(self) -> str | None:
        try:
            yosys()
        except InputError as error:
            return error.problem
        return None
