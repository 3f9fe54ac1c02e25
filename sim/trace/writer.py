"""Writes a trace's folder as it is recorded: tensors go out in files of at most SHARD_BYTES, the manifest last."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError, Place
from sim.formats.weight import WeightFormat, WeightTensor
from sim.scratch import scratch
from sim.workload.folders import MANIFEST
from sim.workload.manifest import (
    FORMAT,
    GemmRecord,
    Manifest,
    TensorFile,
    TracedAttention,
    TracedModel,
    TracedTokens,
    TracedVector,
)
from sim.workload.model import Weights

SHARD_BYTES = 256 << 20


class Recording:
    """What is recorded, in memory: shapes, without tensors."""

    def __init__(self) -> None:
        self._records: list[GemmRecord] = []
        self._vectors: list[TracedVector] = []
        self._attentions: dict[str, TracedAttention] = {}
        self._files: dict[str, TensorFile] = {}
        self._formats: dict[str, Weights] = {}

    def add_record(self, record: GemmRecord) -> None:
        self._records.append(record)

    def add_vector(self, work: TracedVector) -> None:
        self._vectors.append(work)

    def add_attention(self, attention: TracedAttention) -> None:
        """Keep the attention of a layer, the first time it runs."""
        self._attentions.setdefault(attention.name, attention)

    def add_tensor(self, key: str, values: NDArray[Any]) -> None:
        """Keep a tensor, where tensors are kept."""

    def add_format(self, stored: WeightFormat) -> str:
        """Keep a format of weights; the name that records have for it."""
        self._formats[str(stored)] = Weights.of(stored)
        return str(stored)

    def add_weights(self, key: str, stored: WeightFormat, weights: WeightTensor) -> None:
        """Keep weights as their bytes in memory."""
        self.add_tensor(key, np.frombuffer(stored.image(weights), np.uint8))

    def finish(
        self,
        model: TracedModel,
        tokens: TracedTokens,
        method: str | None,
        versions: dict[str, str],
        unseen: str,
    ) -> Manifest:
        """The manifest of what was recorded.

        Raises
        ------
        InputError
            Where nothing was.
        """
        if not self._records:
            raise InputError("nothing recorded: no linear layer ran that the filters let through")
        return Manifest(
            format=FORMAT,
            model=model,
            tokens=tokens,
            method=method,
            formats=self._formats,
            versions=versions,
            records=self._records,
            vectors=self._vectors,
            attentions=list(self._attentions.values()),
            unseen=unseen,
            files=self._files,
        )


class TraceWriter(Recording):
    """A folder in the making: out of sight until `finish`, gone where that is never reached."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        if folder.exists():
            raise InputError("exists already", place=Place(str(folder)), facts={"mend": "choose another --out"})
        self.folder = folder
        self._holder = ExitStack()
        self._partial = folder
        self._pending: dict[str, NDArray[Any]] = {}
        self._pending_bytes = 0

    def __enter__(self) -> Self:
        self._partial = self._holder.enter_context(scratch(self.folder.expanduser().resolve())) / "new"
        self._partial.mkdir()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._holder.close()

    def add_tensor(self, key: str, values: NDArray[Any]) -> None:
        """Keep a tensor; older ones go to disk where too much is pending."""
        self._pending[key] = np.ascontiguousarray(values)
        self._pending_bytes += values.nbytes
        if self._pending_bytes >= SHARD_BYTES:
            self._flush()

    def _flush(self) -> None:
        from safetensors.numpy import save_file

        if not self._pending:
            return
        name = f"tensors-{len(self._files):05}.safetensors"
        path = self._partial / name
        save_file(self._pending, path)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._files[name] = TensorFile(bytes=path.stat().st_size, sha256=digest, keys=list(self._pending))
        self._pending, self._pending_bytes = {}, 0

    def finish(
        self,
        model: TracedModel,
        tokens: TracedTokens,
        method: str | None,
        versions: dict[str, str],
        unseen: str,
    ) -> Manifest:
        """Write the manifest and give the folder its name; raises like `Recording.finish`."""
        self._flush()
        manifest = super().finish(model, tokens, method, versions, unseen)
        values = {**manifest.model_dump(mode="json"), "sha256": manifest.digest()}
        (self._partial / MANIFEST).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._partial.rename(self.folder)
        return manifest
