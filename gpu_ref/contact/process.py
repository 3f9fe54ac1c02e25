"""A worker as its supervisor sees it: lines that come or do not, and an end."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpu_ref.contact.worker import MARK

GRACE_SECONDS = 10.0
"""For a process to end after its last item."""


class Worker:
    """A process and its lines; standard error joins standard output, as sanitizers write to either."""

    def __init__(self, command: list[str], request: dict[str, Any]) -> None:
        root = str(Path(__file__).resolve().parent.parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONFAULTHANDLER": "1"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(self._process.stdout, selectors.EVENT_READ)
        self._out = self._process.stdout.fileno()
        self._rest = b""
        self._words: list[str] = []
        with suppress(BrokenPipeError):  # where it died at once: its end is met when it is read
            self._process.stdin.write((json.dumps(request) + "\n").encode())
            self._process.stdin.flush()
        self.status: int | None = None

    def line(self, seconds: float) -> str | None:
        """The next line; empty at the end, None where none came in time."""
        until = time.monotonic() + seconds
        while b"\n" not in self._rest:
            if not self._waiting.select(max(0.0, until - time.monotonic())):
                return None
            piece = os.read(self._out, 1 << 16)
            if not piece:
                text, self._rest = self._rest.decode(errors="replace"), b""
                return text
            self._rest += piece
        line, self._rest = self._rest.split(b"\n", 1)
        text = line.decode(errors="replace")
        if not text.startswith(MARK) and text.strip():
            self._words = [*self._words[-7:], text.strip()]
        return text or " "

    def ending(self) -> str:
        """How the process ended."""
        try:
            self.status = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return "closed its output and went on"
        if self.status < 0:
            return f"died of {signal.Signals(-self.status).name}"
        return f"ended with status {self.status}"

    def last_words(self) -> str:
        return f": {self._words[-1]}" if self._words else ""

    def kill(self) -> None:
        """The process and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
