"""The toy package as pip would leave it in site-packages, and commands run with it, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

TOY = Path(__file__).with_name("toy_package")
ROOT = Path(__file__).resolve().parents[2]
Shell = Callable[..., "subprocess.CompletedProcess[str]"]


def install(site: Path, package: Path = TOY) -> Path:
    """Put a package and its metadata into a folder for the path."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    name = project["name"].replace("-", "_")
    shutil.copytree(package / name, site / name)
    info = site / f"{name}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{point} = {value}" for point, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Runs `sim.py` in an empty folder; `site` is put on the path."""
    (tmp_path / "small.csv").write_text("name,M,N,K\nfirst,40,128,256\nsecond,1,64,128\n")
    shutil.copy(TOY / "toy.yaml", tmp_path)

    def run(*arguments: str, site: Path | None = None) -> subprocess.CompletedProcess[str]:
        paths = [str(path) for path in (ROOT, site) if path]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200"}
        command = [sys.executable, str(ROOT / "sim.py"), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder in which the toy package is installed."""
    return install(tmp_path / "site")
