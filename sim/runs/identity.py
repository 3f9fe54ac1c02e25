"""What names a result: a hash of all that decided it, the code and its plug-ins included."""

from __future__ import annotations

import hashlib
import json

from sim import plugins
from sim.runs.code import code_version

DIGITS = 32


def identity(*decided: object) -> str:
    """The name of what these plain values, and this code, give."""
    text = json.dumps([code_version(), plugins.fingerprint(), *decided], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
