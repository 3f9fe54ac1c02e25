"""The package as a user installs it: a wheel that finds its machines and models from an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sim import shipped
from sim.commands.catalogue import Kind, schema_of

ROOT = Path(__file__).resolve().parents[1]


def test_a_wheel_installed_elsewhere_runs_shipped_configs_by_name(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True, timeout=300)
    (wheel,) = (tmp_path / "dist").glob("anda_sim-*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel)], check=True, timeout=300
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    program = [sys.executable, str(tmp_path / "site" / "bin" / "anda-sim")]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}

    def told(*words: str) -> Any:
        command = [*program, *words, "--json"]
        done = subprocess.run(
            command, cwd=empty, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert told("run", "anda-hpca25", "llama-7b")["arch"]["name"] == "anda-hpca25"
    # The measured GPU tables travel with it.
    compared = told("compare", "fp-int", "anda-hpca25", "--workload", "llama-7b", "--phase", "decode", "--gpu", "H200")
    assert compared["gpu"]["card"] == "H200"
    assert [path.name for path in empty.iterdir()] == ["runs"]
    help_ = [sys.executable, str(tmp_path / "site" / "bin" / "anda-sim"), "--help"]
    shown = subprocess.run(help_, cwd=empty, env=environment, capture_output=True, text=True, timeout=60, check=True)
    for group in ("GPU kernels", "SystemVerilog"):  # command groups that plug in, by the wheel's metadata
        assert group in shown.stdout


@pytest.mark.parametrize(
    ("kind", "folder"), [(Kind.ARCH, "arch_configs"), (Kind.WORKLOAD, "workloads"), (Kind.SWEEP, "arch_configs/sweeps")]
)
def test_the_shipped_schema_is_the_printed_one_and_accepts_every_shipped_file(kind: Kind, folder: str) -> None:
    schema = json.loads((ROOT / folder / "schema" / f"{kind.value}.json").read_text())
    assert schema == schema_of(kind)
    for name in shipped.names(folder):
        path = ROOT / folder / f"{name}.yaml"
        assert f"$schema=schema/{kind.value}.json" in path.read_text().splitlines()[0]
        jsonschema.validate(yaml.safe_load(path.read_text()), schema)


def test_the_schema_refuses_an_unknown_key() -> None:
    values = yaml.safe_load((ROOT / "arch_configs" / "anda-hpca25.yaml").read_text())
    values["mxu"]["row"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, schema_of(Kind.ARCH))
