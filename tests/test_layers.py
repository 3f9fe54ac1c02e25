"""import-linter's contracts, which `make lint` checks, name all that there is."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]


def modules(folder: str) -> set[str]:
    """Modules and packages of a folder that hold any code."""
    return {
        path.stem
        for path in (ROOT / folder).iterdir()
        if path.name not in ("__init__.py", "__pycache__") and (path.suffix == ".py" or (path / "__init__.py").exists())
    }


def test_every_part_of_sim_stands_in_a_layer() -> None:
    (layers,) = (one["layers"] for one in CONTRACTS["contracts"] if one["name"].startswith("one direction"))
    named = {module.strip().split(".")[1] for layer in layers for module in layer.split("|")}
    assert named == modules("sim")


def test_every_pe_kind_is_independent_of_the_others() -> None:
    (kinds,) = (one["modules"] for one in CONTRACTS["contracts"] if one["name"].startswith("PE kinds"))
    assert {kind.rpartition(".")[2] for kind in kinds} == modules("sim/units/pe")


def test_every_package_is_looked_at() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert set(CONTRACTS["root_packages"]) == packages
