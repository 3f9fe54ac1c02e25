"""One folder of compiled kernels for all test processes, and the cards to choose tilings for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pretended import CARDS
from rehearsal import small_job

from gpu_ref.card import Card
from gpu_ref.contact.job import Job
from gpu_ref.host.executor import HostExecutor


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled kernels of this run are kept; parallel processes share it."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    return tmp_path_factory.getbasetemp().parent / "anda-sim-kernels"


@pytest.fixture(scope="session")
def host(compiled: Path) -> HostExecutor:
    return HostExecutor(compiled)


@pytest.fixture(scope="session", params=CARDS.values(), ids=CARDS)
def card(request: pytest.FixtureRequest) -> Card:
    found: Card = request.param
    return found


STRICT = Path(__file__).parent / "strict"


@pytest.fixture(scope="session")
def strict_library(tmp_path_factory: pytest.TempPathFactory, compiled: Path) -> Path:
    """A folder that, on the path, brings the strict fake's cuBLAS as NVIDIA's wheels would."""
    folder = tmp_path_factory.mktemp("strict")
    library = folder / "nvidia" / "cu13" / "lib" / "libcublas.so.13"
    library.parent.mkdir(parents=True)
    command = ["gcc", "-shared", "-fPIC", "-O1", str(STRICT / "cublas.c"), "-o", str(library)]
    subprocess.run(command, check=True)
    return folder


@pytest.fixture
def strict(
    strict_library: Path, compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Puts the strict card where CuPy is looked for, here and in processes that are started; call it with faults."""
    compiled.mkdir(exist_ok=True)

    def put(**faults: list[str]) -> dict[str, Any]:
        library = strict_library / "nvidia" / "cu13" / "lib" / "libcublas.so.13"
        monkeypatch.setenv("STRICT_FAULTS", json.dumps(faults))
        monkeypatch.setenv("STRICT_KERNELS", str(compiled))
        monkeypatch.setenv("STRICT_CUBLAS", str(library))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(STRICT), str(strict_library)]))
        monkeypatch.syspath_prepend(str(strict_library))
        monkeypatch.syspath_prepend(str(STRICT))
        monkeypatch.delitem(sys.modules, "cupy", raising=False)
        return faults

    return put


@pytest.fixture
def job() -> Job:
    return small_job()
