"""What a first contact is asked to do, in plain values: workers read it without YAML, workloads or Pydantic."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpu_ref import settings as reader
from gpu_ref import sources
from gpu_ref.settings import FILE, Layer, Settings


@dataclass(frozen=True)
class Job:
    """Settings, the layers that they name, the seed of all inputs, and the kernels' texts by their digits."""

    settings: Settings
    layers: dict[Layer, list[str]]
    seed: int
    sources: dict[str, str]

    def as_plain(self) -> dict[str, Any]:
        """For JSON."""
        layers = [[columns, depth, names] for (columns, depth), names in self.layers.items()]
        return {"settings": asdict(self.settings), "layers": layers, "seed": self.seed, "sources": self.sources}

    @classmethod
    def from_plain(cls, content: dict[str, Any]) -> Job:
        layers = {(columns, depth): names for columns, depth, names in content["layers"]}
        return cls(reader.from_plain(content["settings"]), layers, content["seed"], content["sources"])


def job(seed: int, path: Path = FILE) -> Job:
    """The job of a settings file."""
    found = reader.load_settings(path)
    fingerprints = {name: sources.fingerprint(name) for name in sources.names()}
    return Job(found, reader.layers(found.shapes.models), seed, fingerprints)
