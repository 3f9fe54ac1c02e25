"""Trace of every unit's busy and stalled spans, for ui.perfetto.dev or chrome://tracing.

    one process a GeMM, one thread a unit, one span a state, a curve where states are numbers;  1 cycle is shown as 1 us

Spans are written as they come, so that memory does not grow with the run. Neighbouring spans of one unit in one state
are one span. The file appears at its path when the trace is complete.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sim.report.folder import writing
from sim.report.vocabulary import state_words

_SCALE = "1 us is 1 cycle"


class PerfettoWriter:
    """Writes `path` when its context ends without an exception.

    with TraceWriter(path) as trace:
        trace.begin("attention.q", offset_cycles=0)
        trace.span("mxu", "busy", 0, 16)
        trace.span("mxu", "weights", 16, 20)
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{os.getpid()}")
        self._separator = "\n"
        self._process, self._offset = 0, 0
        self._threads: dict[str, int] = {}
        self._open: dict[str, tuple[str, int, int]] = {}

    def __enter__(self) -> Self:
        with writing(self._path):
            self._file = self._partial.open("w", encoding="utf-8")
        told = json.dumps({"timestamps": _SCALE})
        self._file.write(f'{{"displayTimeUnit": "ns", "otherData": {told}, "traceEvents": [')
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._file:
                self._flush()
                self._file.write("\n]}\n")
            if kind is None:
                os.replace(self._partial, self._path)
        finally:
            self._partial.unlink(missing_ok=True)

    def begin(self, name: str, offset_cycles: int) -> None:
        """Start the process of a GeMM, whose cycle 0 is shown at `offset_cycles`."""
        self._flush()
        self._process += 1
        self._offset = offset_cycles
        self._threads = {}
        self._event(ph="M", name="process_name", args={"name": name})
        self._event(ph="M", name="process_labels", args={"labels": _SCALE})

    def span(self, unit: str, state: str, start_cycle: int, end_cycle: int) -> None:
        """What a unit did from `start_cycle` up to, not including, `end_cycle` of the GeMM begun last.

        Parameters
        ----------
        state
            `busy`, `idle` (which leaves a gap in the trace), or the cause of a stall; a number is a level, 0 elsewhere.

        Raises
        ------
        ValueError
            Where the span ends before it starts, or starts before the unit's last one has ended.
        """
        if unit not in self._threads and not state.isdecimal():
            self._threads[unit] = len(self._threads) + 1
            self._event(ph="M", name="thread_name", tid=self._threads[unit], args={"name": unit})
        last_state, last_start, last_end = self._open.get(unit, (state, start_cycle, start_cycle))
        if not last_end <= start_cycle <= end_cycle:
            raise ValueError(
                f"{unit}: span `{state}` from cycle {start_cycle} to {end_cycle} after `{last_state}` until {last_end}"
            )
        if start_cycle == end_cycle:
            return
        if state == last_state and start_cycle == last_end:
            start_cycle = last_start
        else:
            self._write(unit)
        self._open[unit] = state, start_cycle, end_cycle

    def _flush(self) -> None:
        for unit in self._open:
            self._write(unit)
        self._open = {}

    def _write(self, unit: str) -> None:
        """Write the unit's last span, which no later one can lengthen."""
        state, start, end = self._open[unit]
        if state.isdecimal():
            for cycle, level in ((start, int(state)), (end, 0)):
                self._event(ph="C", name=unit, ts=self._offset + cycle, args={"": level})
        elif state != "idle":
            self._event(
                ph="X", name=state_words(state), tid=self._threads[unit], ts=self._offset + start, dur=end - start
            )

    def _event(self, **event: Any) -> None:
        self._file.write(self._separator + json.dumps({"pid": self._process, **event}))
        self._separator = ",\n"
