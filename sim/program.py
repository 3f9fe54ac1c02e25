"""What this program is called, as its user calls it, and which version it is."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGE = "anda-sim"


def name() -> str:
    """The beginning of a command line: `python sim.py` from a checkout, `anda-sim` from an installed package."""
    return "python sim.py" if Path(sys.argv[0]).name == "sim.py" else PACKAGE


def version() -> str:
    """The version of the package; that of a checkout which is not installed is not known."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed(PACKAGE)
    except PackageNotFoundError:
        return "not installed"
