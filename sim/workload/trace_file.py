"""A recorded trace: a folder of safetensors beside a manifest that says what they are and hashes them.

    TRACE/manifest.json             model, tokens, versions, every GeMM in the order in which it ran, files, own hash
    TRACE/tensors-00000.safetensors bytes of integer weights, FP16 activations [m, k], as they were recorded

A timing trace has the manifest only. Opening checks the manifest's hash and the files' sizes; a file's own hash is
checked before its first tensor is read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim import program, source
from sim.errors import InputError, Place
from sim.reading import LARGEST_RECORD, json_of
from sim.source import Source
from sim.workload.folders import MANIFEST
from sim.workload.manifest import FORMAT, GemmRecord, Manifest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.formats.weight import WeightTensor


@dataclass(frozen=True)
class Trace:
    """An opened trace."""

    folder: Path
    manifest: Manifest
    _verified: set[str] = field(default_factory=set)

    def activations(self, record: GemmRecord) -> NDArray[np.float16]:
        """FP16 activations of shape (m, k).

        Raises
        ------
        InputError
            Where they were not recorded, their file is damaged, or they have another shape than the GeMM.
        """
        values = self._tensor(self._required(record.activations, record, "activations"))
        if values.shape != (record.m, record.k) or values.dtype != "float16":
            raise self._damaged(f"activations of {record.name} are {values.dtype} {values.shape}")
        return values

    def weights(self, record: GemmRecord) -> WeightTensor:
        """Weights of shape (n, k); raises like `activations`."""
        image = self._tensor(self._required(record.weights, record, "weights")).tobytes()
        return self.manifest.weights_of(record).from_image(image, (record.n, record.k))

    def _required(self, key: str | None, record: GemmRecord, what: str) -> str:
        if key is None:
            raise InputError(
                f"no {what} recorded for {record.name}",
                place=Place(str(self.folder)),
                facts={"mend": f"record it with values: {program.name()} trace MODEL --text FILE"},
            )
        return key

    def _tensor(self, key: str) -> NDArray[Any]:
        from safetensors import SafetensorError, safe_open

        name = next((name for name, entry in self.manifest.files.items() if key in entry.keys), None)
        if name is None:
            raise self._damaged(f"no file holds {key}")
        self._verify(name)
        try:
            with safe_open(self.folder / name, framework="numpy") as tensors:
                values: NDArray[Any] = tensors.get_tensor(key)
        except SafetensorError as error:
            raise self._damaged(f"{name}: {error}") from None
        return values

    def _verify(self, name: str) -> None:
        if name in self._verified:
            return
        with (self.folder / name).open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        expected = self.manifest.files[name].sha256
        if found != expected:
            raise InputError(
                "the file's hash does not match the manifest",
                place=Place(str(self.folder / name)),
                facts={"expected": expected, "found": found},
            )
        self._verified.add(name)

    def _damaged(self, problem: str) -> InputError:
        return InputError(f"not a whole trace: {problem}", place=Place(str(self.folder)))


def open_trace(folder: Path) -> Trace:
    """Open a trace's folder.

    Raises
    ------
    InputError
        For a manifest that is missing, cut off, of another format or changed, and for files missing or cut off.
    """
    path = folder / MANIFEST
    if not path.is_file():
        facts = {"expected": f"a folder with {MANIFEST}, as `{program.name()} trace` makes"}
        raise InputError("not a recorded trace", place=Place(str(folder)), facts=facts)
    values = json_of(path, LARGEST_RECORD)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError("not the manifest of a trace", place=Place(str(path)), facts={"expected": f"format {FORMAT}"})
    expected = values.pop("sha256", None)
    manifest = source.validate(Manifest, Source(values, {}, str(path)))
    if manifest.digest() != expected:
        raise InputError(
            "changed since it was recorded",
            place=Place(str(path)),
            facts={"expected": f"sha256 {expected}", "found": manifest.digest()},
        )
    for name, entry in manifest.files.items():
        found = (folder / name).stat().st_size if (folder / name).is_file() else 0
        if found != entry.bytes:
            raise InputError(
                "missing or cut off",
                place=Place(str(folder / name)),
                facts={"expected": f"{entry.bytes} bytes", "found": f"{found} bytes"},
            )
    return Trace(folder, manifest)
